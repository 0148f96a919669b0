"""The request to run a script, written into the memory of a process of Python 3.14 or later (PEP 768).

Each thread has a field for the path of a script, a flag, and a bit that makes it check the flag before it continues.
The interpreter's table of offsets says where these are, so the asking process may run any version. The main thread,
which exists as long as the process, can be asked while it runs. Other threads may end at any moment, so they are asked
only while the process is stopped briefly, as a debugger stops it; this also wakes threads that wait in `epoll`, as
servers do.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from conduit.errors import ProfilerUnavailableError
from conduit.record.attach.stopped import Stopped
from conduit.record.process_memory import UnreadableMemoryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.record.process_memory import ProcessMemory
    from conduit.record.remote import Interpreter, RemoteThread

FIRST_VERSION = (3, 14)
_PLEASE_STOP = 1 << 5  # `_PY_EVAL_PLEASE_STOP_BIT`
_MAX_ATTEMPTS = 100
_MAX_PATH = 512
_NO_CALL = struct.pack("<i", 0)
_CALL = struct.pack("<i", 1)


class ScriptRequest:
    """A request to a process to run the script at `path` (the path as the process sees it).

    Raise `ProfilerUnavailableError` if the process cannot be asked.
    """

    def __init__(self, memory: ProcessMemory, interpreter: Interpreter, path: str) -> None:
        self._memory = memory
        self._interpreter = interpreter
        self._at = interpreter.layout
        self._path = path.encode() + b"\0"
        self._asked: set[int] = set()
        self._main = _main_interpreter(memory, interpreter)
        if len(self._path) > min(_MAX_PATH, self._at["debugger.path_size"]):
            raise ProfilerUnavailableError(f"the path {path} is too long for a process to run it")

    def ask_main_thread(self) -> None:
        """Ask the main thread, which runs the script before its next instruction, or after the wait it is in."""
        for thread in self._threads():
            if thread.native_id == self._memory.pid:
                self._ask(thread.address)
                return

    def ask_all_threads(self) -> None:
        """Ask every thread, while the process is stopped for a few ms. Raise `ProfilerUnavailableError`."""
        with Stopped(self._memory.pid):
            for thread in self._interpreter.threads(self._main):
                self._ask(thread.address)

    def withdraw(self) -> None:
        """Withdraw the request from the threads that have not seen it yet."""
        present = {thread.address: thread.native_id for thread in self._threads()}
        waiting = {address for address in self._asked & present.keys() if self._is_waiting(address)}
        self._asked.clear()
        if waiting == {address for address in waiting if present[address] == self._memory.pid}:
            self._forget(waiting)
            return
        with Stopped(self._memory.pid):
            living = {thread.address for thread in self._interpreter.threads(self._main)}
            self._forget(address for address in waiting & living if self._is_waiting(address))

    def _threads(self) -> list[RemoteThread]:
        """Return the threads of the running process; a list that changes while it is read is read again."""
        for _ in range(_MAX_ATTEMPTS):
            try:
                return list(self._interpreter.threads(self._main))
            except UnreadableMemoryError:
                continue
        raise ProfilerUnavailableError(
            f"the threads of process {self._memory.pid} begin and end faster than they can be read: try again"
        )

    def _forget(self, addresses: Iterator[int] | set[int]) -> None:
        for address in addresses:
            self._memory.write(self._support(address) + self._at["debugger.pending"], _NO_CALL)

    def _ask(self, thread: int) -> None:
        support = self._support(thread)
        self._memory.write(support + self._at["debugger.path"], self._path)
        self._memory.write(support + self._at["debugger.pending"], _CALL)
        # The byte with the bit, and no more: the others hold a number that the process may change at this moment.
        breaker = thread + self._at["debugger.breaker"]
        bits = self._memory.read(breaker, 1)[0]
        self._memory.write(breaker, bytes([bits | _PLEASE_STOP]))
        self._asked.add(thread)

    def _is_waiting(self, thread: int) -> bool:
        """Return whether a thread still has this request."""
        try:
            support = self._support(thread)
            pending = self._memory.read(support + self._at["debugger.pending"], len(_CALL))
            path = self._memory.read(support + self._at["debugger.path"], len(self._path))
        except UnreadableMemoryError:
            return False
        return pending == _CALL and path == self._path

    def _support(self, thread: int) -> int:
        return thread + self._at["debugger.support"]


def _main_interpreter(memory: ProcessMemory, interpreter: Interpreter) -> int:
    found = list(interpreter.interpreters())
    if len(found) != 1:
        raise ProfilerUnavailableError(
            f"process {memory.pid} has {len(found)} interpreters, and the samplers work where there is one"
        )
    (enabled,) = struct.unpack("<i", memory.read(found[0] + interpreter.layout["debugger.enabled"], 4))
    if enabled != 1:
        raise ProfilerUnavailableError(
            f"process {memory.pid} was started with remote debugging turned off (PYTHON_DISABLE_REMOTE_DEBUG, "
            "-X disable-remote-debug, or an interpreter built without it)"
        )
    return found[0]
