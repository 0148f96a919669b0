"""Measures one benchmark: calibration, timing, counting, warnings.

n grows from the first run (n = 1) until the measured time reaches the goal (`next_n`); the last run is reported.
Allocations and instructions are counted afterwards, in separate runs.
"""

from __future__ import annotations

import gc
import inspect
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from conduit.bench.result import AllocationCount, Measurement, MeasurementWarning
from conduit.bench.run import allocations, bytecodes
from conduit.bench.run.loop import Benchmark
from conduit.bench.run.machine import Watch, processors
from conduit.bench.run.parallel import chunk_size

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Sequence
    from typing import Literal, TypeAlias

    from conduit.bench.run.loop import BenchmarkFunction

    GcMode: TypeAlias = Literal["off", "on", "collect"]

MAX_ITERATIONS = 1_000_000_000
FEW_ITERATIONS = 5
SPREAD = 0.10


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: times in nanoseconds.

    `iterations` fixes n where it is not None, else n grows until `goal_ns`. `processors` is Go's `-cpu` list.
    `gc_mode` is what the garbage collector does while the clock runs: "off", "on" (as in production), or
    "collect" (off, with one full collection at the end of each run, which counts). It always collects before.
    """

    goal_ns: int = 1_000_000_000
    iterations: int | None = None
    count: int = 1
    processors: tuple[int, ...] = ()
    threads: int | None = None
    warm_up_ns: int = 0
    warm_up_iterations: int = 0
    gc_mode: GcMode = "off"
    counts_allocations: bool = False
    counts_bytecodes: bool = False
    subtracts_loop: bool = False
    short: bool = False
    fail_fast: bool = False

    def processor_list(self) -> tuple[int, ...]:
        """The `-cpu` list, or how many this process may use."""
        return self.processors or (processors(),)


# One run.


@dataclass(frozen=True, slots=True)
class Run:
    """What is the same in every run of one benchmark."""

    name: str
    function: BenchmarkFunction
    options: Options
    log_lines: list[str] = field(default_factory=list)
    threads: int = 1

    def settings(self) -> dict[str, object]:
        """The keyword arguments for every `Benchmark` of this benchmark."""
        return {"log_lines": self.log_lines, "threads": self.threads, "short": self.options.short}


def call(run: Run, benchmark: Benchmark) -> Benchmark:
    """One call of the benchmark function with the timer running; return the benchmark with what it measured.

    Raises what the function raises, and `BenchmarkMisuseError` where its loop was left early.
    """
    with _garbage_collector(run.options.gc_mode, benchmark):
        if inspect.iscoroutinefunction(run.function):
            _call_coroutine(run.function, benchmark)
        else:
            benchmark.start_timer()
            try:
                run.function(benchmark)
            finally:
                benchmark.stop_timer()
    benchmark.require_complete_loop()
    return benchmark


_loop: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("conduit_bench_loop", default=None)


@contextmanager
def coroutines_run_in(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Run coroutine functions of this thread's benchmarks in a loop that runs in another thread."""
    token = _loop.set(loop)
    try:
        yield
    finally:
        _loop.reset(token)


def _call_coroutine(function: Callable[[Benchmark], object], benchmark: Benchmark) -> None:
    import asyncio

    # The timer runs inside the event loop: making the loop is not the benchmark's time.
    async def timed() -> None:
        benchmark.start_timer()
        try:
            await function(benchmark)  # type: ignore[misc]
        finally:
            benchmark.stop_timer()

    loop = _loop.get()
    if loop is None:
        asyncio.run(timed())
    else:
        asyncio.run_coroutine_threadsafe(timed(), loop).result()


@contextmanager
def _garbage_collector(mode: GcMode, benchmark: Benchmark) -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.collect()
    if mode == "on":
        gc.enable()
    else:
        gc.disable()
    try:
        yield
        if mode == "collect":
            benchmark.start_timer()
            gc.collect()
            benchmark.stop_timer()
    finally:
        (gc.enable if was_enabled else gc.disable)()


# Calibration.


def next_n(goal_ns: int, previous_n: int, previous_ns: int, last_n: int) -> int:
    """The next number of iterations, by Go's rule: predicted, a fifth more, at most 100 times, at least one more."""
    n = goal_ns * previous_n // max(previous_ns, 1)
    n += n // 5
    n = min(n, 100 * last_n)
    n = max(n, last_n + 1)
    return min(n, MAX_ITERATIONS)


def _grow(run: Run, first: Benchmark, goal_ns: int, make: Callable[[int, Benchmark], Benchmark]) -> Benchmark:
    last = first
    while last.elapsed_ns < goal_ns and last.n < MAX_ITERATIONS:
        n = next_n(goal_ns, last.n, last.elapsed_ns, last.n)
        last = make(n, last)
    return last


def measure(run: Run, first: Benchmark, processor_count: int) -> Measurement:
    """One repetition: from the first run (n = 1) to a `Measurement` with its warnings."""
    options = run.options
    disturbances: list[MeasurementWarning] = []

    def again(n: int, last: Benchmark) -> Benchmark:
        nonlocal disturbances
        chunk = chunk_size(last.n, last.elapsed_ns)
        benchmark = Benchmark(run.name, n, chunk=chunk, **run.settings())  # type: ignore[arg-type]
        watch = Watch()
        call(run, benchmark)
        disturbances = watch.warnings()
        return benchmark

    first = _warm_up(run, first, again)
    if options.iterations is None:
        final = _grow(run, first, options.goal_ns, again)
    elif options.iterations == first.n and not (options.warm_up_ns or options.warm_up_iterations):
        final = first
    else:
        final = again(options.iterations, first)
    loop_ns = loop_cost_ns() if options.subtracts_loop and final._iterated else 0.0
    measurement = Measurement(
        name=run.name,
        processors=processor_count,
        n=final.n,
        elapsed_ns=final.elapsed_ns,
        cpu_ns=final.cpu_ns,
        processed_bytes=final.processed_bytes,
        shows_allocations=final.shows_allocations,
        loop_ns=loop_ns,
        metrics=dict(final.metrics),
        warnings=tuple(disturbances),
    )
    measurement = _with_time_warnings(measurement, options)
    counted = _with_counts(run, measurement, final)
    return replace(counted, log=tuple(run.log_lines))


