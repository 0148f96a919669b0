"""Benchmarks run in batches of n iterations, for processes that alternate with others.

`prepare` runs every benchmark once, which discovers and warms up the sub-benchmarks. A `Prepared` then runs one
benchmark any number of times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, cast

from conduit.bench.names import UniqueNames
from conduit.bench.run.events import Ended
from conduit.bench.run.loop import Benchmark
from conduit.bench.run.machine import processors
from conduit.bench.run.measure import Options, Run, call, count_allocations, count_instructions, count_peak
from conduit.bench.run.runner import attempt
from conduit.errors import BenchmarkMisuseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conduit.bench.names import NameFilter
    from conduit.bench.result import AllocationCount, MeasurementWarning
    from conduit.bench.run.loop import BenchmarkFunction, ChildRunner

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class BatchTiming:
    """The time of one batch: `n` iterations, wall time and the process's CPU time in nanoseconds."""

    n: int
    elapsed_ns: int
    cpu_ns: int
    metrics: Mapping[str, float]

    @property
    def ns_per_op(self) -> float:
        """Wall nanoseconds an iteration."""
        return self.elapsed_ns / self.n


class WorksElsewhereError(Exception):
    """The benchmark works in other processes, whose memory and bytecodes cannot be counted here."""

    works_elsewhere = True


@dataclass(frozen=True, slots=True)
class Prepared:
    """A benchmark without sub-benchmarks. `name`: full name without `-N`; `path`: names from the top level down."""

    name: str
    path: tuple[str, ...]
    function: BenchmarkFunction
    options: Options

    def run_batch(self, n: int) -> BatchTiming:
        """Run n iterations, with the set-up of the benchmark and its parents, and return their time.

        Raises what the benchmark raises, including the exceptions of `b.skip` and `b.fail`.
        """
        finished = self._run_at_path(lambda run: call(run, _new(run, n)))
        return BatchTiming(n, finished.elapsed_ns, finished.cpu_ns, dict(finished.metrics))

    def count_allocations(self) -> tuple[AllocationCount, tuple[MeasurementWarning, ...]]:
        """Count the allocations of one operation. Requires `allocations.unavailable_reason()` to be None.

        Raises `WorksElsewhereError`, as the other counts do.
        """
        return self._run_at_path(lambda run: count_allocations(run, _run_here(run)))

    def count_peak(self) -> int:
        """Return the most bytes that one operation holds at once. Requires the same as `count_allocations`."""
        return self._run_at_path(lambda run: count_peak(run, _run_here(run)))

    def count_bytecodes(self) -> int:
        """Count the bytecode instructions of one operation."""

        def count(run: Run) -> int:
            _run_here(run)
            return count_instructions(run)

        return self._run_at_path(count)

    def _run_at_path(self, work: Callable[[Run], _Answer]) -> _Answer:
        run = Run(self.path[0], self.function, self.options, threads=self.options.threads or processors())
        if len(self.path) == 1:
            return work(run)
        descent = _SubBenchmarkRunner(self.path, run, work)
        call(run, _new(run, 1, descent))
        return cast("_Answer", descent.answer())


class _SubBenchmarkRunner:
    """Runs a parent benchmark only to reach one sub-benchmark, and runs `work` on it."""

    def __init__(self, path: tuple[str, ...], run: Run, work: Callable[[Run], object]) -> None:
        self._path = path
        self._run = run
        self._work = work
        self._names = UniqueNames()
        self._answers: list[object] = []
        self._failure: BaseException | None = None

    def run_child(self, parent: Benchmark, name: str, function: BenchmarkFunction) -> bool:
        full_name = self._names.claim(parent.name, name)
        if full_name == self._path[1]:
            try:
                self._enter(replace(self._run, name=full_name, function=function))
            except BaseException as failure:
                # Kept, because the parent between us and the caller may handle exceptions of its own.
                self._failure = failure
        return True

    def _enter(self, run: Run) -> None:
        if len(self._path) == 2:
            self._answers.append(self._work(run))
            return
        descent = _SubBenchmarkRunner(self._path[1:], run, self._work)
        call(run, _new(run, 1, descent))
        self._answers.append(descent.answer())

    def answer(self) -> object:
        """Return the result of `work`, or raise its exception; `BenchmarkMisuseError` if it was not reached."""
        if self._failure is not None:
            raise self._failure
        if not self._answers:
            raise BenchmarkMisuseError(
                f"{self._path[1]}: its parent did not start it this time; "
                "the sub-benchmarks of a benchmark have to be the same in every run"
            )
        return self._answers[0]


def prepare(
    functions: Mapping[str, BenchmarkFunction], names: NameFilter, options: Options
) -> tuple[list[Prepared], list[Ended]]:
    """Run every selected benchmark once; return the measurable ones, and those that failed or skipped.

    `functions`: the result of `discover.load`.
    """
    ready: list[Prepared] = []
    ended: list[Ended] = []
    for name, function in functions.items():
        finder = _Discovery(names, function, options, (), ready, ended)
        finder.visit(name, function)
    return ready, ended


class _Discovery:
    def __init__(
        self,
        names: NameFilter,
        top: BenchmarkFunction,
        options: Options,
        above: tuple[str, ...],
        ready: list[Prepared],
        ended: list[Ended],
    ) -> None:
        self._names = names
        self._top = top
        self._options = options
        self._above = above
        self._ready = ready
        self._ended = ended
        self._unique = UniqueNames()

    def run_child(self, parent: Benchmark, name: str, function: BenchmarkFunction) -> bool:
        return self.visit(self._unique.claim(parent.name, name), function)

    def visit(self, name: str, function: BenchmarkFunction) -> bool:
        match = self._names.match(name)
        if not match.matches:
            return True
        run = Run(name, function, self._options, threads=self._options.threads or processors())
        path = (*self._above, name)
        below = _Discovery(self._names, self._top, self._options, path, self._ready, self._ended)
        first = _new(run, 1, below)
        outcome = attempt(run, lambda: call(run, first))
        if outcome != "done":
            self._ended.append(Ended(name, outcome, tuple(run.log_lines)))
        elif not first.has_children and not match.is_partial:
            self._ready.append(Prepared(name, path, self._top, self._options))
        return outcome != "failed"


def _run_here(run: Run) -> Benchmark:
    finished = call(run, _new(run, 1))
    if finished.works_elsewhere:
        raise WorksElsewhereError(run.name)
    return finished


def _new(run: Run, n: int, children: ChildRunner | None = None) -> Benchmark:
    return Benchmark(run.name, n, children=children, **run.settings())  # type: ignore[arg-type]
