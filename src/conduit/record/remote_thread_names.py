"""The names that `threading` gives the threads of another process, read from the `Thread` object of each.

The stack of such a thread has `Thread._bootstrap` at its root, whose first variable is the `Thread`. The attributes of
the `Thread` are in an array: in the order in which `Thread.__init__` sets them or, from Python 3.14 on, in the order of
their names. Neither the order nor the place of the array is published, so the name is used only if the attribute that
should be the thread's id has the expected value. Otherwise (a subclass that sets attributes of its own first, an
interpreter whose layout is not known) the kernel's name is used: from Python 3.14 on the first 15 bytes of the thread's
name, before that the name of the program.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from conduit.record.kernel_states import thread_name
from conduit.record.process_memory import UnreadableMemoryError

if TYPE_CHECKING:
    from conduit.record.naming import Frame
    from conduit.record.process_memory import ProcessMemory
    from conduit.record.remote import Interpreter, RemoteThread

_ROOT = "Thread._bootstrap"
_POSITIONS = (1, 4, 5)  # of `_name`, `_daemonic` and `_ident`
_POSITIONS_BY_NAME = (7, 2, 3)
_DIGITS = 24  # of an int; two of them hold the number of any thread
_OBJECT_HEAD = 16
_VALUES_HEAD = 8
_WORD = 8


def name_of(
    memory: ProcessMemory,
    interpreter: Interpreter,
    thread: RemoteThread,
    stack: list[tuple[int, Frame]] | None,
) -> tuple[str, bool | None]:
    """Return a thread's name, and whether it is a daemon, if known; the stack is (address, frame), leaf first."""
    if thread.native_id == memory.pid:
        return "MainThread", False
    address, root = stack[-1] if stack else (0, ("", "", 0, 0))
    if root[0] == _ROOT:
        try:
            return _name_in_python(memory, interpreter, thread, address)
        except (UnreadableMemoryError, struct.error):
            pass  # another layout than expected: the kernel's name is taken
    name = thread_name(memory.pid, thread.native_id)
    is_program = name == thread_name(memory.pid, memory.pid)
    return f"thread {thread.native_id}" if is_program else name, None


def _name_in_python(
    memory: ProcessMemory, interpreter: Interpreter, thread: RemoteThread, root: int
) -> tuple[str, bool]:
    instance = memory.pointer(root + interpreter.layout["frame.size"]) & ~7
    values = _values(memory, interpreter.version, instance)
    positions = _POSITIONS_BY_NAME if interpreter.version >= (3, 14) else _POSITIONS
    name, daemon, ident = (memory.pointer(values + position * _WORD) for position in positions)
    low, high = struct.unpack("<II", memory.read(ident + _DIGITS, 8))
    if low | high << 30 != thread.ident:
        raise UnreadableMemoryError("the thread's number is not where it is expected")
    return interpreter.text_at(name), daemon == interpreter.true


def _values(memory: ProcessMemory, version: tuple[int, int], instance: int) -> int:
    """Return the address of an instance's attributes: before it on 3.11 and 3.12, after it on later versions."""
    if version == (3, 11):
        return memory.pointer(instance - 4 * _WORD)
    if version == (3, 12):
        return memory.pointer(instance - 3 * _WORD) + 1
    return instance + _OBJECT_HEAD + _VALUES_HEAD
