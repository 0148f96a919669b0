"""Waits inside asyncio: how long each task was suspended, at which awaited line, and who held its locks.

How it works: every step of a task is a callback that the event loop runs. Around each one it is noted which task
ran and whether it is suspended afterwards; when its next step comes, the time between is charged to the chain of
coroutines it was suspended in. A chain that ends in the `acquire` of a `Lock` or `Semaphore` (a `Condition` has a lock
inside, a `BoundedSemaphore` is a semaphore) waits for that lock, and the one that releases it is charged with what all
its waiters have waited since the last release. So locks made before the recording are seen, and an acquire that need
not wait costs nothing more. All of it is Python patched into asyncio while recording, and taken out again. uvloop runs
its callbacks without asyncio's handles, so there each is wrapped when it is handed over; one that was handed over
before, or a loop that is neither's, is not seen.

Kept are sums, one for each stack and task name. Tasks that asyncio numbered go by their coroutine, and of given names
only so many are told apart: a service that names a task for each request would otherwise grow for as long as it runs.
"""

from __future__ import annotations

import asyncio
import gc
import re
import sys
import threading
import time
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from conduit.record.labels import current_pairs, labels_of_context
from conduit.record.threads import awaited_coroutines, coroutine_frames, frames_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context
    from types import CodeType, FrameType

    from conduit.record.labels import Pairs
    from conduit.record.threads import Frame

_Stack = tuple["Frame", ...]
_Sums = dict[tuple[str, "Pairs", _Stack], list[int]]

_NUMBERED = re.compile(r"Task-\d+")
_MOST_NAMES = 1000
OTHER_TASKS = "(other)"
_ACQUIRES: tuple[CodeType, ...] = (asyncio.Lock.acquire.__code__, asyncio.Semaphore.acquire.__code__)
_RELEASES: tuple[CodeType, ...] = (asyncio.Lock.release.__code__, asyncio.Semaphore.release.__code__)
_ASYNCIO = asyncio.Lock.acquire.__code__.co_filename.removesuffix("locks.py")


class Await(NamedTuple):
    """The awaits at one place under the same labels: by tasks of one name, or because of one place that made a lock."""

    contentions: int
    delay_ns: int
    name: str
    labels: Pairs
    stack: _Stack


class _Suspension(NamedTuple):
    since_ns: int
    name: str
    labels: Pairs
    stack: _Stack
    lock: Any  # the one it waits for, or None


class _Waiting:
    """Who waits for one lock: each task with the time up to which releases have been charged."""

    def __init__(self) -> None:
        self.since_ns: dict[asyncio.Task[Any], int] = {}

    def charge(self) -> int:
        """What all have waited since the last time."""
        now = time.monotonic_ns()
        delay = sum(now - since for since in self.since_ns.values())
        self.since_ns = dict.fromkeys(self.since_ns, now)
        return delay


