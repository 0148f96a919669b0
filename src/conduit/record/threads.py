"""The stacks of all threads and all asyncio tasks at this moment: Go's goroutine profile for Python.

How it works: `sys._current_frames()` gives each thread's innermost frame under the interpreter lock, so each stack is
consistent in itself. A task that waits has no thread; its stack is the chain of coroutines that await one another, from
the task's own coroutine down to what it waits for. Which task awaits which is read from each waiting task's future.
Nothing is installed or patched: a dump costs only what it reads (0.8 ms for 100 threads, 4 ms for 1,000 tasks), and a
large set of tasks is read in slices, between which the interpreter lock is released. Each thread and task has
its labels of `conduit.label`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit.record.labels import OWN_LABELS, labels_beside, labels_of_context

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextvars import Context
    from types import CodeType, FrameType

    from conduit.profile.builder import ProfileBuilder
    from conduit.profile.model import Profile
    from conduit.record.labels import Pairs
    from conduit.record.module_names import ModuleNames

    _Chain = list[tuple[Any, FrameType]]

_TRIES = 5
_CO_GENERATOR = 0x20  # as in `inspect`, which takes milliseconds to import
_TASKS_PER_SLICE = 500  # about 4 ms of interpreter lock


class Frame(NamedTuple):
    """One call on a stack; `line` is the line being executed, `first_line` is that of its `def`."""

    function: str
    filename: str
    line: int
    first_line: int


class ThreadStack(NamedTuple):
    """A thread and its frames, innermost first; `state` is the kernel's, or `unknown`; `daemon` may be None.

    `labels` are those of `conduit.label`, sorted by key.
    """

    ident: int
    native_id: int | None
    name: str
    daemon: bool | None
    state: str
    frames: tuple[Frame, ...]
    labels: Pairs = ()


class TaskStack(NamedTuple):
    """An asyncio task, its chain of coroutines (innermost first), the names of the tasks that await it, its labels."""

    name: str
    state: str
    frames: tuple[Frame, ...]
    awaited_by: tuple[str, ...]
    labels: Pairs = ()


class Dump(NamedTuple):
    """All threads (the calling one first, then by start) and all unfinished tasks (by name)."""

    threads: tuple[ThreadStack, ...]
    tasks: tuple[TaskStack, ...]


def count() -> int:
    """Return the number of threads and unfinished tasks, without reading a stack."""
    return count_threads() + sum(1 for _ in _unfinished_tasks())


def count_threads() -> int:
    """Return the number of threads that run Python."""
    return len(sys._current_frames())


def dump() -> Dump:
    """Return every stack of this process. Safe from any thread, at any time, also after a fork."""
    return Dump(tuple(_threads()), tuple(_tasks()))


# ── threads ──


def _threads() -> Iterator[ThreadStack]:
    known = {thread.ident: thread for thread in threading.enumerate()}
    current = threading.get_ident()
    for _ in range(_TRIES):
        stacks: dict[int, tuple[Frame, ...]] = {}
        frames, labels = labels_beside(sys._current_frames)
        # Read before anything gives the interpreter lock back, such as the files of the kernel's states.
        is_whole = True
        for ident in list(frames):
            frame = frames.pop(ident)  # this generator's own frame, too: it holds the table
            is_whole = is_whole and _has_a_root(frame)
            stacks[ident] = tuple(frames_of(frame))
            del frame
        if is_whole:
            break
    for ident in sorted(stacks, key=lambda ident: ident != current):
        thread = known.get(ident)
        native_id = thread.native_id if thread else None
        yield ThreadStack(
            ident,
            native_id,
            thread.name if thread else "unknown (not started by threading)",
            bool(thread and thread.daemon),
            "running" if ident == current else _kernel_state(native_id),
            stacks[ident],
            labels.get(ident, ()),
        )


def _has_a_root(frame: FrameType) -> bool:
    """Return whether the last caller can be a thread's first call; a generator that has ended forgets who called it."""
    # Asked for once: it may make a frame's object, which may collect garbage and let the thread go on.
    while (caller := frame.f_back) is not None:
        frame = caller
    return not frame.f_code.co_flags & _CO_GENERATOR


