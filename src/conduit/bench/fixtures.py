"""Measuring inside tests: the fixture `bench`, and pytest-benchmark's fixture `benchmark` with the same results.

Nothing here needs pytest; the plugin creates the objects and records their measurements.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import sys
from dataclasses import replace
from itertools import repeat
from statistics import mean, median, stdev
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from conduit.bench.names import UniqueNames
from conduit.bench.result import BenchmarkResult, Measurement
from conduit.errors import BenchmarkMisuseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conduit.bench.result import MeasurementWarning

    Record = Callable[[Measurement], None]

MIN_ROUNDS = 6  # the fewest for which benchstat has an interval


class BenchFixture:
    """The fixture `bench`: `bench(function, …)` takes the arguments of `conduit.bench.benchmark`.

    In an async test a coroutine function is measured in the test's event loop: `result = await bench(function)`.
    """

    def __init__(self, test_name: str, benchtime: str, record: Record) -> None:
        self._test_name = test_name
        self._benchtime = benchtime
        self._record = record
        self._names = UniqueNames()

    def __call__(self, function: Callable[..., Any], *arguments: Any, name: str = "", **options: Any) -> Any:
        """Measure a function; return a `BenchmarkResult`, or an awaitable of one for a coroutine function in a loop.

        Raise `TypeError` for arguments of the function, which the fixtures of other plugins take.
        """
        if arguments:
            called = f"{getattr(function, '__name__', 'function')}(…)"
            raise TypeError(
                f"expected a function without arguments, found {len(arguments)} more: "
                f"write bench(lambda: {called})"
            )
        full_name = self._names.claim(self._test_name, name).removesuffix("/#00")
        options.setdefault("benchtime", self._benchtime)
        if inspect.iscoroutinefunction(function) and _has_running_loop():
            return self._measure_in_running_loop(function, full_name, options)
        return self._measure(function, full_name, options)

    def _measure(self, function: Callable[..., Any], name: str, options: dict[str, Any]) -> BenchmarkResult:
        from conduit.bench.api import benchmark

        result = benchmark(function, name=name, **options)
        for sample in _with_warnings(result.samples, result.common_warnings):
            self._record(sample)
        return result

    async def _measure_in_running_loop(
        self, function: Callable[..., Any], name: str, options: dict[str, Any]
    ) -> BenchmarkResult:
        from conduit.bench.run.measure import coroutines_run_in

        loop = asyncio.get_running_loop()

        def work() -> BenchmarkResult:
            with coroutines_run_in(loop):
                return self._measure(function, name, options)

        # The harness runs in a thread, and each call of the function in this loop, with what belongs to it.
        return await asyncio.to_thread(work)


def _has_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Statistics:
    """pytest-benchmark's `benchmark.stats`: seconds per round, as attributes and by name (`stats["mean"]`)."""

    def __init__(self, samples: Sequence[Measurement]) -> None:
        seconds = sorted(sample.ns_per_op / 1e9 for sample in samples)
        self.min: float = seconds[0]
        self.max: float = seconds[-1]
        self.mean: float = mean(seconds)
        self.median: float = median(seconds)
        self.stddev: float = stdev(seconds) if len(seconds) > 1 else 0.0
        self.rounds: int = len(seconds)
        self.iterations: int = samples[-1].n
        self.total: float = sum(seconds)
        self.q1: float
        self.q3: float
        self.q1, self.q3 = _quartiles(seconds)
        self.iqr: float = self.q3 - self.q1
        self.ops: float = 1 / self.mean if self.mean else math.inf
        self.data: list[float] = seconds

    @property
    def stats(self) -> Statistics:
        """The same object: pytest-benchmark's `benchmark.stats.stats`."""
        return self

    def __getitem__(self, name: str) -> Any:
        value = getattr(self, name, None)
        if name.startswith("_") or value is None:
            raise KeyError(name)
        return value


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    if len(ordered) == 1:
        return ordered[0], ordered[0]
    from statistics import quantiles

    first, _, third = quantiles(ordered, n=4, method="inclusive")
    return first, third


