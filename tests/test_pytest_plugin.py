"""The plugin in a pytest of its own, as somebody else's project would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conduit._native import available
from conduit.bench.text.reader import InputFile, Result, read_benchmarks
from conduit.bench.text.unit_metadata import UnitMetadata

Pytest = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_pytest(tmp_path: Path) -> Pytest:
    """Run pytest with our plugin and none of those that are installed beside it, which take a second to import.

    By its entry point it is found where several processes measure.
    """
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")

    def run(*arguments: str, **files: str) -> subprocess.CompletedProcess[str]:
        ours = {
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": "conduit.pytest_plugin",
            "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0"),  # under a fixed one nothing runs again
        }
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=ours, capture_output=True, text=True, timeout=120)

    return run


BENCHMARKS = """
def bench_good(b):
    assert b.short
    b.report_metric(b.n, "n")
    for _ in b:
        pass
def bench_bad(b):
    raise KeyError("lost")
def bench_skip(b):
    b.skip("not here")
"""


def test_benchmark_files_are_smoke_tests_of_one_iteration(run_pytest: Pytest) -> None:
    answer = run_pytest("-v", "-rs", "--conduit-bench", bench_a=BENCHMARKS)
    assert "bench_a.py::BenchmarkGood PASSED" in answer.stdout
    assert "bench_a.py::BenchmarkBad FAILED" in answer.stdout
    assert "bench_a.py::BenchmarkSkip SKIPPED" in answer.stdout
    assert "KeyError: 'lost'" in answer.stdout
    assert "pytest_plugin.py" not in answer.stdout
    assert "not here" in answer.stdout
    assert answer.returncode == 1


def test_benchmark_files_are_measured_when_that_is_asked(run_pytest: Pytest) -> None:
    text = "def bench_good(b):\n    assert not b.short\n    for _ in b:\n        pass\n"
    answer = run_pytest("--bench", "--benchtime=30x", bench_a=text)
    assert answer.returncode == 0, answer.stdout
    _, _, summary = answer.stdout.partition(" benchmarks ")
    assert "BenchmarkGood" in summary
    assert "\t      30\t" in summary


def test_the_fixture_measures_inside_a_test_and_the_report_keeps_the_result(
    run_pytest: Pytest, tmp_path: Path
) -> None:
    text = (
        "def test_quick(bench):\n"
        "    result = bench(lambda: None, benchtime='40x')\n"
        "    assert result.n == 40 and result.ns_per_op > 0\n"
        "    assert bench(lambda: None, name='again', benchtime='5x').name == 'BenchmarkQuick/again'\n"
        "    assert bench(lambda: None, benchtime='5x').name == 'BenchmarkQuick/#01'\n"
    )
    answer = run_pytest("--junitxml=report.xml", test_a=text)
    assert answer.returncode == 0, answer.stdout
    properties = ElementTree.parse(tmp_path / "report.xml").getroot().iter("property")
    lines = [element.attrib["value"] for element in properties if element.attrib["name"] == "benchmark"]
    assert [line.split()[:2] for line in lines] == [
        [lines[0].split()[0], "40"],
        [lines[1].split()[0], "5"],
        [lines[2].split()[0], "5"],
    ]
    assert lines[0].startswith("BenchmarkQuick")
    assert " benchmarks " in answer.stdout


def test_a_failing_benchmark_fails_the_test_that_measures_it(run_pytest: Pytest) -> None:
    answer = run_pytest(test_a="def test_x(bench):\n    bench(lambda: 1 / 0, benchtime='1x')\n")
    assert answer.returncode == 1
    assert "ZeroDivisionError" in answer.stdout


def test_arguments_of_the_function_are_refused_with_the_form_that_takes_them(run_pytest: Pytest) -> None:
    answer = run_pytest(test_a="def test_x(bench):\n    bench(sum, [1, 2])\n")
    assert answer.returncode == 1
    assert "expected a function without arguments, found 1 more: write bench(lambda: sum(…))" in answer.stdout


def test_a_wrong_benchtime_is_a_wrong_call(run_pytest: Pytest) -> None:
    answer = run_pytest("--benchtime=soon", test_a="def test_x(): pass\n")
    assert answer.returncode == 4
    assert 'invalid value "soon" for --benchtime: invalid duration' in answer.stderr


def test_a_benchmark_file_that_does_not_import_is_an_error_of_its_collection(run_pytest: Pytest) -> None:
    answer = run_pytest(
        "--conduit-bench", bench_a="import no_such_module_at_all\n", test_a="def test_x(): pass\n"
    )
    assert answer.returncode == 2
    assert "no_such_module_at_all" in answer.stdout


def test_a_run_without_benchmarks_shows_nothing_of_the_plugin(run_pytest: Pytest) -> None:
    answer = run_pytest(
        test_a="import sys\ndef test_x():\n    assert 'conduit.bench.run.runner' not in sys.modules\n"
    )
    assert answer.returncode == 0, answer.stdout
    assert "= benchmarks =" not in answer.stdout


OTHER_PROJECTS_FILE = "raise SystemExit('imported')\n"


def test_files_named_like_benchmarks_are_not_imported_unless_asked_for(run_pytest: Pytest) -> None:
    answer = run_pytest(bench_plot=OTHER_PROJECTS_FILE, test_a="def test_x(): pass\n")
    assert answer.returncode == 0, answer.stdout
    assert "1 passed" in answer.stdout


def test_a_setting_of_the_project_collects_benchmark_files(run_pytest: Pytest) -> None:
    answer = run_pytest("-o", "conduit_bench=true", bench_a="def bench_x(b):\n    for _ in b: pass\n")
    assert "1 passed" in answer.stdout


def test_names_have_class_and_parameters_and_stand_under_their_file(run_pytest: Pytest) -> None:
    text = """
