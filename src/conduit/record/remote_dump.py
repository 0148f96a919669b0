"""The stacks of all threads and tasks of another process, read from outside without stopping it.

Each stack is consistent, but the stacks are read one after another, not at one moment. A stack has the labels that
its thread was under before and after it was read. Tasks can be read on Python 3.14 and later.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from conduit.errors import ProfilerUnavailableError
from conduit.record.kernel_states import thread_state
from conduit.record.process_memory import ProcessMemory, UnreadableMemoryError
from conduit.record.remote import UNREAD, Interpreter
from conduit.record.remote_labels import RemoteLabels
from conduit.record.remote_names import names_of_process
from conduit.record.remote_tasks import RemoteTasks, are_readable
from conduit.record.remote_thread_names import name_of
from conduit.record.threads import Dump, Frame, TaskStack, ThreadStack

if TYPE_CHECKING:
    from conduit.record.labels import Pairs
    from conduit.record.module_names import ModuleNames
    from conduit.record.naming import Frame as NamedFrame
    from conduit.record.remote import RemoteThread

    _Stack = list[tuple[int, NamedFrame]] | None

_ATTEMPTS = 20
_LABEL_ATTEMPTS = 10


class RemoteDump(NamedTuple):
    """A dump, the process's version of Python, what could not be read, and the names of its modules.

    `tasks_warning`, one of the warnings, is why there are no tasks, or empty.
    """

    dump: Dump
    version: tuple[int, int]
    warnings: tuple[str, ...]
    names: ModuleNames
    tasks_warning: str = ""


def dump_process(pid: int) -> RemoteDump:
    """Return every stack of process `pid`. Raise `ProfilerUnavailableError` if it cannot be read."""
    with ProcessMemory(pid) as memory:
        interpreter = Interpreter(memory)
        for _ in range(_ATTEMPTS):
            try:
                return _dump(memory, interpreter)
            except UnreadableMemoryError:
                continue  # a thread or a task has just begun or ended: the lists are read again
    raise ProfilerUnavailableError(
        f"process {pid} changed while it was read, {_ATTEMPTS} times in a row, or has ended: try again"
    )


def _dump(memory: ProcessMemory, interpreter: Interpreter) -> RemoteDump:
    threads: list[ThreadStack] = []
    tasks: list[TaskStack] = []
    warnings: list[str] = []
    labels = RemoteLabels(memory, interpreter)
    remote_tasks = RemoteTasks(memory, interpreter, labels) if are_readable(interpreter) else None
    for address in interpreter.interpreters():
        holder = _lock_holder(memory, interpreter, address)
        found = []
        for thread in interpreter.threads(address):
            state = thread_state(memory.pid, thread.native_id)
            stack, pairs = _labelled_stack(interpreter, labels, thread)
            found.append((thread, stack))
            if thread.address == holder:
                state += ", holds the interpreter lock"
            name, is_daemon = name_of(memory, interpreter, thread, stack)
            if pairs is None:
                warnings.append(
                    f'the labels of thread "{name}" kept changing while it was read, and are left out'
                )
            threads.append(
                ThreadStack(
                    thread.ident, thread.native_id, name, is_daemon, state, _frames(stack), pairs or ()
                )
            )
        if remote_tasks is not None:
            tasks += remote_tasks.stacks(address, found)
    tasks_warning = ""
    if remote_tasks is None and any("_asyncio." in file.path for file in memory.files()):
        version = ".".join(map(str, interpreter.version))
        tasks_warning = (
            f"tasks of asyncio cannot be read from outside on Python {version} (from 3.14 on they can); a program "
            "that serves the debug endpoint shows them: give its URL instead of the process id"
        )
    threads.sort(key=lambda thread: (thread.native_id != memory.pid, thread.native_id))
    main_stack = next((thread.frames for thread in threads if thread.native_id == memory.pid), ())
    names = names_of_process(memory.pid, main_stack)
    warnings += [tasks_warning] if tasks_warning else []
    dump = Dump(tuple(threads), tuple(tasks))
    return RemoteDump(dump, interpreter.version, tuple(warnings), names, tasks_warning)


def _labelled_stack(
    interpreter: Interpreter, labels: RemoteLabels, thread: RemoteThread
) -> tuple[_Stack, Pairs | None]:
    """Return a thread's stack, and its labels at that time: the same before and after; None if they kept changing."""
    stack = None
    before = _labels_now(labels, thread)
    for _ in range(_LABEL_ATTEMPTS):
        stack = interpreter.addressed_stack(thread)
        after = _labels_now(labels, thread)
        if before is not None and before == after:
            return stack, after
        before = after
    return stack, None


def _labels_now(labels: RemoteLabels, thread: RemoteThread) -> Pairs | None:
    """Return the labels of a thread; None if they have just been left."""
    try:
        return labels.of_thread(thread)
    except UnreadableMemoryError:
        return None


def _frames(stack: _Stack) -> tuple[Frame, ...]:
    frames = [UNREAD] if stack is None else [frame for _, frame in stack]
    return tuple(Frame(*frame) for frame in frames)


def _lock_holder(memory: ProcessMemory, interpreter: Interpreter, address: int) -> int:
    """Return the address of the thread that holds the interpreter lock; 0 if none, and always before 3.13."""
    layout = interpreter.layout
    if "gil.locked" not in layout:
        return 0
    (locked,) = struct.unpack("<i", memory.read(address + layout["gil.locked"], 4))
    return memory.pointer(address + layout["gil.holder"]) if locked == 1 else 0