def frames_of(frame: FrameType | None) -> Iterator[Frame]:
    """Yield a thread's frames from this one to the root."""
    while frame is not None:
        yield _frame_of(frame.f_code, frame.f_lineno)
        frame = frame.f_back


def _frame_of(code: CodeType, line: int | None) -> Frame:
    return Frame(code.co_qualname, code.co_filename, line or code.co_firstlineno, code.co_firstlineno)


_KERNEL_STATES = {"R": "running", "S": "sleeping", "D": "waiting for a device", "T": "stopped", "t": "traced"}


def _kernel_state(native_id: int | None) -> str:
    """Return a thread's state as reported by Linux and, if it sleeps, the kernel function in which it sleeps."""
    folder = Path(f"/proc/self/task/{native_id}")
    try:
        letter = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        place = (folder / "wchan").read_text() if letter == "S" else ""
    except (OSError, IndexError):
        return "unknown"
    state = _KERNEL_STATES.get(letter, "unknown")
    return f"{state} in {place}" if place not in ("", "0") else state


# ── tasks ──


def _tasks() -> list[TaskStack]:
    tasks = list(_unfinished_tasks())
    awaiters: dict[int, list[str]] = {}
    found = []
    for position, task in enumerate(tasks, start=1):
        chain = list(awaited_coroutines(task))
        found.append(_task_stack(task, chain))
        for awaited in _awaited_tasks(task, chain):
            awaiters.setdefault(id(awaited), []).append(task.get_name())
        if position % _TASKS_PER_SLICE == 0:
            time.sleep(0)
    return sort_tasks(
        stack._replace(awaited_by=tuple(sorted(awaiters[id(task)]))) if id(task) in awaiters else stack
        for task, stack in zip(tasks, found, strict=True)
    )


def sort_tasks(stacks: Iterable[TaskStack]) -> list[TaskStack]:
    """Return tasks sorted by name, `Task-2` before `Task-10`."""
    return sorted(stacks, key=lambda stack: (_numbers_last(stack.name), stack.frames))


def _unfinished_tasks() -> Iterator[asyncio.Task[Any]]:
    """All tasks of all loops. `asyncio.all_tasks` knows only one loop; the collections behind it differ by version."""
    from conduit.record.task_names import is_probe, list_c_tasks

    module = sys.modules.get("asyncio.tasks")  # no asyncio, no tasks: it is not imported for this
    found: dict[int, asyncio.Task[Any]] = {}
    if module is not None and sys.version_info >= (3, 14):
        found = {id(task): task for task in (*list_c_tasks(), *_tasks_of_running_loops(module))}
    for name in ("_all_tasks", "_scheduled_tasks", "_eager_tasks"):
        members = getattr(module, name, None)
        for task in _stable_list(members) if members is not None else ():
            found[id(task)] = task
    return (task for task in found.values() if not task.done() and not is_probe(task))


def _tasks_of_running_loops(module: Any) -> Iterator[asyncio.Task[Any]]:
    """Return the tasks of loops that are on a stack: all that is known on 3.14 without the C extension."""
    loops: dict[int, Any] = {}
    frames = sys._current_frames()
    while frames:
        at: FrameType | None = frames.popitem()[
            1
        ]  # this function's own, too, which must not be kept by itself
        while at is not None:
            loop = _loop_of(at)
            if loop is not None:
                loops[id(loop)] = loop
            at = at.f_back
    for loop in loops.values():
        yield from module.all_tasks(loop)


def _loop_of(frame: FrameType) -> Any:
    """Return the loop that this frame runs, or None."""
    name, path = frame.f_code.co_name, frame.f_code.co_filename
    if name == "run_forever" and path.endswith("base_events.py"):
        return frame.f_locals.get("self")
    if name == "run" and path.endswith("runners.py"):  # a loop written in C has no frame of its own
        return getattr(frame.f_locals.get("self"), "_loop", None)
    return None


