"""The time limit of collecting: by progress, so that a slow start is waited for and a stuck one is not.

Progress is measured as CPU time, with the time that the process was ready and others had the CPU: a busy machine is not
a stuck application. Collecting is aborted if the process used less than a tenth of the time limit of CPU
time within one time limit, or after ten time limits in total. The process reports its stack on a signal; the message
names the innermost line of project code in it.
"""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING

from conduit.control_characters import printable, write_sequence

if TYPE_CHECKING:
    from collections.abc import Callable

_FRAME = re.compile(r'^  File "(?P<path>[^"]+)", line (?P<line>\d+) in (?P<name>.+)$', re.MULTILINE)
_SHOWN_AFTER_S = 3.0
_LEAST_SHARE = 0.1
_MOST_LIMITS = 10


class Progress:
    """Watches one process; `clock` returns seconds, `cpu_time` the CPU seconds that the process has used."""

    def __init__(
        self,
        pid: int,
        stacks: int,
        root: str,
        time_limit_s: float,
        clock: Callable[[], float] = time.monotonic,
        cpu_time: Callable[[int], float] | None = None,
    ) -> None:
        self._pid = pid
        self._stacks = stacks
        self._root = os.path.realpath(root)
        self._limit_s = time_limit_s
        self._clock = clock
        self._cpu_time = cpu_time or _cpu_time_of
        self._started_s = self._since_s = clock()
        self._cpu_s = 0.0
        self._is_shown = False
        self.interval_s = min(1.0, time_limit_s / 4)
        """How often to check."""

    def check(self, name: str) -> str:
        """Return why the process is aborted, or an empty text; show on a terminal what it is doing."""
        now = self._clock()
        used = self._cpu_time(self._pid)
        if used - self._cpu_s >= _LEAST_SHARE * self._limit_s:
            self._cpu_s, self._since_s = used, now
        idle, whole = (
            now - self._since_s >= self._limit_s,
            now - self._started_s >= _MOST_LIMITS * self._limit_s,
        )
        if idle or whole:
            place = self._location()
            what = f"; it is at {place}" if place else ""
            limit_s = self._limit_s if idle else _MOST_LIMITS * self._limit_s
            return (
                f"{name} was not loaded within {limit_s:g} s{' without progress' if idle else ''}{what}; "
                "allow more with --time-limit, or find out what it waits for at import"
            )
        if now - self._started_s >= _SHOWN_AFTER_S and sys.stderr is not None and sys.stderr.isatty():
            place = self._location()
            text = printable(f"conduit: loading {name}, {now - self._started_s:.0f} s  {place}")
            write_sequence(sys.stderr, f"\r\033[K{text[:195]}")
            sys.stderr.flush()
            self._is_shown = True
        return ""

    def clear(self) -> None:
        """Clear the line on the terminal."""
        if self._is_shown:
            write_sequence(sys.stderr, "\r\033[K")
            sys.stderr.flush()
            self._is_shown = False

    def _location(self) -> str:
        """Return where the process is: the innermost line of project code, else the innermost of all."""
        text = _stack_of(self._pid, self._stacks)
        frames = [
            frame for frame in _FRAME.finditer(text) if "conduit/sources/collector" not in frame["path"]
        ]
        own = [frame for frame in frames if self._is_own(frame["path"])]
        if not frames:
            return ""
        frame = (own or frames)[0]
        path = os.path.relpath(frame["path"], self._root) if own else frame["path"]
        return f"{path}:{frame['line']} in {frame['name']}"

    def _is_own(self, path: str) -> bool:
        return os.path.realpath(path).startswith(self._root + os.sep) and "site-packages" not in path


def _cpu_time_of(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + _ready_time_of(pid)


def _ready_time_of(pid: int) -> float:
    """Return the seconds that the main thread waited for a CPU; 0 where the kernel does not count them."""
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _stack_of(pid: int, stacks: int) -> str:
    """Ask the process for its stack and return it; empty if it cannot report yet."""
    import signal
    from select import POLLIN, poll

    if not _handles(pid, signal.SIGUSR2):
        return ""  # the signal would end it
    os.kill(pid, signal.SIGUSR2)
    ready = poll()
    ready.register(stacks, POLLIN)
    pieces: list[bytes] = []
    while ready.poll(200):
        piece = os.read(stacks, 1 << 16)
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces).decode("utf-8", "replace")


def _handles(pid: int, number: int) -> bool:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            caught = next((line for line in file if line.startswith("SigCgt:")), "SigCgt: 0")
    except OSError:
        return False
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
