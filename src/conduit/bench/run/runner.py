"""Runs the benchmarks of a file as `go test -bench` does, and emits events.

A benchmark function is first run with n = 1. If it starts sub-benchmarks in that run, it is only their parent;
otherwise it is measured `count` times for every number of processors before the next one starts. Progress is
passed as `Event` records to one function, so that text, JSON and another process see the same.
"""

from __future__ import annotations

import inspect
import os
import traceback
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from conduit.bench.declare import close_declared
from conduit.bench.names import UniqueNames
from conduit.bench.run.events import Ended, Measured, Measuring, Started, Warned
from conduit.bench.run.loop import (
    Benchmark,
    BenchmarkFailed,
    BenchmarkSkipped,
    is_harness_file,
)
from conduit.bench.run.machine import processors
from conduit.bench.run.measure import Run, call, measure, spread_warning
from conduit.control_characters import printable
from conduit.errors import BenchmarkMisuseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Literal

    from conduit.bench.names import NameFilter
    from conduit.bench.result import Measurement
    from conduit.bench.run.events import Event, Outcome
    from conduit.bench.run.loop import BenchmarkFunction
    from conduit.bench.run.measure import Options


class RunTimedOut(BaseException):
    """The whole run took longer than it may; raised in the main thread."""


class Runner:
    """Runs benchmark functions by name, tells `emit` what happens, and remembers whether anything failed."""

    def __init__(self, options: Options, names: NameFilter, emit: Callable[[Event], None]) -> None:
        self.options = options
        self.names = names
        self.emit = emit
        self.has_failed: bool = False
        self.has_measured: bool = False

    def run_benchmark(self, name: str, function: BenchmarkFunction) -> bool:
        """Run a top-level benchmark if it is selected; return False if it or a sub-benchmark failed."""
        match = self.names.match(name)
        if not match.matches or self._stops_here():
            return True
        try:
            return self._execute(name, function, only_as_parent=match.is_partial)
        finally:
            close_declared(function)

    def _stops_here(self) -> bool:
        return self.has_failed and self.options.fail_fast

    def _execute(self, name: str, function: BenchmarkFunction, only_as_parent: bool) -> bool:
        self.emit(Started(name))
        run = Run(name, function, self.options, threads=self.options.threads or processors())
        children = _Children(self)
        first = Benchmark(name, 1, children=children, **run.settings())  # type: ignore[arg-type]
        outcome: Outcome | Literal["done"] = attempt(run, lambda: call(run, first))
        if outcome == "done" and (first.has_children or only_as_parent):
            outcome = "parent"
        if outcome != "done":
            return self._end(run, outcome, children)
        return self._repeat(run, first)

    def _end(self, run: Run, outcome: Outcome, children: _Children) -> bool:
        if outcome == "failed":
            self.has_failed = True
        self.emit(Ended(run.name, outcome, tuple(run.log_lines)))
        return outcome != "failed" and not children.has_failed

    def _repeat(self, run: Run, first: Benchmark) -> bool:
        self.emit(Measuring(run.name))
        went_well = True
        for position, count in enumerate(self.options.processor_list()):
            threads = self.options.threads or count
            measurements: list[Measurement] = []
            with _only_processors(count if self.options.processors else None):
                for repetition in range(self.options.count):
                    known = first if position == 0 and repetition == 0 else None
                    this = replace(run, threads=threads, log_lines=run.log_lines if known else [])
                    measurement = self._measure_once(this, known, count)
                    if measurement is None:
                        went_well = False
                    else:
                        measurements.append(measurement)
            warning = spread_warning(measurements)
            if warning is not None:
                self.emit(Warned(run.name, count, warning))
        return went_well

    def _measure_once(self, run: Run, first: Benchmark | None, count: int) -> Measurement | None:
        measured: list[Measurement] = []

        def work() -> None:
            start = first
            if start is None or start.threads != run.threads:
                start = call(run, Benchmark(run.name, 1, **run.settings()))  # type: ignore[arg-type]
            measured.append(measure(run, start, count))

        outcome = attempt(run, work)
        if outcome == "done":
            self.has_measured = True
            self.emit(Measured(measured[0]))
            return measured[0]
        self.has_failed = self.has_failed or outcome == "failed"
        self.emit(Ended(run.name, outcome, tuple(run.log_lines), processors=count))
        return None


class _Children:
    """Runs the sub-benchmarks that one parent names in its first run."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._names = UniqueNames()
        self.has_failed = False

    def run_child(self, parent: Benchmark, name: str, function: BenchmarkFunction) -> bool:
        full_name = self._names.claim(parent.name, name)
        match = self._runner.names.match(full_name)
        if not match.matches or self._runner._stops_here():
            return True
        _refuse_nested_event_loop(full_name, function)
        was_running = parent._running
        parent.stop_timer()
        went_well = self._runner._execute(full_name, function, only_as_parent=match.is_partial)
        if was_running:
            parent.start_timer()
        self.has_failed = self.has_failed or not went_well
        return went_well


def _refuse_nested_event_loop(name: str, function: BenchmarkFunction) -> None:
    if not inspect.iscoroutinefunction(function):
        return
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise BenchmarkMisuseError(
        f"{name}: an async sub-benchmark needs an event loop of its own, and its parent runs in one already; "
        "declare the parent with `def`, without `async`"
    )


def attempt(run: Run, work: Callable[[], object]) -> Literal["done", "failed", "skipped"]:
    """Run `work` and return how it ended; failures go to the benchmark's log. Ctrl-C and time-outs propagate."""
    try:
        work()
    except BenchmarkSkipped:
        return "skipped"
    except BenchmarkFailed:
        return "failed"
    except BenchmarkMisuseError as error:
        run.log_lines.append(f"    {error}")
        return "failed"
    except (KeyboardInterrupt, RunTimedOut):
        raise
    except BaseException as error:
        # Everything else is this benchmark's own: sys.exit, a cancelled task, another tool's way to skip.
        run.log_lines.extend(traceback_lines(error))
        return "failed"
    return "done"


def traceback_lines(error: BaseException) -> list[str]:
    """Return an error's traceback as log lines, without the outer frames of the harness and of importing."""
    frames: TracebackType | None = error.__traceback__
    while frames is not None and _is_above_the_benchmark(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames))
    return ["    " + line for line in printable(text.rstrip("\n")).split("\n")]


def _is_above_the_benchmark(filename: str) -> bool:
    return is_harness_file(filename) or filename.startswith("<frozen importlib")


@contextmanager
def _only_processors(count: int | None) -> Iterator[None]:
    """Restrict this thread, and those it starts, to the first `count` of its processors."""
    if count is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