class AwaitWatch:
    """Counts awaits and contention while `on`; what it counted stays, and is added to by the next start."""

    def __init__(self) -> None:
        self.counts_awaits = self.counts_releases = True
        self._lock = threading.Lock()
        self._suspended: WeakKeyDictionary[asyncio.Task[Any], _Suspension] = WeakKeyDictionary()
        self._waiting: WeakKeyDictionary[Any, _Waiting] = WeakKeyDictionary()
        self._made: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self._awaits: _Sums = {}
        self._releases: _Sums = {}
        self._names: set[str] = set()
        self._undo: list[Callable[[], None]] = []

    @property
    def on(self) -> bool:
        """Whether asyncio is patched now."""
        return bool(self._undo)

    def start(self) -> None:
        """Begins to count."""
        self._patch(asyncio.events.Handle, "_run", self._around_step)
        self._patch(asyncio.base_events.BaseEventLoop, "create_task", self._around_create_task)
        uvloop = sys.modules.get("uvloop")
        if uvloop is not None:
            self._patch(uvloop.Loop, "call_soon", self._around_call_soon)
            self._patch(uvloop.Loop, "create_task", self._around_create_task)
        for kind, wake in ((asyncio.Lock, "_wake_up_first"), (asyncio.Semaphore, "_wake_up_next")):
            self._patch(kind, "__init__", self._around_init)
            self._patch(kind, wake, self._around_wake)

    def stop(self) -> None:
        """Takes the patches out; waits that are not over are not counted."""
        while self._undo:
            self._undo.pop()()
        self._suspended.clear()
        self._waiting.clear()
        self._made.clear()

    def awaits(self) -> list[Await]:
        """The awaits counted so far, with the names of the tasks."""
        with self._lock:
            return _listed(self._awaits)

    def releases(self) -> list[Await]:
        """The releases of contended locks counted so far, each with what the waiters had waited.

        `name` is where the lock was made; empty where that was before the recording.
        """
        with self._lock:
            return _listed(self._releases)

    def _patch(self, owner: type, name: str, wrap: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        inherited = name not in vars(owner)
        setattr(owner, name, wrap(original))

        def undo() -> None:
            if inherited:
                delattr(owner, name)
            else:
                setattr(owner, name, original)

        self._undo.append(undo)

    # ── tasks ──

    def _around_step(self, run: Callable[[Any], None]) -> Callable[[Any], None]:
        def _run(handle: Any) -> None:
            task = _task_of(handle._callback)
            if task is None:
                run(handle)
                return
            self._note_resumed(task)
            run(handle)
            self._note_suspended(task, handle._context)

        return _run

    def _around_call_soon(self, call_soon: Callable[..., Any]) -> Callable[..., Any]:
        def watched(loop: Any, callback: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
            task = _task_of(callback)
            if task is None:
                return call_soon(loop, callback, *arguments, **options)

            def step(*results: Any) -> None:
                self._note_resumed(task)
                callback(*results)
                self._note_suspended(task, copy_context())  # the step runs in its task's context

            return call_soon(loop, step, *arguments, **options)

        return watched

    def _around_create_task(self, create: Callable[..., Any]) -> Callable[..., Any]:
        def create_task(loop: Any, *arguments: Any, **options: Any) -> Any:
            task = create(loop, *arguments, **options)
            if isinstance(task, asyncio.Task):
                # An eager one has taken its first step already; all others have not begun.
                self._note_suspended(task, options.get("context") or copy_context())
            return task

        return create_task

    def _note_suspended(self, task: asyncio.Task[Any], context: Context) -> None:
        if task.done() or getattr(task, "_fut_waiter", None) is None:
            return
        lock = _wanted_lock(task)
        if lock is None and not self.counts_awaits:
            return
        now = time.monotonic_ns()
        if lock is not None:
            self._waiting.setdefault(lock, _Waiting()).since_ns[task] = now
        frames, _ = coroutine_frames(task)
        labels = labels_of_context(context)
        self._suspended[task] = _Suspension(now, self._name_of(task, frames), labels, frames, lock)

    def _note_resumed(self, task: asyncio.Task[Any]) -> None:
        suspension = self._suspended.pop(task, None)
        if suspension is None:
            return
        delay = time.monotonic_ns() - suspension.since_ns
        waiting = self._waiting.get(suspension.lock) if suspension.lock is not None else None
        if waiting is not None:
            waiting.since_ns.pop(task, None)
        if self.counts_awaits:
            self._add(self._awaits, (suspension.name, suspension.labels, suspension.stack), delay)

    def _name_of(self, task: asyncio.Task[Any], frames: _Stack) -> str:
        name = task.get_name()
        if _NUMBERED.fullmatch(name):
            return frames[-1].function if frames else name
        if name not in self._names:
            if len(self._names) >= _MOST_NAMES:
                return OTHER_TASKS
            self._names.add(name)
        return name

    # ── locks ──

    def _around_init(self, init: Callable[..., None]) -> Callable[..., None]:
        def watched(lock: Any, *arguments: Any, **options: Any) -> None:
            init(lock, *arguments, **options)
            self._made[lock] = _place(sys._getframe(1))

        return watched

    def _around_wake(self, wake: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def watched(lock: Any) -> Any:
            waiting = self._waiting.get(lock)
            releasing = sys._getframe(1)
            # An acquire that is cancelled passes the lock on; it has not held it.
            if waiting and waiting.since_ns and self.counts_releases and releasing.f_code in _RELEASES:
                key = (self._made.get(lock, ""), current_pairs(), tuple(frames_of(releasing)))
                self._add(self._releases, key, waiting.charge())
            return wake(lock)

        return watched

    def _add(self, sums: _Sums, key: tuple[str, Pairs, _Stack], delay_ns: int) -> None:
        with self._lock:
            entry = sums.setdefault(key, [0, 0])
            entry[0] += 1
            entry[1] += delay_ns


def _task_of(callback: Any) -> asyncio.Task[Any] | None:
    """Whose step a callback is: the first ones are C objects that hold their task without telling it."""
    task = getattr(callback, "__self__", None)
    if task is None and type(callback).__name__ == "TaskStepMethWrapper":
        task = next((held for held in gc.get_referents(callback) if isinstance(held, asyncio.Task)), None)
    return task if isinstance(task, asyncio.Task) else None


def _wanted_lock(task: asyncio.Task[Any]) -> Any:
    """The lock in whose `acquire` a task is suspended, or None."""
    frame: FrameType | None = None
    for _, frame in awaited_coroutines(task):  # noqa: B007 (the last one is wanted)
        pass
    return frame.f_locals.get("self") if frame is not None and frame.f_code in _ACQUIRES else None


def _place(frame: FrameType | None) -> str:
    """The innermost line outside asyncio."""
    while frame is not None and (
        frame.f_code.co_filename.startswith(_ASYNCIO) or frame.f_code.co_filename == __file__
    ):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""


def _listed(sums: _Sums) -> list[Await]:
    return [
        Await(count, delay, name, labels, stack) for (name, labels, stack), (count, delay) in sums.items()
    ]
