"""A whole run: every file of a plan, its benchmarks in order, isolated or not, until the end, a time-out or Ctrl-C."""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
import traceback
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from conduit.bench.names import NameFilter
from conduit.bench.result import BenchmarkResult
from conduit.bench.run.discover import PATTERN, load, packages_from_elsewhere
from conduit.bench.run.events import Ended, Measured, Started
from conduit.bench.run.machine import machine_warnings
from conduit.bench.run.measure import Options
from conduit.bench.run.runner import Runner, RunTimedOut, traceback_lines
from conduit.units import format_duration

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from conduit.bench.result import Measurement, MeasurementWarning
    from conduit.bench.run.discover import BenchmarkFile
    from conduit.bench.run.events import Event
    from conduit.bench.run.loop import BenchmarkFunction
    from conduit.bench.run.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `timeout_ns` of 0 is no limit; `listed` is set where only names are wanted."""

    files: tuple[BenchmarkFile, ...]
    paths: tuple[str, ...] = ()
    bench: str = "."
    skip: str = ""
    options: Options = field(default_factory=Options)
    is_isolated: bool = False
    shuffle_seed: int | None = None
    timeout_ns: int = 0
    listed: re.Pattern[str] | None = None


class CountCheck(Protocol):
    """Looks at a measurement's counts from outside this process."""

    def check(self, file: BenchmarkFile, measurement: Measurement) -> MeasurementWarning | None:
        """Return a warning about the counts, or None."""


