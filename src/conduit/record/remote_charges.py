"""The CPU time of another process's threads, divided among the stacks on which they were found running.

A sample taken from outside finds a thread running with a probability equal to the thread's share of the processor, and
finds it on a certain stack with a probability equal to that stack's share of the thread's time. So the CPU time that a
thread used in a period of several samples, by its own clock, is divided equally among the stacks on which it was found
running in that period. A period in which the thread was never found running is merged into the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.record.naming import Frame

BETWEEN: Frame = ("[ran between two samples]", "", 0, 0)


class Charge(NamedTuple):
    """CPU nanoseconds of a thread on a stack, leaf first."""

    tid: int
    cpu_ns: int
    frames: list[Frame]


class Charges:
    """Collects samples and thread clocks, and divides the CPU time among the stacks."""

    def __init__(self) -> None:
        self._clocks: dict[int, int] = {}
        self._used_ns: dict[int, int] = {}
        self._stacks: dict[int, list[list[Frame]]] = {}

    def add(self, tid: int, cpu_ns: int, frames: list[Frame] | None) -> None:
        """Note the clock of a thread and, if it was found running, its stack."""
        used_ns = cpu_ns - self._clocks.get(tid, cpu_ns)
        if used_ns < 0:  # a new thread has the number of one that has ended
            used_ns = cpu_ns
        self._clocks[tid] = cpu_ns
        self._used_ns[tid] = self._used_ns.get(tid, 0) + used_ns
        if frames is not None:
            self._stacks.setdefault(tid, []).append(frames)

    def settle(self, *, is_last: bool = False) -> Iterator[Charge]:
        """Yield the time since the last call; with `is_last`, also that of threads that were never found running."""
        for tid, used_ns in list(self._used_ns.items()):
            stacks = self._stacks.pop(tid, [])
            if used_ns <= 0 or not (stacks or is_last):
                if stacks:  # its clock has not been brought up to date: the time comes with the next stretch
                    self._stacks[tid] = stacks
                continue
            self._used_ns[tid] = 0
            for position, frames in enumerate(stacks or [[BETWEEN]]):
                count = len(stacks) or 1
                yield Charge(tid, used_ns * (position + 1) // count - used_ns * position // count, frames)
