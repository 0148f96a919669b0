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
from conduit.errors import BenchmarkMisuseError
from conduit.units import counted

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Sequence
    from typing import Literal, TypeAlias

    from conduit.bench.run.loop import BenchmarkFunction

    GcMode: TypeAlias = Literal["off", "on", "collect"]

MAX_ITERATIONS = 1_000_000_000
FEW_ITERATIONS = 5
MAX_WALL_FACTOR = 10
"""A run takes at most this multiple of the goal, with the time in which the timer is stopped."""
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
    counts_peak: bool = False
    subtracts_loop: bool = False
    short: bool = False
    fail_fast: bool = False

    def processor_list(self) -> tuple[int, ...]:
        """Return the `-cpu` list, or how many this process may use."""
        return self.processors or (processors(),)


# One run.


@dataclass(frozen=True, slots=True)
class Run:
    """The part that is the same in every run of one benchmark."""

    name: str
    function: BenchmarkFunction
    options: Options
    log_lines: list[str] = field(default_factory=list)
    threads: int = 1

    def settings(self) -> dict[str, object]:
        """Return the keyword arguments for every `Benchmark` of this benchmark."""
        return {"log_lines": self.log_lines, "threads": self.threads, "short": self.options.short}


def call(run: Run, benchmark: Benchmark) -> Benchmark:
    """Return one call of the benchmark function with the timer running; return the benchmark with what it measured.

    Raises what the function raises, and `BenchmarkMisuseError` where its loop was left early.
    """
    if benchmark.n == 1:
        require_benchmark_function(run.name, run.function)
    with _garbage_collector(run.options.gc_mode, benchmark):
        if inspect.iscoroutinefunction(run.function):
            _call_coroutine(run.function, benchmark)
        else:
            benchmark.start_timer()
            try:
                returned = run.function(benchmark)
            finally:
                benchmark.stop_timer()
            if inspect.isawaitable(returned) or inspect.isgenerator(returned):
                raise BenchmarkMisuseError(
                    f"{run.name}: returned a {type(returned).__name__} that never ran; declare it with async def, "
                    "without yield"
                )
    benchmark.require_complete_loop()
    return benchmark


