"""The asyncio tasks of another process, read from outside; Python 3.14 and later publish where they are.

`_asyncio` publishes a table of offsets (section `.AsyncioDebug` of its file, or of the program if it is built in). Each
thread has a list of its tasks, and the interpreter has a list of the tasks whose thread has ended. The stack of a
suspended task is the chain of coroutines that await one another: each coroutine keeps the object that it awaits on top
of its value stack. A running task has its coroutines on its thread's stack.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from conduit.record.process_memory import UnreadableMemoryError, find_section
from conduit.record.threads import Frame, TaskStack, sort_tasks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.record.labels import Pairs
    from conduit.record.naming import Frame as NamedFrame
    from conduit.record.process_memory import Mapped, ProcessMemory
    from conduit.record.remote import Interpreter, RemoteThread
    from conduit.record.remote_labels import RemoteLabels

_SECTION = ".AsyncioDebug"
_FIELDS = (
    *("task.size", "task.name", "task.awaited_by", "task.is_task", "task.awaited_by_is_set"),
    *("task.coroutine", "task.node", "interpreter.size", "interpreter.tasks"),
    *("thread.size", "thread.loop", "thread.task", "thread.tasks"),
)
_FIRST_VERSION = (3, 14)
_AWAITS = {(3, 14): (-1,), (3, 15): (2, 3)}  # states of a coroutine that is suspended in an `await`
_AWAITED = {(3, 14): 1, (3, 15): 2}  # which value from the top of its stack is awaited
_CREATED = {(3, 14): -3, (3, 15): 0}
_MAX_TASKS = 100_000
_MAX_CHAIN = 512
_MAX_AWAITERS = 10_000
_TAGS = ~7
_SET_ENTRY = 16  # a key and its hash
_ONE_DIGIT = 1 << 3  # the count of digits in a number's tag begins at this bit
_WORD = 8


class RemoteTask(NamedTuple):
    """A task of the other process; `running_on` is the thread that runs it now, or None; `context` is an address."""

    address: int
    name: str
    coroutine: int
    context: int
    running_on: RemoteThread | None


def are_readable(interpreter: Interpreter) -> bool:
    """Return whether tasks can be read from a process of this version."""
    return interpreter.version >= _FIRST_VERSION


class RemoteTasks:
    """Reads the tasks of an interpreter whose threads' stacks have been read: (address, frame), leaf first."""

    def __init__(self, memory: ProcessMemory, interpreter: Interpreter, labels: RemoteLabels) -> None:
        self._memory = memory
        self._interpreter = interpreter
        self._labels = labels
        self._at: dict[str, int] = {}
        table = next(filter(None, (find_section(file, _SECTION) for file in _candidates(memory))), None)
        if table is not None:
            data = memory.read(table, len(_FIELDS) * _WORD)
            self._at = dict(zip(_FIELDS, struct.unpack(f"<{len(_FIELDS)}Q", data), strict=True))

    def stacks(
        self, address: int, threads: list[tuple[RemoteThread, list[tuple[int, NamedFrame]] | None]]
    ) -> list[TaskStack]:
        """Return the unfinished tasks of the interpreter at `address`; empty if asyncio is not loaded."""
        if not self._at:
            return []
        stacks = {thread.address: frames or [] for thread, frames in threads}
        found = list(self._tasks(address, [thread for thread, _ in threads]))
        names = {task.address: task.name for task in found}
        return sort_tasks(filter(None, (self._stack(task, stacks, names) for task in found)))

    def _tasks(self, interpreter: int, threads: list[RemoteThread]) -> Iterator[RemoteTask]:
        running = {self._pointer(thread.address + self._at["thread.task"]): thread for thread in threads}
        heads = [thread.address + self._at["thread.tasks"] for thread in threads]
        for head in [*heads, interpreter + self._at["interpreter.tasks"]]:
            for node in self._nodes(head):
                address = node - self._at["task.node"]
                coroutine = self._pointer(address + self._at["task.coroutine"])
                if coroutine:  # a finished task has none
                    name_at = address + self._at["task.name"]
                    context = self._pointer(name_at + _WORD)  # not published; `RemoteLabels` checks its type
                    name = self._name(self._pointer(name_at))
                    yield RemoteTask(address, name, coroutine, context, running.get(address))

    def _nodes(self, head: int) -> Iterator[int]:
        """Yield the nodes of a circular list that the process may change while it is read."""
        node = self._pointer(head)
        for _ in range(_MAX_TASKS):
            if node in (0, head):
                return
            yield node
            node = self._pointer(node + self._interpreter.layout["list_node.next"])

    def _stack(
        self, task: RemoteTask, stacks: dict[int, list[tuple[int, NamedFrame]]], names: dict[int, str]
    ) -> TaskStack | None:
        try:
            if task.running_on is not None:
                state = "running"
                frames = self._running_frames(task, stacks[task.running_on.address])
            else:
                frames = [frame for frame in self._suspended_frames(task.coroutine) if frame is not None]
                is_new = self._state(task.coroutine) == _CREATED[self._interpreter.version]
                state = "ready" if is_new else "waiting"
                frames.reverse()
            awaiters = sorted(names[one] for one in self._awaiters(task.address) if one in names)
            labels = self._labels_of(task)
        except UnreadableMemoryError:
            return None  # it has ended since its address was read
        return TaskStack(task.name, state, tuple(Frame(*frame) for frame in frames), tuple(awaiters), labels)

    def _labels_of(self, task: RemoteTask) -> Pairs:
        if task.running_on is not None:
            return self._labels.of_thread(task.running_on)
        return self._labels.of_context(task.context)

    def _running_frames(self, task: RemoteTask, stack: list[tuple[int, NamedFrame]]) -> list[NamedFrame]:
        """Return the thread's frames from the leaf to the task's own coroutine."""
        root = task.coroutine + self._interpreter.layout["generator.frame"]
        addresses = [address for address, _ in stack]
        end = addresses.index(root) + 1 if root in addresses else 0
        return [frame for _, frame in stack[:end]]

    def _suspended_frames(self, coroutine: int) -> Iterator[NamedFrame | None]:
        """Yield the frames of a coroutine and of those that it awaits, outermost first."""
        layout = self._interpreter.layout
        kind = self._pointer(coroutine + layout["object.type"])
        kinds = {kind}
        for _ in range(_MAX_CHAIN):
            frame = coroutine + layout["generator.frame"]
            yield self._interpreter.frame_at(frame)
            if self._state(coroutine) not in _AWAITS[self._interpreter.version]:
                return
            top = self._pointer(frame + layout["frame.stack_pointer"])
            coroutine = self._pointer(top - _AWAITED[self._interpreter.version] * _WORD) & _TAGS
            kind = self._pointer(coroutine + layout["object.type"])
            if kind not in kinds and not self._is_generator_type(kind):
                return  # a future, an iterator of one, or an object with an `__await__` of its own
            kinds.add(kind)

    def _is_generator_type(self, kind: int) -> bool:
        name = self._c_text(self._pointer(kind + self._interpreter.layout["type.name"]))
        return name in (b"coroutine", b"generator", b"async_generator")

    def _c_text(self, address: int) -> bytes:
        return self._memory.read(address, 16).partition(b"\0")[0]

    def _state(self, coroutine: int) -> int:
        byte = self._memory.read(coroutine + self._interpreter.layout["generator.state"], 1)
        state: int = struct.unpack("<b", byte)[0]
        return state

    def _awaiters(self, task: int) -> list[int]:
        """Return the addresses of the tasks that await a task, which has none, one, or a set of them."""
        awaiter = self._pointer(task + self._at["task.awaited_by"])
        if not awaiter:
            return []
        if not self._memory.read(task + self._at["task.awaited_by_is_set"], 1)[0]:
            return [awaiter]
        layout = self._interpreter.layout
        size = self._pointer(awaiter + layout["set.mask"]) + 1
        if size > _MAX_AWAITERS:
            return []
        data = self._memory.read(self._pointer(awaiter + layout["set.table"]), size * _SET_ENTRY)
        return [key for key, _ in struct.iter_unpack("<QQ", data) if key]

    def _name(self, address: int) -> str:
        """Return a task's name: a text, or the number of a task whose name has not been asked for yet."""
        layout = self._interpreter.layout
        kind = self._pointer(address + layout["object.type"])
        if self._c_text(self._pointer(kind + layout["type.name"])) != b"int":
            return self._interpreter.text_at(address)
        digits = self._pointer(address + layout["long.tag"]) // _ONE_DIGIT
        data = self._memory.read(address + layout["long.digits"], 4 * min(digits, 2))
        parts = struct.unpack(f"<{len(data) // 4}I", data)
        return f"Task-{sum(part << 30 * position for position, part in enumerate(parts))}"

    def _pointer(self, address: int) -> int:
        return self._memory.pointer(address)


def _candidates(memory: ProcessMemory) -> Iterator[Mapped]:
    return (file for file in memory.files() if "_asyncio" in file.path or "python" in file.path)
