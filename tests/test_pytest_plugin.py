"""The plugin in a pytest of its own, as somebody else's project would run it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

Pytest = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_pytest(tmp_path: Path) -> Pytest:
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")

    def run(*arguments: str, **files: str) -> subprocess.CompletedProcess[str]:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

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
    answer = run_pytest("-v", "-rs", bench_a=BENCHMARKS)
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


def test_a_wrong_benchtime_is_a_wrong_call(run_pytest: Pytest) -> None:
    answer = run_pytest("--benchtime=soon", test_a="def test_x(): pass\n")
    assert answer.returncode == 4
    assert 'invalid value "soon" for --benchtime: invalid duration' in answer.stderr


def test_a_benchmark_file_that_does_not_import_is_an_error_of_its_collection(run_pytest: Pytest) -> None:
    answer = run_pytest(bench_a="import no_such_module_at_all\n", test_a="def test_x(): pass\n")
    assert answer.returncode == 2
    assert "no_such_module_at_all" in answer.stdout


def test_a_run_without_benchmarks_shows_nothing_of_the_plugin(run_pytest: Pytest) -> None:
    answer = run_pytest(
        test_a="import sys\ndef test_x():\n    assert 'conduit.bench.run.runner' not in sys.modules\n"
    )
    assert answer.returncode == 0, answer.stdout
    assert "= benchmarks =" not in answer.stdout