class PytestBenchmarkFixture:
    """pytest-benchmark's fixture `benchmark`, measured by this harness.

    `marker` has the keyword arguments of the mark `benchmark` (group, min_rounds, max_time, …). One measurement per
    test, as there.
    """

    def __init__(
        self,
        test_name: str,
        benchtime: str,
        record: Record,
        marker: Mapping[str, Any],
        params: Mapping[str, Any],
    ) -> None:
        self.name: str = test_name.removeprefix("Benchmark")
        self.fullname: str = test_name
        self.group: str | None = marker.get("group")
        self.params: dict[str, Any] | None = dict(params) or None
        self.extra_info: dict[str, Any] = {}
        self.stats: Statistics | None = None
        self.enabled: bool = True
        self._marker = marker
        self._benchtime = benchtime
        self._record = record
        self._undo: list[Callable[[], None]] = []

    @property
    def disabled(self) -> bool:
        """Whether functions are called without being measured."""
        return not self.enabled

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Measure `function(*args, **kwargs)` and return its result; usable as a decorator."""
        self._use()
        result = function(*args, **kwargs)  # its exceptions are the test's
        if not self.enabled:
            return result
        from conduit.bench.api import benchmark

        operation = (lambda: function(*args, **kwargs)) if args or kwargs else _without_parameters(function)
        rounds = max(int(self._marker.get("min_rounds", MIN_ROUNDS)), 1)
        measured = benchmark(
            operation, name=self.fullname, benchtime=self._round_time(rounds), count=rounds, gc="on"
        )
        self._finish(_with_warnings(measured.samples, measured.common_warnings))
        return result

    def _round_time(self, rounds: int) -> str:
        if self._benchtime.endswith("x"):
            return self._benchtime
        from conduit.bench.api import read_benchtime

        longest = self._marker.get("max_time")
        goal_ns = int(float(longest) * 1e9) if longest else read_benchtime(self._benchtime)[0]
        return f"{max(goal_ns // rounds, 1)}ns"

    def pedantic(
        self,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        setup: Callable[[], Any] | None = None,
        rounds: int = 1,
        warmup_rounds: int = 0,
        iterations: int = 1,
        teardown: Callable[..., None] | None = None,
    ) -> Any:
        """Measure exactly `rounds` times `iterations` calls; `setup` returns (args, kwargs) for each round or None."""
        if setup and iterations != 1:
            raise ValueError("pedantic: setup prepares one call, so iterations has to be 1")
        if setup and (args or kwargs):
            raise ValueError("pedantic: give the arguments either directly or by setup")
        if min(rounds, iterations) < 1:
            raise ValueError(f"pedantic: rounds={rounds}, iterations={iterations}: expected at least 1")
        from conduit.bench.run.machine import Watch

        self._use()
        result, samples = None, []
        watch = Watch()
        for index in range(-max(warmup_rounds, 0), rounds):
            given, named = (setup() if setup else None) or (args, kwargs or {})
            if iterations == 1:  # a loop around one call would add to its time
                begin = perf_counter_ns()
                result = target(*given, **named)
                elapsed = perf_counter_ns() - begin
            else:
                begin = perf_counter_ns()
                for _ in repeat(None, iterations):
                    result = target(*given, **named)
                elapsed = perf_counter_ns() - begin
            if teardown:
                teardown(*given, **named)
            if index >= 0:
                samples.append(Measurement(self.fullname, _processors(), iterations, elapsed))
        if self.enabled:
            self._finish(_with_warnings(samples, watch.warnings()))
        return result

    def weave(self, target: Callable[..., Any] | str, **options: Any) -> None:
        """Replace a function by its measurement until the test ends: the test's first call of it is measured."""
        owner, name = _owner_of(target)
        original = getattr(owner, name)

        def measured(*args: Any, **kwargs: Any) -> Any:
            if self._used or self._is_measuring:
                return original(*args, **kwargs)
            self._is_measuring = True
            try:
                return self(original, *args, **kwargs)
            finally:
                self._is_measuring = False

        setattr(owner, name, measured)
        self._undo.append(lambda: setattr(owner, name, original))

    patch = weave
    _used = False
    _is_measuring = False

    def _use(self) -> None:
        if self._used:
            raise BenchmarkMisuseError(
                f"{self.fullname}: the fixture benchmark was used twice in one test; write a test for each measurement"
            )
        self._used = True

    def _finish(self, samples: Sequence[Measurement]) -> None:
        self.stats = Statistics(samples)
        for sample in samples:
            self._record(sample)

    def close(self) -> None:
        """Undo `weave`."""
        while self._undo:
            self._undo.pop()()


def _with_warnings(
    samples: Sequence[Measurement], warnings: Sequence[MeasurementWarning]
) -> list[Measurement]:
    """Return the repetitions, the last with the warnings about all of them."""
    *others, last = samples
    return [*others, replace(last, warnings=(*last.warnings, *warnings))]


def _without_parameters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that takes no argument, so that it is an operation and no benchmark function."""
    return lambda: function()


def _processors() -> int:
    from conduit.bench.run.machine import processors

    return processors()


def _owner_of(target: Callable[..., Any] | str) -> tuple[Any, str]:
    if isinstance(target, str):
        from importlib import import_module

        path, _, name = target.rpartition(".")
        return import_module(path), name
    module = sys.modules.get(target.__module__)
    owner: Any = module
    *parts, name = target.__qualname__.split(".")
    for part in parts:
        owner = getattr(owner, part, None)
    if owner is None or not hasattr(owner, name):
        raise ValueError(f"weave: {target!r} is not a function of a module or class; give 'module.name'")
    return owner, name
