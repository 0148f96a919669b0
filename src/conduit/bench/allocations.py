"""Counting what an operation allocates, in a pass of its own, so that it does not disturb the time.

What is counted: requests to the interpreter's allocators, and reallocations that grow, in requested bytes. What a
free list gives again (tuples, floats, frames, small dicts) asks nobody and counts nothing; so does memory that
never passes these allocators.

Two runs of the benchmark function differ by `DIFFERENCE` iterations, and everything that is not an iteration
(set-up inside the timed part, the loop's own objects, the reading) is in both and cancels. Both stay below 257
iterations, so that the integers of `range(b.n)` are those which the interpreter keeps, and are not counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.bench.loop import Benchmark
from conduit.bench.result import AllocationCount, Doubt

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    Reading = tuple[int, int]

    class Counter(Protocol):
        """`conduit._native.allocations`: (requests, bytes) since the start, the reading's own objects left out."""

        def start(self) -> None:
            """Begins at zero."""

        def stop(self) -> None:
            """Ends counting."""

        def read(self) -> Reading:
            """The calling thread's."""

        def read_all_threads(self) -> Reading:
            """All threads'."""


WARM_UP = 10
DIFFERENCE = 100
SLOW_NS = 10_000_000
VERY_SLOW_NS = 100_000_000


def unavailable_reason() -> str | None:
    """Why allocations cannot be counted in this installation, or None where they can."""
    try:
        from conduit._native import allocations
    except ImportError as error:
        return f"the native extension is not available ({error})"
    return None if allocations.available() else allocations.reason()


def counter() -> Counter:
    """The allocation counter of the native extension. Call `unavailable_reason` first."""
    from conduit._native import allocations

    return allocations


class CountingBenchmark(Benchmark):
    """A `b` that counts allocations where the plain one reads the clock."""

    __slots__ = ("_opened", "_read", "bytes", "requests")

    def __init__(self, name: str, n: int, read: Callable[[], Reading], **settings: object) -> None:
        super().__init__(name, n, **settings)  # type: ignore[arg-type]
        self._read = read
        self._opened: Reading = (0, 0)
        self.requests = 0
        self.bytes = 0

    def start_timer(self) -> None:
        """Starts the clock, and last of all the count."""
        if not self._running:
            super().start_timer()
            self._opened = self._read()

    def stop_timer(self) -> None:
        """Stops the count first, then the clock."""
        if self._running:
            closed = self._read()
            super().stop_timer()
            # Sums, not a list of readings: tuples kept here would be missing in the operation's free list.
            self.requests += closed[0] - self._opened[0]
            self.bytes += closed[1] - self._opened[1]

    def _forget_readings(self) -> None:
        super()._forget_readings()
        self.requests = 0
        self.bytes = 0

    @property
    def total(self) -> Reading:
        """(requests, bytes) over the parts that are measured."""
        return self.requests, self.bytes


def iterations_for(ns_per_op: float) -> tuple[int, int, int]:
    """(iterations of the short run, of the long run, how often the pair may be tried) for an operation's cost."""
    if ns_per_op < SLOW_NS:
        return WARM_UP, WARM_UP + DIFFERENCE, 3
    if ns_per_op < VERY_SLOW_NS:
        return 1, 4, 3
    return 1, 2, 1


def count_allocations(
    run: Callable[[int], Reading], ns_per_op: float
) -> tuple[AllocationCount, tuple[Doubt, ...]]:
    """Counts one operation; `run(n)` does n iterations and returns (requests, bytes) of them all.

    The pair of runs is repeated until two agree. Where none do, the operation itself is not repeatable: the last
    count stands, with a doubt.
    """
    short_n, long_n, attempts = iterations_for(ns_per_op)
    counts: list[AllocationCount] = []
    for _ in range(attempts):
        fewer, more = run(short_n), run(long_n)
        counts.append(AllocationCount(long_n - short_n, more[0] - fewer[0], more[1] - fewer[1]))
        if len(counts) > 1 and counts[-1] == counts[-2]:
            return counts[-1], ()
    last = counts[-1]
    settled = AllocationCount(last.n, max(last.allocations, 0), max(last.bytes, 0))
    if attempts == 1 and settled == last:
        return settled, ()
    return settled, (_unrepeatable(counts),)


def _unrepeatable(counts: list[AllocationCount]) -> Doubt:
    shown = ", ".join(
        f"{count.allocations / count.n:g} allocs and {count.bytes / count.n:g} B" for count in counts
    )
    return Doubt(
        "unrepeatable-allocations",
        f"the operation does not allocate the same every time ({shown} an operation)",
        "look for a cache that fills, random data or another thread; make the data before the loop",
    )
