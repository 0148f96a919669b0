"""The `b` argument of benchmark functions: timed loop, timer, metrics, sub-benchmarks and threads.

`for _ in b` costs the same as `timeit`'s loop. Its iterator is a subclass of `itertools.repeat` that does not
override `__next__`, so `for` calls the C function of `repeat` directly. The `for` statement releases the iterator as
soon as the loop ends; its `__del__` then stops the timer. Only the loop body is timed, not the code before and after
the loop, and a loop that ends early is detected.

A function that loops over `range(b.n)` itself is timed from its call to its return, as in Go, except where it calls
`reset_timer`, `stop_timer` and `start_timer`.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from typing import TYPE_CHECKING, NoReturn

from conduit.errors import BenchmarkMisuseError
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import FrameType
    from typing import Any, Protocol, TypeAlias

    from conduit.bench.run.parallel import Worker

    BenchmarkFunction: TypeAlias = Callable[["Benchmark"], object]

    class ChildRunner(Protocol):
        """Runs the sub-benchmarks started by `b.run`."""

        def run_child(self, parent: Benchmark, name: str, function: BenchmarkFunction) -> bool:
            """Run the sub-benchmark `name` of `parent`; return False if it failed."""

    _Repeat = itertools.repeat[None]
else:
    _Repeat = itertools.repeat

_HARNESS_FOLDER = str(Path(__file__).parent)


class BenchmarkOutcome(BaseException):
    """Raised by `b.skip` and `b.fail`.

    Derives from BaseException so that `except Exception` in a benchmark does not catch it.
    """


class BenchmarkSkipped(BenchmarkOutcome):
    """`b.skip` was called."""


class BenchmarkFailed(BenchmarkOutcome):
    """`b.fail` was called."""


class Loop(_Repeat):
    """Iterator of `for _ in b`: yields None n times and stops the timer when it is released."""

    __slots__ = ("benchmark",)
    benchmark: Benchmark

    def __del__(self) -> None:
        self.benchmark._leave_loop(self.__length_hint__())

    if TYPE_CHECKING:

        def __length_hint__(self) -> int: ...


class Benchmark:
    """The argument of one call of a benchmark function.

    `name`: the full name as in Go (`BenchmarkQueries/Resource`), without the `-N` suffix. `n`: number of iterations
    of this call. `short`: whether `-short` was given. `threads`: default number of threads of `run_parallel`.
    """

    __slots__ = (
        "_broken_off",
        "_children",
        "_chunk",
        "_closed_cpu_ns",
        "_closed_ns",
        "_iterated",
        "_opened_cpu_ns",
        "_opened_ns",
        "_running",
        "_stopped_at_ns",
        "_stopped_ns",
        "_stops",
        "has_children",
        "is_parallel",
        "log_lines",
        "metrics",
        "n",
        "name",
        "processed_bytes",
        "short",
        "shows_allocations",
        "threads",
        "works_elsewhere",
    )

    def __init__(
        self,
        name: str,
        n: int,
        *,
        log_lines: list[str] | None = None,
        children: ChildRunner | None = None,
        threads: int = 1,
        short: bool = False,
        chunk: int = 1,
    ) -> None:
        self.name: str = name
        self.n: int = n
        self.threads: int = threads
        self.short: bool = short
        self.log_lines: list[str] = [] if log_lines is None else log_lines
        self.metrics: dict[str, float] = {}
        self.processed_bytes: int = 0
        self.shows_allocations: bool = False
        self.works_elsewhere: bool = False  # in other processes, whose memory is not counted
        self.has_children: bool = False
        self.is_parallel: bool = False
        self._children = children
        self._chunk = chunk
        self._iterated = False
        self._broken_off = 0
        self._running = False
        self._closed_ns = 0
        self._closed_cpu_ns = 0
        self._opened_ns = 0
        self._opened_cpu_ns = 0
        self._stops = 0
        self._stopped_at_ns = 0
        self._stopped_ns = 0

    # The timer.

    def __iter__(self) -> Iterator[None]:
        """Iterate `b.n` times with the timer running; time and allocations outside the loop are not counted."""
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
        """Start the timer, or resume it after `stop_timer`. It is running when the function is called."""
        if not self._running:
            self._running = True
            if self._stopped_at_ns:
                self._stopped_ns += perf_counter_ns() - self._stopped_at_ns
            self._opened_cpu_ns = process_time_ns()
            self._opened_ns = perf_counter_ns()

    def stop_timer(self) -> None:
        """Stop the timer until `start_timer`. The time between is not measured."""
        if self._running:
            now_ns = perf_counter_ns()
            self._running = False
            self._closed_ns += now_ns - self._opened_ns
            self._closed_cpu_ns += process_time_ns() - self._opened_cpu_ns
            self._stops += 1
            self._stopped_at_ns = now_ns

    def reset_timer(self) -> None:
        """Discard time, allocations and metrics so far; a running timer keeps running."""
        was_running = self._running
        self.stop_timer()
        self._forget_readings()
        self.metrics.clear()
        if was_running:
            self.start_timer()

    def _forget_readings(self) -> None:
        self._closed_ns = 0
        self._closed_cpu_ns = 0
        self._stops = 0
        self._stopped_at_ns = 0
        self._stopped_ns = 0

    @property
    def elapsed_ns(self) -> int:
        """Wall time measured so far in this call, in nanoseconds."""
        running_ns = perf_counter_ns() - self._opened_ns if self._running else 0
        return self._closed_ns + running_ns

    @property
    def pauses(self) -> int:
        """Number of times the timer was stopped and started again inside the measured time."""
        return max(self._stops - 1, 0)

    @property
    def stopped_ns(self) -> int:
        """Wall time between `stop_timer` and `start_timer` inside the measured time, in nanoseconds."""
        return self._stopped_ns

    @property
    def cpu_ns(self) -> int:
        """CPU time of all threads of the process while the timer ran, in nanoseconds, up to the last stop."""
        return self._closed_cpu_ns

    def _leave_loop(self, remaining: int) -> None:
        self.stop_timer()
        self._broken_off = remaining

    def _enter_thread(self) -> None:
        """Called at the start of each thread of `run_parallel`; a hook for counting subclasses."""

    def require_complete_loop(self) -> None:
        """Raise `BenchmarkMisuseError` if `for _ in b` ended before its last iteration."""
        if self._broken_off:
            raise BenchmarkMisuseError(
                f"{self.name}: `for _ in b` ended {counted(self._broken_off, 'iteration')} early "
                "(break or return in the loop?); every run must complete all b.n iterations"
            )

    # Reporting.

    def report_allocs(self) -> None:
        """Report B/op and allocs/op for this benchmark, as `-benchmem` does for all."""
        self.shows_allocations = True

    def report_metric(self, value: float, unit: str) -> None:
        """Report a custom metric, such as `p99-ns/op` or `hits/op`.

        A built-in unit overrides that column; 0 for `ns/op` hides it. Raises `ValueError` if the unit is empty or
        contains white space.
        """
        if not unit or unit.split() != [unit]:
            raise ValueError(f"metric unit {unit!r}: expected a word without white space, such as hits/op")
        self.metrics[unit] = float(value)

    def set_bytes(self, count: int) -> None:
        """Set the number of bytes processed per iteration; adds the MB/s column (10⁶ bytes per second)."""
        self.processed_bytes = count

    def log(self, *values: object) -> None:
        """Add a line to the benchmark's log, with its file and line number."""
        self._note(" ".join(map(str, values)))

    def skip(self, *reason: object) -> NoReturn:
        """Skip this benchmark: end it without a result and without a failure."""
        if reason:
            self._note(" ".join(map(str, reason)))
        raise BenchmarkSkipped

    def fail(self, *reason: object) -> NoReturn:
        """Fail this benchmark and end it; the others still run."""
        if reason:
            self._note(" ".join(map(str, reason)))
        raise BenchmarkFailed

    def _note(self, text: str) -> None:
        frame = caller_outside_harness()
        location = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}: " if frame else ""
        self.log_lines.append("    " + location + text.replace("\n", "\n        "))

    # Sub-benchmarks and threads.

    def run(self, name: str, function: BenchmarkFunction | Callable[[Benchmark], Awaitable[object]]) -> bool:
        """Run `function` as the sub-benchmark `<this name>/<name>`; return False if it failed.

        A benchmark with sub-benchmarks has no result of its own. Spaces in the name become `_`; a repeated name
        gets the suffix `#01`.
        """
        if self._children is None:
            raise BenchmarkMisuseError(
                f"{self.name}: b.run({name!r}) was not called in the first run; "
                "a benchmark either measures or has sub-benchmarks, the same ones in every run"
            )
        if not callable(function):
            raise BenchmarkMisuseError(
                f"{self.name}: b.run({name!r}, …): expected a benchmark function, got {function!r}"
            )
        self.has_children = True
        return self._children.run_child(self, str(name), function)

    def run_parallel(self, function: Callable[[Worker], Any], threads: int | None = None) -> None:
        """Distribute the `b.n` iterations over threads; each calls `function(worker)`, which loops `for _ in worker`.

        Measures wall time from the start of the threads to the end of the last one; ns/op is that time divided by
        `b.n`. An exception in a thread fails the benchmark. A coroutine function gets an event loop per thread.
        """
        from conduit.bench.run.parallel import run_in_threads

        self.is_parallel = True
        run_in_threads(self, function, threads or self.threads, self._chunk)


def caller_outside_harness() -> FrameType | None:
    """Return the innermost frame outside the benchmark harness."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_harness_file(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def is_harness_file(filename: str) -> bool:
    """Return whether a file belongs to the harness, whose code is neither counted nor reported."""
    return filename.startswith(_HARNESS_FOLDER)