import pytest
class TestA:
    @pytest.mark.parametrize("n", [10, 100])
    def test_sum(self, bench, n):
        bench(lambda: sum(range(n)), benchtime="3x")
@pytest.mark.parametrize("shape", [(1, 2)])
def test_sum(bench, shape):
    bench(lambda: None, benchtime="3x")
"""
    answer = run_pytest("--bench-out=out.txt", test_a=text)
    assert answer.returncode == 0, answer.stdout
    summary = answer.stdout.partition(" benchmarks ")[2]
    assert re.findall(r"^(pkg: \S+|Benchmark\S+?)(?:-\d+)? *(?:\t|$)", summary, re.MULTILINE) == [
        "pkg: test_a",
        "BenchmarkTestA/test_sum/n=10",
        "BenchmarkTestA/test_sum/n=100",
        "BenchmarkSum/shape=shape0",
    ]


def test_measurements_are_written_as_text_that_benchstat_reads(run_pytest: Pytest, tmp_path: Path) -> None:
    run_pytest("--bench-out=out.txt", test_a="def test_x(bench): bench(lambda: None, benchtime='3x')\n")
    units = UnitMetadata()
    [result] = [
        record
        for record in read_benchmarks(InputFile(str(tmp_path / "out.txt"), "x"), units)
        if isinstance(record, Result)
    ]
    assert (result.name.partition("-")[0], result.iterations) == ("X", 3)
    assert result.configuration.get("pkg") == "test_a"


def test_a_coroutine_function_is_measured_in_the_loop_of_the_async_test(run_pytest: Pytest) -> None:
    text = """
import asyncio
def test_x(bench):
    async def test():
        here = asyncio.get_running_loop()
        seen = set()
        async def operation():
            seen.add(asyncio.get_running_loop() is here)
            await asyncio.sleep(0)
        result = await bench(operation, benchtime="20x")
        assert (result.n, seen) == (20, {True})
        assert bench(lambda: None, benchtime="5x").n == 5
    asyncio.run(test())
