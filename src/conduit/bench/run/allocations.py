"""Allocation counting, in separate runs, so that it does not affect the measured time.

Counted are requests to the interpreter's allocators, and reallocations that grow, in requested bytes. Objects
taken from a free list (tuples, floats, frames, small dicts) make no request and are not counted, nor is memory that
does not go through these allocators.

Each iteration of `for _ in b` is counted separately, after some warm-up iterations; the most common count is
reported. An iteration occasionally also allocates something that outlives it, such as a larger table of interned
strings. Which iteration that is depends on everything that ran before, so it is excluded and reported as a warning.

A function that runs its own loop, or uses threads, cannot be counted per iteration. Two runs then differ by
`DIFFERENCE` iterations, and what both have in common (set-up inside the timed part, the loop's own objects)
cancels. Both stay below 257 iterations, so that the integers of `range(b.n)` are preallocated ones.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from conduit.bench.result import AllocationCount, MeasurementWarning
from conduit.bench.run.loop import Benchmark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    Reading = tuple[int, int]

    class AllocationCounter(Protocol):
        """`conduit._native.allocations`: (requests, bytes) since the start, the reading's own objects left out."""

        def start(self) -> bool:
            """Begin at zero; return whether memory that extensions report is counted, too."""

        def start_peak(self) -> None:
            """Measure the peak from the memory held now."""

        def read_peak(self) -> int:
            """Return the most bytes held at once since `start_peak`, above those held then."""

        def stop(self) -> None:
            """End counting."""

        def read(self) -> Reading:
            """Return the reading of the calling thread."""

        def read_all_threads(self) -> Reading:
            """Return the sum of the readings of all threads."""


BUDGET_NS = 250_000_000  # of CPU time, before counting slows it down
MAX_TURNS = 110
WARM_UP = 10
DIFFERENCE = 20
PAIRS = 3


def unavailable_reason() -> str | None:
    """Why allocations cannot be counted in this installation, or None where they can."""
    try:
        from conduit._native import allocations
    except ImportError as error:
        return f"the native extension is not available ({error})"
    return None if allocations.available() else allocations.reason()


def counter() -> AllocationCounter:
    """Return the allocation counter of the native extension. Call `unavailable_reason` first."""
    from conduit._native import allocations

    return allocations


class CountingBenchmark(Benchmark):
    """A `b` that counts allocations where the plain one reads the clock.

    `turns` has (requests, bytes) of each turn of `for _ in b`, flat: a list of tuples would hold tuples that the
    operation may have expected in the interpreter's free list. `requests` and `bytes` are of all that is measured
    outside such a loop.
    """

    __slots__ = ("_counter", "_opened", "_read", "bytes", "peak", "peaks", "requests", "turns")

    def __init__(self, name: str, n: int, counter: AllocationCounter, **settings: object) -> None:
        super().__init__(name, n, **settings)  # type: ignore[arg-type]
        self._counter = counter
        # Of all threads: an operation that hands work to a pool allocates there.
        self._read = counter.read_all_threads
        self.peak: int = 0
        self.peaks: list[int] = []
        self._opened: Reading = (0, 0)
        self.requests: int = 0
        self.bytes: int = 0
        self.turns: list[int] = []

    def __iter__(self) -> Iterator[None]:
        self._enter_loop()
        self.start_timer()
        return self._turn_by_turn()

    def _turn_by_turn(self) -> Iterator[None]:
        left = self.n
        try:
            while left:
                self.requests = self.bytes = self.peak = 0
                if self._running:
                    self._open_reading()
                yield
                left -= 1
                if self._running:
                    self._close_reading()
                self.turns.append(self.requests)
                self.turns.append(self.bytes)
                self.peaks.append(self.peak)
        finally:
            self._running = False
            self._leave_loop(left)

    def start_timer(self) -> None:
        """Start the clock, and last of all the count."""
        if not self._running:
            super().start_timer()
            self._open_reading()

    def stop_timer(self) -> None:
        """Stop the count first, then the clock."""
        if self._running:
            self._close_reading()
            super().stop_timer()

    def _open_reading(self) -> None:
        self._counter.start_peak()
        self._opened = self._read()

    def _close_reading(self) -> None:
        closed = self._read()
        peak = self._counter.read_peak()  # before the numbers below take memory themselves
        self.requests += closed[0] - self._opened[0]
        self.bytes += closed[1] - self._opened[1]
        self.peak = max(self.peak, peak)

    def _forget_readings(self) -> None:
        super()._forget_readings()
        self.requests = 0
        self.bytes = 0
        self.peak = 0
        self.turns.clear()
        self.peaks.clear()


