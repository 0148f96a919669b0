"""The pytest plugin: the fixture `bench`, and, where asked for, `bench_*.py` files as tests.

    def test_lookup_is_quick(bench):
        result = bench(lambda: registry.resource("Post"))
        assert result.allocs_per_op == 0

With `--conduit-bench`, or `conduit_bench = true` among pytest's settings, benchmark files are collected: each of their
benchmarks is a smoke test of one iteration, with `b.short` set. With `--bench` each is measured as `conduit bench
-benchmem` does. Without either no such file is imported: other tools' files have the same names.

With `--conduit-benchmark`, or `conduit_benchmark = true`, the plugin provides pytest-benchmark's fixture `benchmark`.

Measurements are printed at the end of the run, with their warnings, written by `--bench-out=FILE`, and are properties
named `benchmark` of each test's report (and so of a JUnit file), whose values are lines of Go's format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conduit.bench.fixtures import BenchFixture, PytestBenchmarkFixture
    from conduit.bench.result import Measurement
    from conduit.bench.run.loop import Benchmark, BenchmarkFunction

PROPERTY = "benchmark"
WARNING_PROPERTY = "benchmark-warning"
TEST_BENCHTIME = "100ms"
MAX_LINES_SHOWN = 20
"""More repetitions of one benchmark (rounds of `benchmark.pedantic`) are one line on the terminal."""

_PYTEST_BENCHMARK = ("benchmark", "pytest_benchmark.plugin")  # by its entry point, and by -p
# Options of pytest-benchmark that the fixture in its place does not follow, and what to use.
_OPTIONS_WITHOUT_EFFECT = {
    "benchmark_json": "--bench-out=FILE",
    "benchmark_save": "--bench-out=FILE",
    "benchmark_autosave": "--bench-out=FILE",
    "benchmark_compare": "`conduit benchstat old.txt new.txt`",
    "benchmark_compare_fail": "`conduit benchstat -gate old.txt new.txt`",
    "benchmark_histogram": "`conduit history -html=history.html`",
    "benchmark_csv": "`conduit benchstat -format=csv FILE`",
    "benchmark_cprofile": "`conduit run -cpuprofile=cpu.prof -m pytest`",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options and settings."""
    group = parser.getgroup("conduit", "benchmarks (conduit)")
    group.addoption(
        "--conduit-bench",
        action="store_true",
        help="collect bench_*.py files: each benchmark runs one iteration",
    )
    group.addoption(
        "--bench", action="store_true", help="collect bench_*.py files and measure their benchmarks"
    )
    group.addoption(
        "--benchtime",
        default=None,
        metavar="1s|100x",
        help=f"how long each is measured (default 1s with --bench; {TEST_BENCHTIME} for the fixtures)",
    )
    group.addoption(
        "--bench-out", default=None, metavar="FILE", help="write measurements as Go's benchmark text"
    )
    group.addoption(
        "--bench-seeds",
        type=int,
        default=None,
        metavar="N",
        help="count B/op and allocs/op of tests again under N other hash seeds (default 2; 0: not at all)",
    )
    group.addoption(
        "--conduit-benchmark",
        action="store_true",
        help="provide pytest-benchmark's fixture `benchmark` (also in place of that plugin)",
    )
    parser.addini("conduit_bench", "collect bench_*.py files", type="bool", default=False)
    parser.addini("conduit_benchmark", "provide pytest-benchmark's fixture", type="bool", default=False)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse a wrong `--benchtime` before anything is collected; provide the fixture `benchmark` if asked for."""
    text = config.getoption("--benchtime")
    if text is not None:
        from conduit.bench.api import read_benchtime

        try:
            read_benchtime(text)
        except ValueError as error:
            raise pytest.UsageError(f'invalid value "{text}" for --benchtime: {error}') from None
    if config.getoption("--conduit-benchmark") or config.getini("conduit_benchmark"):
        config.addinivalue_line(
            "markers", "benchmark: options of one measurement, as pytest-benchmark has them"
        )
        # pytest-benchmark refuses a fixture of that name which is not its own; its options stay known.
        for name in _PYTEST_BENCHMARK:
            if config.pluginmanager.has_plugin(name):
                config.pluginmanager.unregister(name=name)
        config.pluginmanager.register(_BenchmarkFixturePlugin(config), "conduit-benchmark")


def _collects_files(config: pytest.Config) -> bool:
    return bool(
        config.getoption("--conduit-bench") or config.getoption("--bench") or config.getini("conduit_bench")
    )


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> BenchFixture:
    """Measure a function inside a test: `bench(function, …)` takes what `conduit.bench.benchmark` takes."""
    from conduit.bench.fixtures import BenchFixture

    return BenchFixture(_test_name(request.node), _benchtime(request.config), _recorder(request.node))


class _BenchmarkFixturePlugin:
    """pytest-benchmark's fixtures, in place of that plugin's, whose options it follows where they choose tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._skips = bool(config.getoption("benchmark_skip", False))
        self._only = bool(config.getoption("benchmark_only", False))
        disabled = config.getoption("benchmark_disable", False)
        self._is_enabled = not disabled or bool(config.getoption("benchmark_enable", False))

    @pytest.hookimpl
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Skip tests as `--benchmark-only` and `--benchmark-skip` say."""
        for item in items:
            measures = "benchmark" in getattr(item, "fixturenames", ())
            if self._only and not measures:
                item.add_marker(pytest.mark.skip(reason="no benchmark (--benchmark-only)"))
            elif self._skips and measures and not self._only:
                item.add_marker(pytest.mark.skip(reason="a benchmark (--benchmark-skip)"))

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """Name the options of pytest-benchmark that have no effect here."""
        for option, instead in _OPTIONS_WITHOUT_EFFECT.items():
            if config.getoption(option, None):
                name = "--" + option.replace("_", "-")
                terminalreporter.write_line(
                    f"warning: {name} has no effect with conduit_benchmark; use {instead}", yellow=True
                )

    @pytest.fixture
    def benchmark_weave(self, benchmark: PytestBenchmarkFixture) -> Any:
        """pytest-benchmark's fixture for `benchmark.weave`."""
        return benchmark.weave

    @pytest.fixture
    def benchmark(self, request: pytest.FixtureRequest) -> Iterator[PytestBenchmarkFixture]:
        """pytest-benchmark's fixture: `benchmark(function, *args)`, `benchmark.pedantic(…)`, `benchmark.stats`."""
        from conduit.bench.fixtures import PytestBenchmarkFixture

        marker = request.node.get_closest_marker("benchmark")
        fixture = PytestBenchmarkFixture(
            _test_name(request.node),
            _benchtime(request.config),
            _recorder(request.node),
            marker.kwargs if marker else {},
            _parameters(request.node),
        )
        fixture.enabled = self._is_enabled
        yield fixture
        fixture.close()
        if fixture.extra_info:
            request.node.user_properties.append(("benchmark-extra-info", repr(fixture.extra_info)))