def _stable_list(members: Iterable[Any]) -> list[Any]:
    """Return a list of a weak set that other threads may change; try again if it changes, as asyncio does."""
    for _ in range(1000):
        try:
            return list(members)
        except RuntimeError:
            continue
    return []


def _awaited_tasks(task: asyncio.Task[Any], chain: _Chain) -> list[asyncio.Task[Any]]:
    """Return the tasks that a task waits for: directly, in `gather`, or in asyncio functions that wait for several."""
    future: Any = getattr(task, "_fut_waiter", None)
    if future is None:
        return []
    candidates = [future, *getattr(future, "_children", ()), *_watched_futures(chain)]
    # A task, not a bare future.
    return list({id(one): one for one in candidates if hasattr(one, "get_coro")}.values())


# The functions of asyncio that wait for a future of their own until others are done, and where they keep those.
_WATCHED: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("taskgroups.py", "__aexit__"): lambda variables: variables["self"]._tasks,
    ("taskgroups.py", "_aexit"): lambda variables: variables["self"]._tasks,
    ("tasks.py", "_wait"): lambda variables: variables["fs"],
    ("tasks.py", "wait_for"): lambda variables: (variables["fut"],),
}


def _watched_futures(chain: _Chain) -> list[Any]:
    if not chain:
        return []
    frame = chain[-1][1]
    folder, _, file = frame.f_code.co_filename.rpartition("asyncio" + os.sep)
    if not folder or (file, frame.f_code.co_name) not in _WATCHED:
        return []
    try:
        return _stable_list(_WATCHED[file, frame.f_code.co_name](frame.f_locals))
    except (KeyError, AttributeError):  # another version of asyncio names them otherwise
        return []


def coroutine_frames(task: asyncio.Task[Any]) -> tuple[tuple[Frame, ...], bool]:
    """Return the coroutines in which a task is suspended, innermost first, and whether it is running instead."""
    return _chain_frames(awaited_coroutines(task))


def _chain_frames(chain: Iterable[tuple[Any, FrameType]]) -> tuple[tuple[Frame, ...], bool]:
    frames: list[Frame] = []
    running = False
    for coroutine, frame in chain:
        running = running or bool(_attribute(coroutine, "running"))
        frames.append(_frame_of(frame.f_code, frame.f_lineno))
    return tuple(reversed(frames)), running


def awaited_coroutines(task: asyncio.Task[Any]) -> Iterator[tuple[Any, FrameType]]:
    """Yield a task's coroutine with its frame, then the one that it awaits, down to the last one with a frame."""
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        frame = _attribute(coroutine, "frame")
        if frame is None:  # a bare future, or it has just ended in another thread
            return
        yield coroutine, frame
        coroutine = _attribute(coroutine, "await") or _attribute(coroutine, "yieldfrom")


def _task_stack(task: asyncio.Task[Any], chain: _Chain) -> TaskStack:
    frames, running = _chain_frames(chain)
    waiting = getattr(task, "_fut_waiter", None) is not None
    state = "running" if running else "waiting" if waiting else "ready"
    return TaskStack(task.get_name(), state, frames, (), labels_of_context(_context_of(task)))


def _context_of(task: asyncio.Task[Any]) -> Context | None:
    """Return the context of a task, which is public from Python 3.12 on."""
    if sys.version_info >= (3, 12):
        return task.get_context()
    from contextvars import Context
    from gc import get_referents

    # A task visits its own context before those of its callbacks.
    return next((one for one in get_referents(task) if isinstance(one, Context)), None)


def _attribute(coroutine: Any, name: str) -> Any:
    """Return `cr_frame`, `gi_frame` or `ag_frame`; coroutines and (asynchronous) generators have different prefixes."""
    for kind in ("cr_", "gi_", "ag_"):
        value = getattr(coroutine, kind + name, None)
        if value is not None:
            return value
    return None


