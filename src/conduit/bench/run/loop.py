"""The `b` that a benchmark function receives: the timed loop, the timer, metrics, sub-benchmarks and threads.

`for _ in b` costs what `timeit`'s loop costs. Its iterator is a subclass of `itertools.repeat` that adds no method
to the way of an iteration: `for` calls the C function of `repeat` itself. What the subclass adds is the end: the
`for` statement drops its iterator the moment the loop is left, and its `__del__` stops the timer there. Setting up
before the loop and checking after it are therefore never measured, and a loop that was left early is noticed.

A function that loops by itself over `range(b.n)` is measured from its call to its return, as in Go, unless it says
otherwise with `reset_timer`, `stop_timer` and `start_timer`.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from typing import TYPE_CHECKING, NoReturn

from conduit.errors import ConduitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import FrameType
    from typing import Any, Protocol, TypeAlias

    from conduit.bench.run.parallel import Worker

    BenchmarkFunction: TypeAlias = Callable[["Benchmark"], object]

    class ChildRunner(Protocol):
        """Runs what `b.run` names, between the parent's lines; returns whether it went well."""

        def run_child(self, parent: Benchmark, name: str, function: BenchmarkFunction) -> bool:
            """Runs the sub-benchmark `name` of `parent`."""

    _Repeat = itertools.repeat[None]
else:
    _Repeat = itertools.repeat

_HARNESS_FOLDER = str(Path(__file__).parent)


class BenchmarkMisuseError(ConduitError):
    """A benchmark used its `b` in a way that measures nothing; the text says what to write instead."""


class BenchmarkOutcome(BaseException):
    """How `b.skip` and `b.fail` leave the function; not an `Exception`, so that the function's own handlers let it by."""


class BenchmarkSkipped(BenchmarkOutcome):
    """`b.skip` was called."""


class BenchmarkFailed(BenchmarkOutcome):
    """`b.fail` was called."""


class Loop(_Repeat):
    """The iterator behind `for _ in b`: yields `None` n times; when it is dropped, the timer stops."""

    __slots__ = ("benchmark",)
    benchmark: Benchmark

    def __del__(self) -> None:
        self.benchmark._leave_loop(self.__length_hint__())

    if TYPE_CHECKING:

        def __length_hint__(self) -> int: ...