def _benchtime(config: pytest.Config) -> str:
    return config.getoption("--benchtime") or TEST_BENCHTIME


def _test_name(item: Any) -> str:
    """Return the benchmark's name of a test: `BenchmarkTestClass/test_name/n=10`.

    Without a class it is `BenchmarkName/n=10`.
    """
    from conduit.bench.names import PREFIX, go_name, rewrite

    function = getattr(item, "originalname", None) or item.name
    classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    if classes:
        name = PREFIX + "/".join([*classes, function])
    else:
        name = go_name("bench_" + function.removeprefix("test_"))
    return "/".join([name, *(rewrite(f"{key}={value}") for key, value in _parameters(item).items())])


def _parameters(item: Any) -> dict[str, Any]:
    """Return a test's parameters; one whose text would not name it is given pytest's id."""
    specification = getattr(item, "callspec", None)
    if specification is None:
        return {}
    plain = (str, int, float, bool, type(None))
    parameters = specification.params
    if all(isinstance(value, plain) for value in parameters.values()):
        return {key: str(value).replace("/", "_") for key, value in parameters.items()}
    return {",".join(parameters): specification.id.replace("/", "_")}


def _recorder(item: pytest.Item) -> Callable[[Measurement], None]:
    return lambda measurement: _record(item, measurement)


