"""The CPU sampler of the C extension: every thread's own timer interrupts it, and its Python stack is recorded.

`cpu.c` beside this file explains how. Call `available()` first: without the extension there are no functions here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit._native import available, reason
from conduit._native.self_check import require_frames
from conduit._native.stacks import RawStacks

if TYPE_CHECKING:
    from conduit._native._core import CpuFacts

if available():
    from conduit._native import _core
    from conduit._native._core import (
        cpu_after_fork_in_child as after_fork_in_child,
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

    def stop() -> tuple[RawSamples, CpuFacts]:
        """Stop; return the samples and the facts of the recording. Raises `RuntimeError` if there is none."""
        (stacks, numbers, tasks, labels), facts = _core.cpu_stop()
        return RawSamples(RawStacks(*stacks), numbers, tasks, labels), facts


class RawSamples(NamedTuple):
    """The stacks of a recording with their facts, as columns; see `RawStacks`.

    `numbers` has one column (int64) after the other, which are the properties below. `tasks` are the names of the
    asyncio tasks or None. `labels` are those of `conduit.label`, sorted by key; equal sets are the same object.
    """

    stacks: RawStacks
    numbers: bytes
    tasks: list[str | None]
    labels: list[tuple[tuple[str, str], ...]]

    def _column(self, number: int) -> memoryview[int]:
        count = len(self.tasks)
        return memoryview(self.numbers).cast("q")[number * count : (number + 1) * count]

    @property
    def threads(self) -> memoryview[int]:
        """The threads of the recording, numbered from 0."""
        return self._column(0)

    @property
    def tids(self) -> memoryview[int]:
        """The kernel's numbers of the threads."""
        return self._column(1)

    @property
    def counters(self) -> memoryview[int]:
        """The addresses of the machine instructions; 0 if those are not recorded."""
        return self._column(2)

    @property
    def cpu_ns(self) -> memoryview[int]:
        """CPU time of the thread in nanoseconds.

        It is what the thread used from one sample to the next, shared by each eight samples, and summed over the
        signals that found the stack; its sum over a thread is how long that was sampled. A stretch without the signals
        that were due (it was blocked, or the machine stood still) is not shared: it counts for the sample at its end.
        """
        return self._column(3)

    @property
    def signals(self) -> memoryview[int]:
        """How many signals found the stack."""
        return self._column(4)

    @property
    def weights(self) -> memoryview[int]:
        """The number of the kernel's ticks that these samples stand for, in units of 1/1024."""
        return self._column(5)

    @property
    def readable(self) -> memoryview[int]:
        """1, or 0 where the stack could not be read."""
        return self._column(6)


class ThreadClock(NamedTuple):
    """The CPU time of a thread by its own clock, from when it was first known to its end or to the recording's.

    `number` is that of its samples, or None for a thread that neither began nor ended during the recording.
    """

    number: int | None
    tid: int
    cpu_ns: int
    blocks_signal: bool


__all__ = [
    "RawSamples",
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
