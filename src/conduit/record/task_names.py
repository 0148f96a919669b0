"""Tells the CPU sampler where asyncio's tasks keep their coroutine and their name.

The two offsets are not public and differ between versions. They are determined from a task created for this purpose,
with a stub event loop that has only the methods that creating a task uses. The same task is then run for one step, in a
thread of its own, to check that the sampler reads its name. If the offsets are not found (a task class written in
Python), samples have no task label.
"""

from __future__ import annotations

import _thread
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_WORD = 8
_NAME = "conduit looks for this name"
_offsets: tuple[int, int] | None = None
_warning: str | None = None


class _NoLoop:
    """The part of an event loop's interface that a task uses; the first step is kept, and run by the check."""

    def __init__(self) -> None:
        self.step: Callable[[], object] | None = None

    def call_soon(self, step: Callable[[], object], *_: Any, **__: Any) -> None:
        """Keep the step."""
        self.step = step

    def call_exception_handler(self, _: Any) -> None:
        """Ignore the exception."""

    def get_debug(self) -> bool:
        """Return False."""
        return False


async def _probe(names: list[str]) -> None:
    """The coroutine of the task: the sampler's answer to which task it is running."""
    from conduit._native import _core

    names.append(_core.own_stack()[3])


def list_c_tasks() -> list[Any]:
    """Return all tasks implemented in C of all threads, including finished ones; empty before Python 3.14."""
    from conduit._native import available

    kind = getattr(sys.modules.get("asyncio.tasks"), "_CTask", None)
    if kind is None or not available():
        return []
    from conduit._native import _core

    newest, coroutine, _ = _make_task(kind, [])
    coroutine.close()
    found = _core.tasks_all(newest)
    return [task for task in found or () if not is_probe(task)]


def is_probe(task: Any) -> bool:
    """Return whether a task is one of this module's, which never ends and may not be freed yet."""
    return getattr(task.get_coro(), "cr_code", None) is _probe.__code__


class LateTasks:
    """Calls a function as soon as the program imports asyncio, where that is after the start of a recording.

    It is a finder that finds nothing: asyncio imports its module of the platform last, when its tasks are there.
    """

    def __init__(self, found: Callable[[], object]) -> None:
        self._found = found

    def find_spec(self, name: str, *_: object) -> None:
        """Find nothing."""
        if name == "asyncio.unix_events" and self in sys.meta_path:
            self.stop()
            self._found()

    def start(self) -> None:
        """Wait for asyncio, unless it is imported already."""
        if "asyncio.unix_events" not in sys.modules:
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Wait no longer."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


def watch_tasks() -> str:
    """Label the samples of the next CPU recording with the names of tasks, if the program uses asyncio.

    Return a warning if this version's tasks are not as the extension expects, so there will be no labels; otherwise an
    empty text.
    """
    global _warning
    tasks = sys.modules.get("asyncio.tasks")
    current = getattr(tasks, "_current_tasks", None)
    kind = getattr(tasks, "_CTask", None)
    if type(current) is not dict or kind is None or _warning:
        return _warning or ""
    from conduit._native import _core

    offsets = _find_offsets(kind)
    if offsets is not None:
        _core.tasks_watch(current, *offsets)
    if _warning is None:
        _warning = _check(kind) if offsets is not None else _sentence()
    if _warning:
        _core.tasks_forget()
    return _warning or ""


def _make_task(kind: Any, names: list[str]) -> tuple[Any, Any, _NoLoop]:
    loop = _NoLoop()
    coroutine = _probe(names)
    task = kind(coroutine, loop=loop, name=_NAME)
    task._log_destroy_pending = False  # it may never run, and asyncio would complain
    return task, coroutine, loop


def _find_offsets(kind: Any) -> tuple[int, int] | None:
    global _offsets
    if _offsets is None:
        import ctypes

        task, coroutine, _ = _make_task(kind, [])
        size = object.__sizeof__(task)
        words = list((ctypes.c_size_t * (size // _WORD)).from_address(id(task)))
        coroutine.close()
        try:
            _offsets = words.index(id(coroutine)) * _WORD, words.index(id(task.get_name())) * _WORD
        except ValueError:
            return None
    return _offsets


def _check(kind: Any) -> str | None:
    """Run a known task in a thread without a loop and return the sampler's name for it; None without a thread."""
    names: list[str] = []
    _, coroutine, loop = _make_task(kind, names)
    done = _thread.allocate_lock()
    done.acquire()

    events: Any = sys.modules[
        "asyncio.events"
    ]  # an import would wait for that of asyncio, which may be going on

    def run() -> None:
        try:
            events._set_running_loop(loop)
            if loop.step is not None:
                loop.step()
        finally:
            events._set_running_loop(None)
            done.release()

    try:
        _thread.start_new_thread(run, ())
        done.acquire()
    except RuntimeError:  # the limit of threads is reached
        return None
    finally:
        coroutine.close()
    return "" if names == [_NAME] else _sentence()


def _sentence() -> str:
    from conduit._native.self_check import sentence

    return "samples have no labels with the names of asyncio's tasks: " + sentence("the tasks")