def _record(item: pytest.Item, measurement: Measurement) -> None:
    import logging

    from conduit.bench.text.writer import format_measurement

    log = logging.getLogger("conduit.bench")
    line = format_measurement(measurement, 0)
    item.user_properties.append((PROPERTY, line))
    log.info("%s", line.replace("\t", " "))
    for warning in measurement.warnings:
        name = line.partition("\t")[0].rstrip()
        item.user_properties.append((WARNING_PROPERTY, f"{name} {warning.code}: {warning}"))
        log.warning("%s: %s", measurement.name, warning)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect `bench_*.py` files where asked for."""
    if file_path.suffix == ".py" and file_path.name.startswith("bench_") and _collects_files(parent.config):
        return BenchmarkModule.from_parent(parent, path=file_path)
    return None


class BenchmarkModule(pytest.Module):
    """A file of benchmarks."""

    def _getobj(self) -> Any:
        from conduit.bench.run.discover import find_files, import_file

        [file] = find_files([self.path])
        try:
            return import_file(file)
        except Exception as error:
            raise self.CollectError("".join(_traceback(error))) from None

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each benchmark function; an import that fails is the file's own error."""
        from conduit.bench.run.discover import benchmark_functions

        self.session._fixturemanager.parsefactories(self)
        for name, function in benchmark_functions(self.obj).items():
            yield BenchmarkItem.from_parent(
                self, name=name, callobj=_fixtures_only(function), function=function
            )


def _traceback(error: BaseException) -> list[str]:
    import traceback

    return traceback.format_exception(error)


def _fixtures_only(function: BenchmarkFunction) -> Callable[..., None]:
    """Return a function with the parameters that pytest's fixtures fill: all but `b`."""
    import inspect

    def takes_fixtures(**fixtures: Any) -> None:
        """Stand in for the benchmark while pytest looks for fixtures."""

    parameters = list(inspect.signature(function).parameters.values())[1:]
    takes_fixtures.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return takes_fixtures