"""
    answer = run_pytest(test_a=text)
    assert answer.returncode == 0, answer.stdout


def test_fixtures_of_pytest_are_given_to_benchmarks_run_by_pytest(run_pytest: Pytest) -> None:
    answer = run_pytest(
        "--bench",
        "--benchtime=7x",
        conftest="import pytest\n@pytest.fixture(scope='session')\ndef db(): return [1, 2, 3]\n",
        bench_a="def bench_db(b, db):\n    for _ in b:\n        sum(db)\n",
    )
    assert answer.returncode == 0, answer.stdout
    assert re.search(r"BenchmarkDb\S*\s+7\s", answer.stdout)


def test_parallel_processes_are_warned_about(tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    (tmp_path / "test_a.py").write_text("def test_x(bench): bench(lambda: None, benchtime='3x')\n")
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-n1", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": "0"},  # under a fixed one nothing runs again
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "measured in several processes at once (pytest-xdist)" in answer.stdout


PYTEST_BENCHMARK_FORMS = """
import time
import pytest
def f(x=1, y=2): return x + y
def test_plain(benchmark): benchmark(f)
def test_args(benchmark): assert benchmark(f, 3, y=4) == 7
def test_value(benchmark): assert benchmark(f) == 3
def test_deco(benchmark):
    @benchmark
    def something(): f()
def test_pedantic(benchmark):
    assert benchmark.pedantic(f, args=(1,), rounds=10, iterations=10) == 3
    assert (benchmark.stats["rounds"], benchmark.stats["iterations"]) == (10, 10)
def test_setup(benchmark):
    made = []
    def setup():
        made.append([3, 1, 2])
        return (made[-1],), {}
    assert benchmark.pedantic(sorted, setup=setup, rounds=10, warmup_rounds=1) == [1, 2, 3]
    assert len(made) == 11
def test_extra(benchmark): benchmark.extra_info["a"] = 1; benchmark(f)
def test_weave(benchmark):
    benchmark.weave(f)
    assert f() == 3
    assert benchmark.stats["rounds"] == 6
@pytest.mark.benchmark(group="g", min_rounds=3)
def test_mark(benchmark):
    benchmark(f)
    assert benchmark.stats["rounds"] == 3
    assert benchmark.group == "g"
def test_stats(benchmark):
    benchmark(f)
    assert benchmark.stats["mean"] < 1
    assert benchmark.stats["min"] <= benchmark.stats["median"] <= benchmark.stats.stats.max
@pytest.mark.parametrize("n", [1, 2])
def test_parameters(benchmark, n):
    assert benchmark(f, n) == n + 2
def test_raises(benchmark):
    with pytest.raises(ZeroDivisionError):
        benchmark(lambda: 1 / 0)
def test_twice(benchmark):
    benchmark(f)
    with pytest.raises(Exception, match="used twice"):
        benchmark(f)
"""


def test_the_forms_of_pytest_benchmark_work_under_the_option(run_pytest: Pytest) -> None:
    answer = run_pytest(
        "--conduit-benchmark", "--benchtime=5ms", "--strict-markers", test_a=PYTEST_BENCHMARK_FORMS
    )
    assert answer.returncode == 0, answer.stdout
    assert "14 passed" in answer.stdout
    assert "BenchmarkParameters/n=2" in answer.stdout


# The parts of pytest-benchmark's plugin that are in the way: its options, its fixture and its refusal of any other fixture.
PYTEST_BENCHMARK_PLUGIN = """
import pytest
def pytest_addoption(parser):
    parser.addoption("--benchmark-only", action="store_true")
    parser.addoption("--benchmark-skip", action="store_true")
    parser.addoption("--benchmark-disable", action="store_true")
    parser.addoption("--benchmark-enable", action="store_true")
    parser.addoption("--benchmark-json")
@pytest.fixture
def benchmark():
    return "its own"
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    yield
    if item.funcargs.get("benchmark", "its own") != "its own":
        raise TypeError("unexpected type for `benchmark` in funcargs")