class Benchmark:
    """What one run of a benchmark function is given, and what it leaves behind.

    `name` is Go's (`BenchmarkQueries/Resource`), without the `-N` of the processors. `n` is the number of
    iterations that this run has to do. `short` says that `-short` was given. `threads` is how many threads
    `run_parallel` uses unless told.
    """

    __slots__ = (
        "_broken_off",
        "_children",
        "_closed_cpu_ns",
        "_closed_ns",
        "_grain",
        "_iterated",
        "_opened_cpu_ns",
        "_opened_ns",
        "_running",
        "has_children",
        "is_parallel",
        "journal",
        "metrics",
        "n",
        "name",
        "processed_bytes",
        "short",
        "shows_allocations",
        "threads",
    )

    def __init__(
        self,
        name: str,
        n: int,
        *,
        journal: list[str] | None = None,
        children: ChildRunner | None = None,
        threads: int = 1,
        short: bool = False,
        grain: int = 1,
    ) -> None:
        self.name: str = name
        self.n: int = n
        self.threads: int = threads
        self.short: bool = short
        self.journal: list[str] = [] if journal is None else journal
        self.metrics: dict[str, float] = {}
        self.processed_bytes: int = 0
        self.shows_allocations: bool = False
        self.has_children: bool = False
        self.is_parallel: bool = False
        self._children = children
        self._grain = grain
        self._iterated = False
        self._broken_off = 0
        self._running = False
        self._closed_ns = 0
        self._closed_cpu_ns = 0
        self._opened_ns = 0
        self._opened_cpu_ns = 0

    # The timer.

    def __iter__(self) -> Iterator[None]:
        """The timed loop: `b.n` times `None`. Time and allocations before it and after it do not count."""
        self._enter_loop()
        loop = Loop(None, self.n)
        loop.benchmark = self
        self.start_timer()
        return loop

    def _enter_loop(self) -> None:
        if self._iterated:
            raise BenchmarkMisuseError(
                f"{self.name}: `for _ in b` was entered twice in one run; "
                "use one loop, or a sub-benchmark (b.run) for each"
            )
        if not self._running:
            raise BenchmarkMisuseError(
                f"{self.name}: `for _ in b` was entered with the timer stopped; call b.start_timer() before it, "
                "or leave b.stop_timer() out: what comes before the loop is not timed anyway"
            )
        self._iterated = True
        self.stop_timer()
        self._forget_readings()

    def start_timer(self) -> None:
        """Starts timing, or goes on after `stop_timer`; it runs already when the function is called."""
        if not self._running:
            self._running = True
            self._opened_cpu_ns = process_time_ns()
            self._opened_ns = perf_counter_ns()

    def stop_timer(self) -> None:
        """Stops timing: what follows, up to `start_timer`, is not measured."""
        if self._running:
            now_ns = perf_counter_ns()
            self._running = False
            self._closed_ns += now_ns - self._opened_ns
            self._closed_cpu_ns += process_time_ns() - self._opened_cpu_ns

    def reset_timer(self) -> None:
        """Forgets the time, the allocations and the metrics so far; a running timer goes on running."""
        was_running = self._running
        self.stop_timer()
        self._forget_readings()
        self.metrics.clear()
        if was_running:
            self.start_timer()

    def _forget_readings(self) -> None:
        self._closed_ns = 0
        self._closed_cpu_ns = 0

    @property
    def elapsed_ns(self) -> int:
        """Wall time measured so far in this run, in nanoseconds."""
        running_ns = perf_counter_ns() - self._opened_ns if self._running else 0
        return self._closed_ns + running_ns

    @property
    def cpu_ns(self) -> int:
        """CPU time of all threads of the process over the closed parts of the measured time, in nanoseconds."""
        return self._closed_cpu_ns

    def _leave_loop(self, remaining: int) -> None:
        self.stop_timer()
        self._broken_off = remaining

    def _enter_thread(self) -> None:
        """What a measuring subclass does first in each thread of `run_parallel`."""

    def require_complete_loop(self) -> None:
        """Raises `BenchmarkMisuseError` where `for _ in b` was left before its last iteration."""
        if self._broken_off:
            raise BenchmarkMisuseError(
                f"{self.name}: `for _ in b` was left {self._broken_off} iterations early "
                "(break or return in the loop?); every run has to do all b.n of them"
            )

    # What is reported.

    def report_allocs(self) -> None:
        """Asks for the columns B/op and allocs/op for this benchmark, as `-benchmem` does for all."""
        self.shows_allocations = True

    def report_metric(self, value: float, unit: str) -> None:
        """Reports a number of your own; `unit` has no spaces (`p99-ns/op`, `hits/op`).

        The unit of a built-in column replaces that column, and `0` for `ns/op` leaves it out. Raises `ValueError`
        for an empty unit or one with white space.
        """
        if not unit or unit.split() != [unit]:
            raise ValueError(f"metric unit {unit!r}: expected a word without white space, such as hits/op")
        self.metrics[unit] = float(value)

    def set_bytes(self, count: int) -> None:
        """Says how many bytes one iteration processes, which adds the column MB/s (10⁶ bytes a second)."""
        self.processed_bytes = count

    def log(self, *values: object) -> None:
        """Notes a line for the benchmark's log, with the file and line it comes from."""
        self._note(" ".join(map(str, values)))

    def skip(self, *reason: object) -> NoReturn:
        """Ends this benchmark without a result and without a failure."""
        if reason:
            self._note(" ".join(map(str, reason)))
        raise BenchmarkSkipped

    def fail(self, *reason: object) -> NoReturn:
        """Ends this benchmark as failed; the others still run."""
        if reason:
            self._note(" ".join(map(str, reason)))
        raise BenchmarkFailed

    def _note(self, text: str) -> None:
        frame = caller_outside_harness()
        place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}: " if frame else ""
        self.journal.append("    " + place + text.replace("\n", "\n        "))

    # Sub-benchmarks and threads.

    def run(self, name: str, function: BenchmarkFunction | Callable[[Benchmark], Awaitable[object]]) -> bool:
        """Runs `function` as the sub-benchmark `<this name>/<name>`; returns whether it did not fail.

        A benchmark with sub-benchmarks has no result of its own. Spaces in the name become `_`; a name used
        twice gets `#01`.
        """
        if self._children is None:
            raise BenchmarkMisuseError(
                f"{self.name}: b.run({name!r}) was called in a later run than the first; "
                "a benchmark either measures or has sub-benchmarks"
            )
        self.has_children = True
        return self._children.run_child(self, name, function)

    def run_parallel(self, function: Callable[[Worker], Any], threads: int | None = None) -> None:
        """Shares the `b.n` iterations among threads: each calls `function(worker)`, which does `for _ in worker`.

        The time is the wall time from the moment when all threads are ready until the last is done; ns/op is
        that time by `b.n`. An exception in a thread fails the benchmark. A coroutine function runs in an event
        loop of its own in each thread.
        """
        from conduit.bench.run.parallel import run_in_threads

        self.is_parallel = True
        run_in_threads(self, function, threads or self.threads, self._grain)


def caller_outside_harness() -> FrameType | None:
    """The innermost frame that is not of the bench wing."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_harness_file(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def is_harness_file(filename: str) -> bool:
    """Whether code of this file belongs to the harness and is neither counted nor named."""
    return filename.startswith(_HARNESS_FOLDER)
