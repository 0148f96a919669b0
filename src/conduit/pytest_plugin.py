"""The pytest plugin: the fixture `bench`, and `bench_*.py` files as tests.

    def test_lookup_is_quick(bench):
        result = bench(lambda: registry.resource("Post"))
        assert result.allocs_per_op == 0

A benchmark file is a smoke test: each of its benchmarks runs one iteration, with `b.short` set. With `--bench`
each is measured as `conduit bench -benchmem` does. What was measured stands at the end of the run, and in each
test's report (and so in a JUnit file) as properties named `benchmark`, whose values are lines of Go's format.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conduit.bench.result import BenchmarkResult, Measurement
    from conduit.bench.run.loop import BenchmarkFunction

PROPERTY = "benchmark"
TEST_BENCHTIME = "100ms"

_log = logging.getLogger("conduit.bench")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("conduit", "benchmarks (conduit)")
    group.addoption("--bench", action="store_true", help="measure the benchmarks of bench_*.py files")
    group.addoption(
        "--benchtime",
        default=None,
        metavar="1s|100x",
        help=f"how long each is measured (default 1s with --bench; {TEST_BENCHTIME} for the fixture)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a wrong `--benchtime` before anything is collected."""
    text = config.getoption("--benchtime")
    if text is not None:
        from conduit.bench.api import read_benchtime

        try:
            read_benchtime(text)
        except ValueError as error:
            raise pytest.UsageError(f'invalid value "{text}" for --benchtime: {error}') from None


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Callable[..., BenchmarkResult]:
    """Measure a function inside a test: `bench(function, …)` takes what `conduit.bench.benchmark` takes."""
    from conduit.bench.api import benchmark
    from conduit.bench.names import UniqueNames, go_name

    names = UniqueNames()
    default_time = request.config.getoption("--benchtime") or TEST_BENCHTIME
    test = go_name("bench_" + request.node.name.removeprefix("test_"))

    def measure(function: Callable[..., Any], *, name: str = "", **options: Any) -> BenchmarkResult:
        full_name = names.claim(test, name).removesuffix("/#00")
        options.setdefault("benchtime", default_time)
        result = benchmark(function, name=full_name, **options)
        for sample in result.samples:
            _record(request.node, sample)
        return result

    return measure


def _record(item: pytest.Item, measurement: Measurement) -> None:
    from conduit.bench.text.writer import format_measurement

    line = format_measurement(measurement, 0)
    item.user_properties.append((PROPERTY, line))
    _log.info("%s", line.replace("\t", " "))
    for warning in measurement.warnings:
        _log.warning("%s: %s", measurement.name, warning)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect `bench_*.py` files."""
    if file_path.suffix == ".py" and file_path.name.startswith("bench_"):
        return BenchmarkModule.from_parent(parent, path=file_path)
    return None


class BenchmarkModule(pytest.File):
    """A file of benchmarks."""

    def collect(self) -> Iterator[pytest.Item]:
        """An item for each benchmark function; an import that fails is the file's own error."""
        from conduit.bench.run.discover import find_files, load

        [file] = find_files([self.path])
        for name, function in load(file).items():
            yield BenchmarkItem.from_parent(self, name=name, function=function)


class BenchmarkItem(pytest.Item):
    """One top-level benchmark with its sub-benchmarks: one iteration, or measured with `--bench`."""

    def __init__(self, *, function: BenchmarkFunction, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._function = function

    def runtest(self) -> None:
        """Run the benchmark; fails or is skipped as it is."""
        from conduit.bench.names import NameFilter
        from conduit.bench.run.events import Ended, Event, Measured
        from conduit.bench.run.runner import Runner

        events: list[Event] = []
        Runner(self._options(), NameFilter(), events.append).run_benchmark(self.name, self._function)
        ended = [event for event in events if isinstance(event, Ended)]
        failures = [event for event in ended if event.outcome == "failed"]
        if failures:
            raise BenchmarkItemFailed("\n".join("\n".join([event.name, *event.log]) for event in failures))
        measurements = [event.measurement for event in events if isinstance(event, Measured)]
        if not measurements and any(event.outcome == "skipped" for event in ended):
            reason = "; ".join(line.strip() for event in ended for line in event.log) or "skipped"
            raise pytest.skip.Exception(reason, _use_item_location=True)
        if self.config.getoption("--bench"):
            for measurement in measurements:
                _record(self, measurement)

    def _options(self) -> Any:
        from conduit.bench.api import read_benchtime
        from conduit.bench.run.measure import Options

        if not self.config.getoption("--bench"):
            return Options(iterations=1, short=True)
        goal_ns, iterations = read_benchtime(self.config.getoption("--benchtime") or "1s")
        return Options(goal_ns=goal_ns, iterations=iterations, counts_allocations=True)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The benchmark's own log is the failure, without the plugin's frames."""
        if isinstance(excinfo.value, BenchmarkItemFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the benchmark is."""
        code = getattr(self._function, "__code__", None)
        return self.path, code.co_firstlineno - 1 if code else None, self.name


class BenchmarkItemFailed(Exception):  # noqa: N818 (pytest's word for it)
    """A benchmark failed; the text is its log."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was measured, in the order of the tests."""
    reports = [report for group in ("passed", "failed") for report in terminalreporter.stats.get(group, ())]
    lines = [value for report in reports for name, value in report.user_properties if name == PROPERTY]
    if not lines:
        return
    from conduit.bench.text.writer import align_lines

    terminalreporter.write_sep("=", "benchmarks")
    for line in align_lines(lines):
        terminalreporter.write_line(line)
