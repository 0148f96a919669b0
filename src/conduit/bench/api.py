"""One function, measured from inside a program or a test."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from conduit.bench.names import NameFilter, go_name
from conduit.bench.result import BenchmarkFailedError, BenchmarkResult
from conduit.bench.run.events import Ended, Event, Measured, Warned
from conduit.bench.run.measure import Options
from conduit.bench.run.runner import Runner
from conduit.errors import BenchmarkMisuseError
from conduit.units import parse_duration_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.bench.run.loop import Benchmark, BenchmarkFunction
    from conduit.bench.run.measure import GcMode


def benchmark(
    function: Callable[..., Any],
    *,
    name: str = "",
    benchtime: str = "1s",
    count: int = 1,
    gc: GcMode = "off",
    allocations: bool = True,
    bytecodes: bool = False,
    threads: int | None = None,
    short: bool = False,
) -> BenchmarkResult:
    """Measure a function, as `testing.Benchmark` does in Go.

    `function` is a benchmark function, which takes `b` and loops `for _ in b`, or takes no argument and is the
    operation itself. Either may be `async`. `benchtime` is a time or a number of iterations (`"300ms"`, `"1000x"`),
    `count` the number of repetitions, at least 1.

    Raises `BenchmarkFailedError` if the function raises, fails or skips, `BenchmarkMisuseError` if it has
    sub-benchmarks, and `ValueError` for a wrong argument.
    """
    if count < 1:
        raise ValueError(f"count={count}: expected at least one repetition")
    goal_ns, iterations = read_benchtime(benchtime)
    options = Options(
        goal_ns=goal_ns,
        iterations=iterations,
        count=count,
        threads=threads,
        gc_mode=gc,
        counts_allocations=allocations,
        counts_bytecodes=bytecodes,
        short=short,
        fail_fast=True,
    )
    full_name = name or go_name(getattr(function, "__name__", "function").strip("<>"))
    return _run(full_name, _as_benchmark(function), options)


def read_benchtime(text: str) -> tuple[int, int | None]:
    """Parse a `-benchtime`: (nanoseconds, None) for a time, (0, iterations) for `1000x`.

    Raises `ValueError` with Go's message.
    """
    if text.endswith("x"):
        digits = text[:-1]
        if not (digits.isascii() and digits.isdigit() and int(digits) > 0):
            raise ValueError("invalid count")
        return 0, int(digits)
    try:
        time_ns = parse_duration_ns(text)
    except ValueError:
        is_bare = text.isascii() and text.isdigit() and int(text) > 0
        meant = f"; {text}x is so many iterations, {text}s so many seconds" if is_bare else ""
        raise ValueError(f"invalid duration{meant}") from None
    if time_ns <= 0:
        raise ValueError("invalid duration")
    return time_ns, None


def _run(name: str, function: BenchmarkFunction, options: Options) -> BenchmarkResult:
    events: list[Event] = []
    Runner(options, NameFilter(), events.append).run_benchmark(name, function)
    samples = []
    for event in events:
        if isinstance(event, Ended) and event.outcome == "parent":
            raise BenchmarkMisuseError(f"{name} has sub-benchmarks; measure each by itself")
        if isinstance(event, Ended):
            raise BenchmarkFailedError(name, event.log, event.outcome)
        if isinstance(event, Measured):
            samples.append(event.measurement)
    warnings = tuple(event.warning for event in events if isinstance(event, Warned))
    return BenchmarkResult(name, tuple(samples), warnings)


def _as_benchmark(function: Callable[..., Any]) -> BenchmarkFunction:
    if _takes_an_argument(function):
        return function
    if inspect.iscoroutinefunction(function):

        async def looping_async(b: Benchmark) -> None:
            for _ in b:
                await function()

        return looping_async

    def looping(b: Benchmark) -> None:
        for _ in b:
            function()

    return looping


def _takes_an_argument(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        # A built-in without a signature is an operation, not a benchmark function.
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(
        parameter.kind in positional and parameter.default is inspect.Parameter.empty
        for parameter in parameters
    )