class Session:
    """Runs a plan, prints it as a transcript, and keeps every measurement."""

    def __init__(
        self,
        plan: Plan,
        transcript: Transcript,
        show_progress: Callable[[str], None],
        count_check: CountCheck | None = None,
        notify: Callable[[str], None] = lambda text: None,
        count_instructions: Callable[[BenchmarkFile, Measurement], float | MeasurementWarning] | None = None,
    ) -> None:
        self._notify = notify
        self._count_instructions = count_instructions
        self._plan = plan
        self._count_check = count_check
        self._transcript = transcript
        self._show_progress = show_progress
        self._names = NameFilter(plan.bench, plan.skip)
        self._measurements: list[tuple[str, Measurement]] = []
        self._running = ""
        self._passed = True
        self._has_skipped = False

    def run(self, surroundings: Sequence[AbstractContextManager[object]] = ()) -> bool:
        """Run everything; return whether nothing failed.

        `surroundings` are entered around all benchmarks, once the files are loaded. Ctrl-C goes on to the
        caller after what was measured is printed.
        """
        loaded = self._load_all()
        if self._plan.listed is not None:
            self._list(loaded)
            return self._passed
        if self._plan.shuffle_seed is not None:
            self._transcript.line(f"-test.shuffle {self._plan.shuffle_seed}")
        if loaded:
            self._transcript.warn(machine_warnings())
        with ExitStack() as stack:
            for surrounding in surroundings:
                stack.enter_context(surrounding)
            with _time_limit(self._plan.timeout_ns):
                self._run_files(loaded)
        if not self._passed:
            self._transcript.line("FAIL")
        return self._passed

    def results(self) -> list[BenchmarkResult]:
        """Everything that was measured, by file and name, in the order of measuring.

        Repetitions with different numbers of processors are results of their own.
        """
        groups: dict[tuple[str, str, int], list[Measurement]] = {}
        for package, measurement in self._measurements:
            groups.setdefault((package, measurement.name, measurement.processors), []).append(measurement)
        return [BenchmarkResult(name, tuple(samples)) for (_, name, _), samples in groups.items()]

    @property
    def has_run_nothing(self) -> bool:
        """Whether there were files, and no benchmark in them that the filters let through."""
        ran = self._measurements or self._has_skipped
        return bool(self._plan.files) and self._plan.listed is None and not ran

    def _load_all(self) -> list[tuple[BenchmarkFile, dict[str, BenchmarkFunction]]]:
        loaded = []
        for file in self._plan.files:
            try:
                loaded.append((file, load(file)))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self._refuse(file, error)
        for root in dict.fromkeys(file.root for file, _ in loaded):
            for name, folder in packages_from_elsewhere(root):
                self._notify(
                    f"{name} was imported from {folder}, not from {root}: to measure the working copy, install it "
                    "with pip install -e . or set PYTHONPATH"
                )
        for path in self._plan.paths:
            # A folder of the command line without any benchmark file, as Go says it of a package.
            if not any(_is_under(file.path, path) for file in self._plan.files):
                self._transcript.line(f"?   \t{path}\t[no {PATTERN} files]")
        return loaded

    def _refuse(self, file: BenchmarkFile, error: BaseException) -> None:
        self._passed = False
        print(f"# {file.package}", file=sys.stderr)
        print("\n".join(line[4:] for line in traceback_lines(error)), file=sys.stderr)
        self._transcript.refuse_package(file.package, "import failed")

    def _list(self, loaded: list[tuple[BenchmarkFile, dict[str, BenchmarkFunction]]]) -> None:
        assert self._plan.listed is not None
        for file, functions in loaded:
            begin = time.perf_counter()
            self._transcript.begin_package(file.package, [], [])
            selected = self._select(functions)
            names = [name for name in selected if self._plan.listed.search(name)]
            self._transcript.list_names(names, time.perf_counter() - begin)

    def _run_files(self, loaded: list[tuple[BenchmarkFile, dict[str, BenchmarkFunction]]]) -> None:
        for number, (file, functions) in enumerate(loaded, 1):
            if not self._passed and self._plan.options.fail_fast:
                break
            self._run_file(file, functions, is_last=number == len(loaded))
        self._transcript.print_held_warnings()

    def _run_file(
        self, file: BenchmarkFile, functions: dict[str, BenchmarkFunction], *, is_last: bool
    ) -> None:
        selected = self._select(functions)
        self._transcript.begin_package(
            file.package, list(selected), self._plan.options.processor_list(), is_last=is_last
        )
        begin = time.perf_counter()

        def emit(event: Event) -> None:
            self._take(file.package, self._checked(file, event))

        try:
            passed = self._run_benchmarks(file, selected, emit)
        except KeyboardInterrupt:
            self._transcript.interrupt_package("signal: interrupt", time.perf_counter() - begin)
            raise
        except RunTimedOut as timeout:
            self._passed = False
            emit(Ended(self._running or file.package, "failed", tuple(_where(timeout))))
            self._transcript.end_package(False, time.perf_counter() - begin)
            return
        self._passed = self._passed and passed
        self._transcript.end_package(passed, time.perf_counter() - begin)

    def _select(self, functions: dict[str, BenchmarkFunction]) -> dict[str, BenchmarkFunction]:
        names = [name for name in functions if self._names.match(name).matches]
        if self._plan.shuffle_seed is not None:
            random.Random(self._plan.shuffle_seed).shuffle(names)
        return {name: functions[name] for name in names}

    def _run_benchmarks(
        self, file: BenchmarkFile, functions: dict[str, BenchmarkFunction], emit: Callable[[Event], None]
    ) -> bool:
        plan = self._plan
        runner = Runner(plan.options, self._names, emit)
        passed = True
        for name, function in functions.items():
            if plan.is_isolated:
                from conduit.bench.run.isolation import run_isolated

                self._running = name
                self._show_progress(f"{name} (isolated)")
                passed = run_isolated(file, name, plan.bench, plan.skip, plan.options, emit) and passed
            else:
                passed = runner.run_benchmark(name, function) and passed
            if not passed and plan.options.fail_fast:
                break
        return passed

    def _checked(self, file: BenchmarkFile, event: Event) -> Event:
        if not isinstance(event, Measured):
            return event
        measurement = event.measurement
        if self._count_check is not None:
            measurement = _with_warning(measurement, self._count_check.check(file, measurement))
        if self._count_instructions is not None:
            counted = self._count_instructions(file, measurement)
            if isinstance(counted, float):
                metrics = {**measurement.metrics, "instructions/op": counted}
                measurement = replace(measurement, metrics=metrics)
            else:
                measurement = _with_warning(measurement, counted)
        return Measured(measurement)

    def _take(self, package: str, event: Event) -> None:
        if isinstance(event, Started):
            self._running = event.name
            self._show_progress(event.name)
        elif isinstance(event, Measured):
            self._measurements.append((package, event.measurement))
        elif isinstance(event, Ended) and event.outcome == "skipped":
            self._has_skipped = True
        self._transcript.tell(event)


def _with_warning(measurement: Measurement, warning: MeasurementWarning | None) -> Measurement:
    if warning is None:
        return measurement
    return replace(measurement, warnings=(*measurement.warnings, warning))


def _is_under(file: Path, path: str) -> bool:
    return file.is_relative_to(Path(path).resolve())


def _where(timeout: RunTimedOut) -> list[str]:
    stack = traceback.format_tb(timeout.__traceback__)
    lines = "".join(stack).rstrip("\n").split("\n")
    return [f"    {timeout}; it was here:", *("    " + line for line in lines)]


@contextmanager
def _time_limit(limit_ns: int) -> Iterator[None]:
    """Raise `RunTimedOut` in the main thread after the limit; uses SIGALRM until it ends."""
    can_limit = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if limit_ns <= 0 or not can_limit:
        yield
        return

    def expire(number: int, frame: object) -> None:
        raise RunTimedOut(f"timed out after {format_duration(limit_ns)} (-timeout)")

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, limit_ns / 1e9)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