def _numbers_last(name: str) -> tuple[str, int]:
    """Sort `Task-2` before `Task-10`."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0)


# ── the dump as a profile, and as text ──


def profile(taken: Dump | None = None, names: ModuleNames | None = None) -> Profile:
    """Return a dump (of this process, now, by default) as Go's goroutine profile: a sample for each distinct stack.

    The sample type is `goroutine/count`, which scrapers expect. Labels are those of `conduit.label`, and `thread` or
    `task` (the name), `state`, `awaited_by` of a task and, for a daemon thread, `daemon`. `names` are the modules of
    the process of the dump; the default is this process.
    """
    builder = _counting("goroutine", names)
    taken = taken or dump()
    for thread in taken.threads:
        labels = {**dict(thread.labels), "thread": thread.name, "state": thread.state}
        if thread.daemon:
            labels["daemon"] = "true"
        builder.add(thread.frames, [1], labels=labels)
    for task in taken.tasks:
        labels = {**dict(task.labels), "task": task.name, "state": task.state}
        if task.awaited_by:
            labels["awaited_by"] = ", ".join(task.awaited_by)
        builder.add(task.frames, [1], labels=labels)
    return builder.build()


def user_labels(labels: Mapping[str, Sequence[str]]) -> Pairs:
    """Return those labels of a sample of a goroutine profile that the program has set, sorted by key."""
    pairs = ((key, values[0]) for key, values in labels.items() if values and key not in OWN_LABELS)
    return tuple(sorted(pairs))


def thread_starts() -> Profile:
    """Return Go's threadcreate profile: the outermost frames of each thread, where it was started."""
    builder = _counting("threadcreate")
    for thread in dump().threads:
        builder.add(thread.frames[-4:], [1], labels={"thread": thread.name})
    return builder.build()


def _counting(kind: str, names: ModuleNames | None = None) -> ProfileBuilder:
    from conduit.profile.builder import ProfileBuilder
    from conduit.profile.model import ValueType
    from conduit.record.module_names import ModuleNames

    return ProfileBuilder(
        [ValueType(kind, "count")],
        period_type=ValueType(kind, "count"),
        period=1,
        name_function=names or ModuleNames.of_this_process(),
    )


def text(taken: Dump | None = None, names: ModuleNames | None = None) -> str:
    """Return the dump as text: a paragraph for each thread and each task, innermost call first.

    `names` are the modules of the process of the dump; the default is this process.
    """
    from conduit.record.module_names import ModuleNames

    shown = taken or dump()
    names = names or ModuleNames.of_this_process()
    paragraphs = [_thread_text(thread, names) for thread in shown.threads]
    paragraphs += [_task_text(task, names) for task in shown.tasks]
    return "\n".join(paragraphs)


def _thread_text(thread: ThreadStack, names: ModuleNames) -> str:
    kind = ", daemon" if thread.daemon else ""
    number = f" (native id {thread.native_id})" if thread.native_id else ""
    head = f'thread {thread.ident} "{thread.name}"{number} [{thread.state}{kind}]:\n'
    return head + labels_text(thread.labels) + _frames_text(thread.frames, names)


def _task_text(task: TaskStack, names: ModuleNames) -> str:
    by = "".join(f'awaited by task "{name}"\n' for name in task.awaited_by)
    head = f'task "{task.name}" [{task.state}]:\n'
    return f"{head}{labels_text(task.labels)}{_frames_text(task.frames, names)}{by}"


def labels_text(labels: Iterable[tuple[str, str]]) -> str:
    """Return labels as the line that Go's goroutine profile has for them below a stack; no labels have no line."""
    pairs = ", ".join(f"{_quoted(key)}:{_quoted(value)}" for key, value in labels)
    return f"# labels: {{{pairs}}}\n" if pairs else ""


def _quoted(text: str) -> str:
    from json import dumps

    return dumps(text, ensure_ascii=False)


def _frames_text(frames: tuple[Frame, ...], names: ModuleNames) -> str:
    return "".join(f"{names(frame)[0]}\n\t{frame.filename}:{frame.line}\n" for frame in frames)