def require_benchmark_function(name: str, function: BenchmarkFunction) -> None:
    """Raise `BenchmarkMisuseError` for a function whose call would measure nothing, or that needs more than `b`."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise BenchmarkMisuseError(
            f"{name}: is a generator, whose body never runs when it is called; write the loop without yield"
        )
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return  # a built-in without a signature: its call will tell
    kinds = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )
    needed = [p.name for p in parameters[1:] if p.kind in kinds and p.default is inspect.Parameter.empty]
    if needed:
        raise BenchmarkMisuseError(
            f"{name}: needs {', '.join(needed)} besides b, which only pytest's fixtures give: run it with "
            "pytest --bench, or declare the parameters with conduit.bench.parametrize"
        )


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
    """Return the next number of iterations, by Go's rule.

    It is the predicted number and a fifth more, at most 100 times the last one, and at least one more than
    it.
    """
    n = goal_ns * previous_n // max(previous_ns, 1)
    n += n // 5
    n = min(n, 100 * last_n)
    n = max(n, last_n + 1)
    return min(n, MAX_ITERATIONS)


def _grow(first: Benchmark, goal_ns: int, make: Callable[[int, Benchmark], Benchmark]) -> Benchmark:
    last = first
    while last.elapsed_ns < goal_ns and last.n < MAX_ITERATIONS:
        n = next_n(goal_ns, last.n, last.elapsed_ns, last.n)
        affordable = affordable_n(goal_ns, last)
        if affordable <= last.n:
            break
        last = make(min(n, affordable), last)
    return last


def affordable_n(goal_ns: int, last: Benchmark) -> int:
    """Return the iterations that take `MAX_WALL_FACTOR` times the goal with the time in which the timer is stopped."""
    if not last.stopped_ns:
        return MAX_ITERATIONS
    return MAX_WALL_FACTOR * goal_ns * last.n // (last.elapsed_ns + last.stopped_ns)


def measure(run: Run, first: Benchmark, processor_count: int) -> Measurement:
    """Measure one repetition: from the first run (n = 1) to a `Measurement` with its warnings."""
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
        final = _grow(first, options.goal_ns, again)
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
        timer_ns=final.pauses * timer_cost_ns() / final.n if final.pauses else 0.0,
        metrics=dict(final.metrics),
        warnings=tuple(disturbances),
    )
    measurement = _with_time_warnings(measurement, options)
    measurement = _with_loop_warning(measurement, run, final)
    measurement = _with_timer_warnings(measurement, final, options)
    counted = _with_counts(run, measurement, final)
    return replace(counted, log=tuple(run.log_lines))


def _warm_up(run: Run, first: Benchmark, again: Callable[[int, Benchmark], Benchmark]) -> Benchmark:
    if run.options.warm_up_iterations:
        again(run.options.warm_up_iterations, first)
    if run.options.warm_up_ns:
        _grow(first, run.options.warm_up_ns, again)
    return first


# Warnings.

_loop_cost: list[float] = []


def loop_cost_ns() -> float:
    """Return the cost of the loop itself per iteration, in nanoseconds.

    It is the least of five empty loops, and measured once.
    """
    if not _loop_cost:

        def empty(b: Benchmark) -> None:
            for _ in b:
                pass

        n = 200_000
        runs = [Run("BenchmarkEmptyLoop", empty, Options()) for _ in range(5)]
        _loop_cost.append(min(call(run, Benchmark(run.name, n)).elapsed_ns for run in runs) / n)
    return _loop_cost[0]


_timer_cost: list[float] = []


def timer_cost_ns() -> float:
    """Return the nanoseconds that `b.stop_timer()` and `b.start_timer()` add to an iteration; measured once."""
    if not _timer_cost:

        def pausing(b: Benchmark) -> None:
            for _ in b:
                b.stop_timer()
                b.start_timer()

        n = 5_000
        runs = [Run("BenchmarkPauses", pausing, Options()) for _ in range(5)]
        least = min(call(run, Benchmark(run.name, n)).elapsed_ns for run in runs) / n
        _timer_cost.append(max(least - loop_cost_ns(), 0.0))
    return _timer_cost[0]


def _with_timer_warnings(measurement: Measurement, final: Benchmark, options: Options) -> Measurement:
    warnings = list(measurement.warnings)
    if measurement.timer_ns > measurement.elapsed_ns / measurement.n / 2:
        warnings.append(
            MeasurementWarning(
                "timer-cost",
                f"b.stop_timer and b.start_timer took {measurement.timer_ns:.0f} ns per operation, more than the "
                "operation itself; this is subtracted, but uncertain",
                "pause the timer around more work, or prepare the inputs before the loop",
            )
        )
    whole_ns = final.elapsed_ns + final.stopped_ns
    if options.iterations is None and final.elapsed_ns < options.goal_ns and final.stopped_ns:
        warnings.append(
            MeasurementWarning(
                "stopped-timer",
                f"the timer was stopped for {final.stopped_ns / whole_ns:.0%} of the run, so only "
                f"{counted(final.n, 'iteration')} fit in {MAX_WALL_FACTOR} times -benchtime",
                "prepare the inputs before the loop, or give a number of iterations such as -benchtime=1000x",
            )
        )
    return replace(measurement, warnings=tuple(warnings))


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
                f"only {counted(measurement.n, 'iteration')} fit in -benchtime",
                "raise it (or give it as 10x), or repeat with -count",
            )
        )
    return replace(measurement, warnings=tuple(warnings))


def _with_loop_warning(measurement: Measurement, run: Run, final: Benchmark) -> Measurement:
    """Add a warning where the function cannot have done its operation n times, since it never uses `b`."""
    is_known = any(warning.code == "too-quick" for warning in measurement.warnings)
    if final._iterated or final.n == 1 or is_known or "ns/op" in measurement.metrics:
        return measurement
    if _uses_first_parameter(run.function):
        return measurement
    warning = MeasurementWarning(
        "no-loop",
        f"the function does not use b, so the operation ran once and its time was divided by {final.n}",
        "write `for _ in b:` around it, or loop over range(b.n)",
    )
    return replace(measurement, warnings=(*measurement.warnings, warning))


def _uses_first_parameter(function: BenchmarkFunction) -> bool:
    """Return whether a function's code loads its first parameter; True where that cannot be told."""
    import dis

    code = getattr(function, "__code__", None)
    if code is None or not code.co_argcount:
        return True
    name = code.co_varnames[0]
    return name in code.co_cellvars or any(
        "FAST" in instruction.opname
        and name in (instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,))
        for instruction in dis.get_instructions(code)
    )


