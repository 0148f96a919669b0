"""Counting what an operation allocates, in a pass of its own, so that it does not disturb the time.

What is counted: requests to the interpreter's allocators, and reallocations that grow, in requested bytes. What a
free list gives again (tuples, floats, frames, small dicts) asks nobody and counts nothing; so does memory that
never passes these allocators.

Each turn of `for _ in b` is counted by itself, after some that warm caches up, and the most common count is the
operation's. Now and then a turn also pays for something that outlives it, such as a table of interned strings that
grows; which turn that hits depends on all that ran before, so it is told as a doubt and kept out of the number.

A function that loops by itself, or in threads, cannot be counted turn by turn. Two runs of it then differ by
`DIFFERENCE` iterations, and everything that is not an iteration (set-up inside the timed part, the loop's own
objects) is in both and cancels. Both stay below 257 iterations, so that the integers of `range(b.n)` are those
which the interpreter keeps, and are not counted.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from conduit.bench.result import AllocationCount, Doubt
from conduit.bench.run.loop import Benchmark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    Reading = tuple[int, int]

    class AllocationCounter(Protocol):
        """`conduit._native.allocations`: (requests, bytes) since the start, the reading's own objects left out."""

        def start(self) -> None:
            """Begins at zero."""

        def stop(self) -> None:
            """Ends counting."""

        def read(self) -> Reading:
            """The calling thread's."""

        def read_all_threads(self) -> Reading:
            """All threads'."""


BUDGET_NS = 250_000_000  # of CPU time, before counting slows it down
MOST_TURNS = 110
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
    """The allocation counter of the native extension. Call `unavailable_reason` first."""
    from conduit._native import allocations

    return allocations


class CountingBenchmark(Benchmark):
    """A `b` that counts allocations where the plain one reads the clock.

    `turns` has (requests, bytes) of each turn of `for _ in b`, flat: a list of tuples would hold tuples that the
    operation may have expected in the interpreter's free list. `requests` and `bytes` are of all that is measured
    outside such a loop.
    """

    __slots__ = ("_opened", "_read", "bytes", "requests", "turns")

    def __init__(self, name: str, n: int, read: Callable[[], Reading], **settings: object) -> None:
        super().__init__(name, n, **settings)  # type: ignore[arg-type]
        self._read = read
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
                self.requests = self.bytes = 0
                if self._running:
                    self._opened = self._read()
                yield
                left -= 1
                if self._running:
                    self._close_reading()
                self.turns.append(self.requests)
                self.turns.append(self.bytes)
        finally:
            self._running = False
            self._leave_loop(left)

    def start_timer(self) -> None:
        """Starts the clock, and last of all the count."""
        if not self._running:
            super().start_timer()
            self._opened = self._read()

    def stop_timer(self) -> None:
        """Stops the count first, then the clock."""
        if self._running:
            self._close_reading()
            super().stop_timer()

    def _close_reading(self) -> None:
        closed = self._read()
        self.requests += closed[0] - self._opened[0]
        self.bytes += closed[1] - self._opened[1]

    def _forget_readings(self) -> None:
        super()._forget_readings()
        self.requests = 0
        self.bytes = 0
        self.turns.clear()


def count_allocations(
    run: Callable[[int], CountingBenchmark], cpu_ns_per_op: float
) -> tuple[AllocationCount, tuple[Doubt, ...]]:
    """Counts one operation; `run(n)` does n iterations in a new `CountingBenchmark` and returns it."""
    n = max(2, min(int(BUDGET_NS / max(cpu_ns_per_op, 1.0)), MOST_TURNS))
    counted = run(n)
    if counted.turns:
        warm_up = max(1, n // 4)
        pairs = zip(counted.turns[0::2], counted.turns[1::2], strict=True)
        return _most_common([AllocationCount(1, *pair) for pair in pairs][warm_up:])
    return _by_difference(run, n)


def _most_common(turns: list[AllocationCount]) -> tuple[AllocationCount, tuple[Doubt, ...]]:
    [(common, times)] = Counter(turns).most_common(1)
    if times == len(turns):
        return common, ()
    if 2 * times <= len(turns):
        whole = AllocationCount(len(turns), sum(t.allocations for t in turns), sum(t.bytes for t in turns))
        return whole, (_unrepeatable(turns),)
    return common, (_irregular(common, [turn for turn in turns if turn != common], len(turns)),)


def _by_difference(
    run: Callable[[int], CountingBenchmark], n: int
) -> tuple[AllocationCount, tuple[Doubt, ...]]:
    short_n, long_n = (WARM_UP, WARM_UP + DIFFERENCE) if n > WARM_UP + DIFFERENCE else (1, 2)
    counts = [_difference(run(short_n), run(long_n)) for _ in range(PAIRS)]
    [(common, times)] = Counter(counts).most_common(1)
    settled = AllocationCount(common.n, max(common.allocations, 0), max(common.bytes, 0))
    if times > 1 and settled == common:
        return common, ()
    return settled, (_unrepeatable(counts),)


def _difference(fewer: CountingBenchmark, more: CountingBenchmark) -> AllocationCount:
    return AllocationCount(more.n - fewer.n, more.requests - fewer.requests, more.bytes - fewer.bytes)


def _irregular(common: AllocationCount, others: list[AllocationCount], turns: int) -> Doubt:
    more = sum(other.bytes - common.bytes for other in others)
    return Doubt(
        "irregular-allocations",
        f"{len(others)} of {turns} iterations run only to count allocations had others ({more:+d} B in all), which are not in the numbers",
        "look for something that outlives the operation and grows, such as a cache or a list, or for random data",
    )


def _unrepeatable(counts: list[AllocationCount]) -> Doubt:
    least = min(count.bytes / count.n for count in counts)
    most = max(count.bytes / count.n for count in counts)
    return Doubt(
        "unrepeatable-allocations",
        f"the operation does not allocate the same every time ({least:g} to {most:g} B an operation)",
        "look for a cache that fills, random data or another thread; make the data before the loop",
    )