def count_peak(run: Callable[[int], CountingBenchmark], cpu_ns_per_op: float) -> int:
    """Return the most bytes that one operation holds at once, above those held before it."""
    n = _number_of_turns(cpu_ns_per_op)
    counted = run(n)
    if counted.peaks:
        [(common, _)] = Counter(counted.peaks[max(1, n // 4) :]).most_common(1)
        return common
    return run(1).peak


def _number_of_turns(cpu_ns_per_op: float) -> int:
    return max(2, min(int(BUDGET_NS / max(cpu_ns_per_op, 1.0)), MAX_TURNS))


def count_allocations(
    run: Callable[[int], CountingBenchmark], cpu_ns_per_op: float
) -> tuple[AllocationCount, tuple[MeasurementWarning, ...]]:
    """Count one operation; `run(n)` does n iterations in a new `CountingBenchmark` and returns it."""
    n = _number_of_turns(cpu_ns_per_op)
    counted = run(n)
    if counted.turns:
        warm_up = max(1, n // 4)
        pairs = zip(counted.turns[0::2], counted.turns[1::2], strict=True)
        return _most_common([AllocationCount(1, *pair) for pair in pairs][warm_up:])
    return _by_difference(run, n)


def _most_common(turns: list[AllocationCount]) -> tuple[AllocationCount, tuple[MeasurementWarning, ...]]:
    [(common, times)] = Counter(turns).most_common(1)
    if times == len(turns):
        return common, ()
    if 2 * times <= len(turns):
        whole = AllocationCount(len(turns), sum(t.allocations for t in turns), sum(t.bytes for t in turns))
        return whole, (_unrepeatable(turns),)
    return common, (_irregular(common, [turn for turn in turns if turn != common], len(turns)),)


def _by_difference(
    run: Callable[[int], CountingBenchmark], n: int
) -> tuple[AllocationCount, tuple[MeasurementWarning, ...]]:
    short_n, long_n = (WARM_UP, WARM_UP + DIFFERENCE) if n > WARM_UP + DIFFERENCE else (1, 2)
    counts = [_difference(run(short_n), run(long_n)) for _ in range(PAIRS)]
    [(common, times)] = Counter(counts).most_common(1)
    settled = AllocationCount(common.n, max(common.allocations, 0), max(common.bytes, 0))
    if times > 1 and settled == common:
        return common, ()
    return settled, (_unrepeatable(counts),)


def _difference(fewer: CountingBenchmark, more: CountingBenchmark) -> AllocationCount:
    return AllocationCount(more.n - fewer.n, more.requests - fewer.requests, more.bytes - fewer.bytes)


def _irregular(common: AllocationCount, others: list[AllocationCount], turns: int) -> MeasurementWarning:
    more = sum(other.bytes - common.bytes for other in others)
    return MeasurementWarning(
        "irregular-allocations",
        f"in {len(others)} of {turns} allocation-counting runs, {abs(more)} {'extra' if more >= 0 else 'fewer'} bytes "
        "were allocated; they are excluded",
        "look for something that outlives the operation and grows, such as a cache or a list, or for random data",
    )


def _unrepeatable(counts: list[AllocationCount]) -> MeasurementWarning:
    least = min(count.bytes / count.n for count in counts)
    most = max(count.bytes / count.n for count in counts)
    return MeasurementWarning(
        "unrepeatable-allocations",
        f"the operation does not allocate the same every time ({least:g} to {most:g} B an operation)",
        "look for a cache that fills, random data or another thread; make the data before the loop",
    )
