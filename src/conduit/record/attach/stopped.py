"""A process stopped briefly, as a debugger stops it: all of its threads, without a signal that it can see.

The kernel resumes the threads if this process dies. Python has no `ptrace`, so the function of the C library is called.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.errors import ProfilerUnavailableError

if TYPE_CHECKING:
    from types import TracebackType

_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_WAIT_ALL = 0x40000000  # __WALL: threads too
_ROUNDS = 100


class Stopped:
    """A context in which no thread of process `pid` runs. Raise `ProfilerUnavailableError` if that is not permitted."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        self._libc.ptrace.restype = ctypes.c_long
        self._stopped: dict[int, int] = {}  # thread → the signal that it was about to receive, or 0

    def __enter__(self) -> None:
        try:
            for _ in range(_ROUNDS):  # a thread may start others until it is stopped itself
                new = [tid for tid in _threads(self._pid) if tid not in self._stopped]
                if not new:
                    return
                for tid in new:
                    self._stop(tid)
        except BaseException:
            self._resume()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resume()

    def _stop(self, tid: int) -> None:
        if not self._trace(_SEIZE, tid):
            return
        self._stopped[tid] = 0
        self._trace(_INTERRUPT, tid)
        try:
            _, status = os.waitpid(tid, _WAIT_ALL)
        except ChildProcessError:
            return  # the thread has ended
        if os.WIFSTOPPED(status) and status >> 16 == 0:  # no event of ours: a signal must not be lost
            self._stopped[tid] = os.WSTOPSIG(status)

    def _resume(self) -> None:
        for tid, signal in self._stopped.items():
            self._trace(_DETACH, tid, signal)
        self._stopped.clear()

    def _trace(self, request: int, tid: int, data: int = 0) -> bool:
        """Make a ptrace request for a thread; return False if it has ended. Raise `ProfilerUnavailableError`."""
        if self._libc.ptrace(request, tid, None, data) == 0:
            return True
        number = ctypes.get_errno()
        if number == errno.ESRCH:
            return False
        raise ProfilerUnavailableError(
            f"process {self._pid} cannot be stopped for a moment: {os.strerror(number)} (another debugger may be "
            "attached to it, or ptrace is forbidden here)"
        )


def _threads(pid: int) -> list[int]:
    try:
        return [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