def spread_warning(measurements: Sequence[Measurement]) -> MeasurementWarning | None:
    """Return a warning if repetitions of one benchmark differ by more than a tenth, from quickest to slowest."""
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
    if final.works_elsewhere:
        return _without_counts(measurement, options)
    if (
        options.counts_allocations
        or final.shows_allocations
        or (options.counts_peak and allocations.unavailable_reason() is not None)
    ):
        measurement = _with_allocations(run, measurement, final)
    if options.counts_peak and allocations.unavailable_reason() is None:
        metrics = {**measurement.metrics, "peak-B/op": float(count_peak(run, final))}
        measurement = replace(measurement, metrics=metrics)
    if options.counts_bytecodes:
        metrics = {**measurement.metrics, "bytecodes/op": float(count_instructions(run))}
        measurement = replace(measurement, metrics=metrics)
    return measurement


def _without_counts(measurement: Measurement, options: Options) -> Measurement:
    asked = {
        "B/op, allocs/op": options.counts_allocations,
        "peak-B/op": options.counts_peak,
        "bytecodes/op": options.counts_bytecodes,
    }
    if not any(asked.values()):
        return measurement
    units = ", ".join(unit for unit, is_asked in asked.items() if is_asked)
    warning = MeasurementWarning("elsewhere", f"{units}: n/a, the work runs in other processes", "")
    return replace(measurement, warnings=(*measurement.warnings, warning))


def _with_allocations(run: Run, measurement: Measurement, final: Benchmark) -> Measurement:
    reason = allocations.unavailable_reason()
    if reason is not None:
        warning = MeasurementWarning(
            "no-allocations", f"B/op and allocs/op: n/a, {reason}", "`conduit doctor` says why"
        )
        return replace(measurement, warnings=(*measurement.warnings, warning))
    counted, warnings = count_allocations(run, final)
    if run.options.iterations == 1 and final.n == 1 and not _warms_up(run.options):
        warnings = (*warnings, _cold_time())
    return replace(measurement, allocations=counted, warnings=(*measurement.warnings, *warnings))


def _warms_up(options: Options) -> bool:
    return bool(options.warm_up_ns or options.warm_up_iterations)


def _cold_time() -> MeasurementWarning:
    return MeasurementWarning(
        "cold-time",
        "ns/op is of the first call, which may fill caches; B/op and allocs/op are of later calls",
        "use -warmup=1x, or more iterations such as -benchtime=10x, for the time of later calls",
    )


def count_allocations(run: Run, final: Benchmark) -> tuple[AllocationCount, tuple[MeasurementWarning, ...]]:
    """Count what one operation allocates; `final` is a run that was timed. The counter has to be available."""
    return allocations.count_allocations(_counting(run), final.cpu_ns / max(final.n, 1))


def count_peak(run: Run, final: Benchmark) -> int:
    """Return the most bytes that one operation holds at once. The counter has to be available."""
    return allocations.count_peak(_counting(run), final.cpu_ns / max(final.n, 1))


def _counting(run: Run) -> Callable[[int], allocations.CountingBenchmark]:
    counter = allocations.counter()

    def count(n: int) -> allocations.CountingBenchmark:
        # A chunk a thread: what sharing costs is then the same in the short run and the long, and cancels.
        chunk = -(-n // run.threads)
        benchmark = allocations.CountingBenchmark(run.name, n, counter, chunk=chunk, **_quiet(run).settings())
        counter.start()
        try:
            call(_quiet(run), benchmark)
        finally:
            counter.stop()
        return benchmark

    return count


def count_instructions(run: Run) -> int:
    """Count the interpreter's instructions of one operation."""
    return bytecodes.count_bytecodes(lambda n: _instructions_of(run, n))


def _instructions_of(run: Run, n: int) -> int:
    benchmark = bytecodes.BytecodeBenchmark(run.name, n, **_quiet(run).settings())
    return call(_quiet(run), benchmark).total  # type: ignore[attr-defined,no-any-return]


def _quiet(run: Run) -> Run:
    """Return the same benchmark with a log of its own: counting runs are not in the user's log."""
    options = replace(run.options, gc_mode="off")
    return replace(run, log_lines=[], options=options)
