"""The CPU sampler of the C extension: every thread's own timer interrupts it, and its Python stack is recorded.

`cpu.c` beside this file explains how. Call `available()` first: without the extension there are no functions here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit._native import available, reason
from conduit._native.self_check import require_frames

if TYPE_CHECKING:
    from types import CodeType

if available():
    from conduit._native import _core
    from conduit._native._core import (
        cpu_after_fork_in_child as after_fork_in_child,
    )
    from conduit._native._core import (
        cpu_stop as stop,
    )
    from conduit._native._core import (
        cpu_thread_began as thread_began,
    )
    from conduit._native._core import (
        line_of,
        symbol_of,
    )

    def start(period_ns: int, by_wall: bool, counters: bool, /) -> None:
        """Start to sample every thread. Raises `RuntimeError` where that is not possible, or the frames are unknown."""
        require_frames()
        _core.cpu_start(period_ns, by_wall, counters)


class RawSample(NamedTuple):
    """A stack of one thread and its time.

    `cpu_ns` is CPU time of the thread in nanoseconds: what it used from one sample to the next, shared by each eight
    samples, and summed over the `signals` that found the stack; its sum over a thread is how long that was sampled.
    `weight` is the number of the kernel's ticks that these samples stand for. `thread` numbers the
    threads of one recording from 0; `tid` is the kernel's number. `counter` is the address of the machine instruction,
    or 0 if those are not recorded. `task` is the name of the asyncio task or None. `stack` is code, instruction, code,
    instruction, …, leaf first, or None if it could not be read. `labels` are those of `conduit.label`, sorted by key.
    """

    thread: int
    tid: int
    counter: int
    task: str | None
    cpu_ns: int
    signals: int
    weight: float
    stack: tuple[CodeType | int, ...] | None
    labels: tuple[tuple[str, str], ...] = ()


class ThreadClock(NamedTuple):
    """The CPU time of a thread by its own clock, from when it was first known to its end or to the recording's.

    `number` is that of its samples, or None for a thread that neither began nor ended during the recording.
    """

    number: int | None
    tid: int
    cpu_ns: int
    blocks_signal: bool


__all__ = [
    "RawSample",
    "ThreadClock",
    "after_fork_in_child",
    "available",
    "line_of",
    "reason",
    "start",
    "stop",
    "symbol_of",
    "thread_began",
]