class BenchmarkItem(pytest.Function):
    """A top-level benchmark with its sub-benchmarks: one iteration, or measured with `--bench`."""

    def __init__(self, *, function: BenchmarkFunction, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._function = function

    def runtest(self) -> None:
        """Run the benchmark; fail or skip as it does."""
        from conduit.bench.names import NameFilter
        from conduit.bench.run.events import Ended, Event, Measured
        from conduit.bench.run.runner import Runner

        events: list[Event] = []
        Runner(self._options(), NameFilter(), events.append).run_benchmark(self.name, self._with_fixtures())
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

    def _with_fixtures(self) -> BenchmarkFunction:
        import inspect

        function = self._function
        names = list(inspect.signature(function).parameters)[1:]
        values = {name: self.funcargs[name] for name in names}
        if not values:
            return function
        if inspect.iscoroutinefunction(function):

            async def awaited(b: Benchmark) -> None:
                await function(b, **values)

            return awaited
        return lambda b: function(b, **values)

    def _options(self) -> Any:
        from conduit.bench.api import read_benchtime
        from conduit.bench.run.measure import Options

        if not self.config.getoption("--bench"):
            return Options(iterations=1, short=True)
        goal_ns, iterations = read_benchtime(self.config.getoption("--benchtime") or "1s")
        return Options(goal_ns=goal_ns, iterations=iterations, counts_allocations=True)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the benchmark's own log, without the plugin's frames."""
        if isinstance(excinfo.value, BenchmarkItemFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the benchmark's file, line (from 0) and name."""
        code = getattr(self._function, "__code__", None)
        return self.path, code.co_firstlineno - 1 if code else None, self.name


class BenchmarkItemFailed(Exception):  # noqa: N818 (pytest's word for it)
    """A benchmark failed; the text is its log."""


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the measurements, by file and in the order of the tests; write them to `--bench-out`."""
    reports = [report for group in ("passed", "failed") for report in terminalreporter.stats.get(group, ())]
    by_file: dict[str, list[str]] = {}
    warnings: list[str] = []
    for report in reports:
        for name, value in report.user_properties:
            if name == PROPERTY:
                by_file.setdefault(report.nodeid.partition("::")[0].removesuffix(".py"), []).append(value)
            elif name == WARNING_PROPERTY:
                warnings.append(value)
    if not by_file:
        return
    from conduit.bench.text.writer import align_lines

    shown = {package: _lines_to_show(lines) for package, lines in by_file.items()}
    aligned = iter(align_lines([line for lines in shown.values() for line, _ in lines]))
    terminalreporter.write_sep("=", "benchmarks")
    for package, lines in shown.items():
        terminalreporter.write_line(f"pkg: {package}")
        for _, remark in lines:
            terminalreporter.write_line(next(aligned) + remark)
    for text in _grouped([*warnings, *_seed_warnings(config, reports)]):
        terminalreporter.write_line(text, yellow=True)
    if getattr(config.option, "numprocesses", None):
        terminalreporter.write_line(
            "warning: measured in several processes at once (pytest-xdist), which disturb one another; use -n0",
            yellow=True,
        )
    if config.getoption("--bench-out"):
        _write_text(config.getoption("--bench-out"), by_file)


def _seed_warnings(config: pytest.Config, reports: list[Any]) -> list[str]:
    """Return warnings about counts of the fixtures that differ under other hash seeds, as `_grouped` takes them."""
    seeds = config.getoption("--bench-seeds")
    measuring = [report for report in reports if any(name == PROPERTY for name, _ in report.user_properties)]
    tests = [report for report in measuring if report.passed and "/bench_" not in "/" + report.nodeid]
    if seeds == 0 or not tests:
        return []
    from conduit.bench import fixture_seeds

    own = {}
    for report in tests:
        package = report.nodeid.partition("::")[0].removesuffix(".py")
        lines = [value for name, value in report.user_properties if name == PROPERTY]
        own.update(fixture_seeds.counts_of_text([f"pkg: {package}", *lines]))
    if not own or not fixture_seeds.has_own_seed():
        return []
    duration_s = sum(report.duration for report in tests)
    if seeds is None and duration_s > fixture_seeds.MAX_TESTS_S:
        from conduit.bench.against.seeds import unchecked_warning

        reason = f"the tests took {duration_s:.0f} s, and would run again"
        found = dict.fromkeys(own, unchecked_warning(reason, "--bench-seeds=2 does so"))
    else:
        repetition = fixture_seeds.Repetition(
            _arguments_again(config),
            list(dict.fromkeys(report.nodeid for report in tests)),
            config.rootpath,
            fixture_seeds.LEAST_TIMEOUT_S + 3 * duration_s,
        )
        found = fixture_seeds.check_counts(own, repetition, 2 if seeds is None else seeds)
    return [f"{name.partition(':')[2]} {warning.code}: {warning}" for name, warning in found.items()]


def _arguments_again(config: pytest.Config) -> list[str]:
    """Return what another pytest needs to run the same tests: settings, plugins, and our own switches."""
    arguments = [f"--rootdir={config.rootpath}"]
    if config.inipath is not None:
        arguments += ["-c", str(config.inipath)]
    for plugin in config.option.plugins:
        arguments += ["-p", plugin]
    if config.getoption("--conduit-benchmark"):
        arguments.append("--conduit-benchmark")
    return arguments


def _lines_to_show(lines: list[str]) -> list[tuple[str, str]]:
    """Return each line with a remark; of more than `MAX_LINES_SHOWN` repetitions the middle one by time."""
    from itertools import groupby

    shown: list[tuple[str, str]] = []
    for _, group in groupby(lines, key=lambda line: line.partition("\t")[0].rstrip()):
        repetitions = list(group)
        if len(repetitions) <= MAX_LINES_SHOWN:
            shown += [(line, "") for line in repetitions]
            continue
        ordered = sorted(repetitions, key=_ns_per_op)
        least, most = _ns_per_op(ordered[0]), _ns_per_op(ordered[-1])
        remark = f"  (median of {len(ordered)}: {least:.4g} to {most:.4g} ns/op; --bench-out has all)"
        shown.append((ordered[(len(ordered) - 1) // 2], remark))
    return shown


def _ns_per_op(line: str) -> float:
    for column in line.split("\t"):
        value, _, unit = column.strip().partition(" ")
        if unit == "ns/op":
            return float(value)
    return 0.0


def _grouped(warnings: list[str]) -> list[str]:
    """Return one line for each kind of warning: the first benchmark that has it, and how many others have it."""
    kinds: dict[str, tuple[str, list[str]]] = {}
    for value in warnings:
        name, code, text = value.split(" ", 2)
        names = kinds.setdefault(code, (text, []))[1]
        if name not in names:
            names.append(name)
    return [
        f"--- WARN: {names[0]}{f' (and {len(names) - 1} more)' if len(names) > 1 else ''}: {text}"
        for text, names in kinds.values()
    ]


def _write_text(path: str, by_file: dict[str, list[str]]) -> None:
    from conduit.bench.run.machine import config_lines
    from conduit.files import write_file_whole

    text = ""
    for package, lines in by_file.items():
        text += "".join(f"{line}\n" for line in [*config_lines(package), *lines])
    write_file_whole(path, text.encode())