"""


def test_the_switch_works_while_pytest_benchmark_is_still_installed(
    run_pytest: Pytest, tmp_path: Path
) -> None:
    (tmp_path / "pytest_benchmark").mkdir()
    (tmp_path / "pytest_benchmark" / "plugin.py").write_text(PYTEST_BENCHMARK_PLUGIN)
    arguments = ["-p", "pytest_benchmark.plugin", "-rs", "--conduit-benchmark", "--benchtime=3x"]
    test = (
        "def test_x(benchmark): benchmark(sum, [1])\n"
        "def test_w(benchmark_weave): pass\n"
        "def test_other(): pass\n"
    )
    answer = run_pytest(*arguments, "--benchmark-json=x.json", test_a=test)
    assert "3 passed" in answer.stdout, answer.stdout
    assert "BenchmarkX" in answer.stdout
    assert (
        "warning: --benchmark-json has no effect with conduit_benchmark; use --bench-out=FILE"
        in answer.stdout
    )
    assert "1 passed, 2 skipped" in run_pytest(*arguments, "--benchmark-skip").stdout
    assert "2 passed, 1 skipped" in run_pytest(*arguments, "--benchmark-only").stdout
    disabled = run_pytest(*arguments, "--benchmark-disable").stdout
    assert "3 passed" in disabled
    assert "BenchmarkX" not in disabled


def test_many_rounds_are_one_line_on_the_terminal_and_all_in_the_file(
    run_pytest: Pytest, tmp_path: Path
) -> None:
    test = "def test_x(benchmark): benchmark.pedantic(sum, args=([1],), rounds=31)\n"
    answer = run_pytest("--conduit-benchmark", "--bench-out=out.txt", test_a=test)
    lines = [line for line in answer.stdout.splitlines() if line.startswith("BenchmarkX")]
    assert len(lines) == 1
    assert "(median of 31: " in lines[0]
    assert (tmp_path / "out.txt").read_text().count("BenchmarkX") == 31


def test_warnings_of_measurements_are_printed_each_kind_once(run_pytest: Pytest) -> None:
    test = "def test_x(bench): bench(lambda: None, benchtime='1x')\ndef test_y(bench): bench(list, benchtime='1x')\n"
    answer = run_pytest(test_a=test)
    assert re.search(r"--- WARN: BenchmarkX\S* \(and 1 more\): ns/op is of the first call", answer.stdout)


SEED_TESTS = """
import os
def test_varies(bench):
    size = os.getpid() * 10
    bench(lambda: bytes(size), benchtime='5x')
def test_fixed(bench):
    assert bench(lambda: bytes(1000), benchtime='5x').allocs_per_op == 1
"""


@pytest.mark.skipif(not available(), reason="counts need the C extension")
def test_counts_of_tests_that_differ_under_other_hash_seeds_are_marked(
    run_pytest: Pytest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "random")
    marked = run_pytest("--bench-seeds=1", test_a=SEED_TESTS).stdout
    assert "2 passed" in marked
    assert re.search(
        r"--- WARN: BenchmarkVaries\S*: B/op and allocs/op are not the same in every process", marked
    )
    assert "could not be checked" not in marked
    assert "not the same" not in run_pytest("--bench-seeds=0", test_a=SEED_TESTS).stdout
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    assert "not the same" not in run_pytest(test_a=SEED_TESTS).stdout


def test_without_the_option_there_is_no_fixture_of_that_name(run_pytest: Pytest) -> None:
    answer = run_pytest(test_a="def test_x(benchmark): pass\n")
    assert "fixture 'benchmark' not found" in answer.stdout


def test_the_plugin_imports_none_of_our_wings_in_a_session_without_benchmarks(run_pytest: Pytest) -> None:
    answer = run_pytest(
        test_a="import sys\ndef test_x():\n"
        "    assert sorted(name for name in sys.modules if name.startswith('conduit')) == "
        "['conduit', 'conduit._version', 'conduit.errors', 'conduit.pytest_plugin']\n"
    )
    assert answer.returncode == 0, answer.stdout