def _warm_up(run: Run, first: Benchmark, again: Callable[[int, Benchmark], Benchmark]) -> Benchmark:
    if run.options.warm_up_iterations:
        again(run.options.warm_up_iterations, first)
    if run.options.warm_up_ns:
        _grow(run, first, run.options.warm_up_ns, again)
    return first


# Warnings.

_loop_cost: list[float] = []


def loop_cost_ns() -> float:
    """What the loop itself costs an iteration here, in nanoseconds: the least of five empty loops; measured once."""
    if not _loop_cost:

        def empty(b: Benchmark) -> None:
            for _ in b:
                pass

        n = 200_000
        runs = [Run("BenchmarkEmptyLoop", empty, Options()) for _ in range(5)]
        _loop_cost.append(min(call(run, Benchmark(run.name, n)).elapsed_ns for run in runs) / n)
    return _loop_cost[0]


def _with_time_warnings(measurement: Measurement, options: Options) -> Measurement:
    warnings = list(measurement.warnings)
    per_op = measurement.elapsed_ns / measurement.n
    if "ns/op" not in measurement.metrics and measurement.n > 1000 and per_op < 2 * loop_cost_ns() / 3:
        warnings.append(
            MeasurementWarning(
                "too-quick",
                f"{per_op:.2f} ns an operation is less than an empty loop takes here ({loop_cost_ns():.1f} ns), "
                "so the operation was not run b.n times",
                "write `for _ in b:` around it, or loop over range(b.n)",
            )
        )
    if options.iterations is None and measurement.n < FEW_ITERATIONS:
        warnings.append(
            MeasurementWarning(
                "few-iterations",
                f"only {measurement.n} iteration{'s' * (measurement.n != 1)} fit in -benchtime",
                "raise it (or give it as 10x), or repeat with -count",
            )
        )
    return replace(measurement, warnings=tuple(warnings))


def spread_warning(measurements: Sequence[Measurement]) -> MeasurementWarning | None:
    """A warning where repetitions of one benchmark lie further apart than a tenth, from quickest to slowest."""
    times = sorted(measurement.ns_per_op for measurement in measurements)
    if len(times) < 2 or times[0] <= 0:
        return None
    spread = times[-1] / times[0] - 1
    if spread <= SPREAD:
        return None
    return MeasurementWarning(
        "spread",
        f"the {len(times)} repetitions spread by {spread:.0%} from quickest to slowest",
        "raise -benchtime, close other programs, pin with taskset, or use --isolate and more -count",
    )


# Counting.


def _with_counts(run: Run, measurement: Measurement, final: Benchmark) -> Measurement:
    options = run.options
    if options.counts_allocations or final.shows_allocations:
        measurement = _with_allocations(run, measurement, final)
    if options.counts_bytecodes:
        metrics = {**measurement.metrics, "bytecodes/op": float(count_instructions(run))}
        measurement = replace(measurement, metrics=metrics)
    return measurement


def _with_allocations(run: Run, measurement: Measurement, final: Benchmark) -> Measurement:
    reason = allocations.unavailable_reason()
    if reason is not None:
        warning = MeasurementWarning(
            "no-allocations", f"B/op and allocs/op: n/a, {reason}", "`conduit doctor` says what is missing"
        )
        return replace(measurement, warnings=(*measurement.warnings, warning))
    counted, warnings = count_allocations(run, final)
    return replace(measurement, allocations=counted, warnings=(*measurement.warnings, *warnings))


def count_allocations(run: Run, final: Benchmark) -> tuple[AllocationCount, tuple[MeasurementWarning, ...]]:
    """Count what one operation allocates; `final` is a run that was timed. The counter has to be available."""
    counter = allocations.counter()
    read = counter.read_all_threads if final.is_parallel else counter.read

    def count(n: int) -> allocations.CountingBenchmark:
        # A chunk a thread: what sharing costs is then the same in the short run and the long, and cancels.
        chunk = -(-n // run.threads)
        benchmark = allocations.CountingBenchmark(run.name, n, read, chunk=chunk, **_quiet(run).settings())
        counter.start()
        try:
            call(_quiet(run), benchmark)
        finally:
            counter.stop()
        return benchmark

    return allocations.count_allocations(count, final.cpu_ns / max(final.n, 1))


def count_instructions(run: Run) -> int:
    """Count the interpreter's instructions of one operation."""
    return bytecodes.count_bytecodes(lambda n: _instructions_of(run, n))


def _instructions_of(run: Run, n: int) -> int:
    benchmark = bytecodes.BytecodeBenchmark(run.name, n, **_quiet(run).settings())
    return call(_quiet(run), benchmark).total  # type: ignore[attr-defined,no-any-return]


def _quiet(run: Run) -> Run:
    """The same benchmark with a log of its own: counting runs are not in the user's log."""
    options = replace(run.options, gc_mode="off")
    return replace(run, log_lines=[], options=options)
