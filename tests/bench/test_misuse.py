"""Benchmarks that would measure nothing, or something else than they seem to, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from conduit._native import available
from conduit.bench.result import BenchmarkFailedError, Measurement
from conduit.bench.run.loop import Benchmark
from conduit.bench.run.measure import (
    MAX_WALL_FACTOR,
    Options,
    Run,
    _with_timer_warnings,
    affordable_n,
    call,
    measure,
)
from conduit.errors import BenchmarkMisuseError
from tests.bench.commands import Command


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def bench_x(b):\n    for _ in b:\n        yield\n", "is a generator, whose body never runs"),
        ("async def bench_x(b):\n    for _ in b:\n        yield\n", "is a generator, whose body never runs"),
        ("async def f(b): pass\ndef bench_x(b):\n    return f(b)\n", "returned a coroutine that never ran"),
        (
            "def bench_x(b, db):\n    for _ in b: pass\n",
            "needs db besides b, which only pytest's fixtures give",
        ),
        ("def bench_x(b):\n    b.run('y', 3)\n", "expected a benchmark function, got 3"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_benchmark_that_would_measure_nothing_fails_with_the_reason(
    run_bench: Command, text: str, words: str
) -> None:
    answer = run_bench("-benchtime=2x", bench_a=text)
    assert answer.returncode == 1
    assert words in answer.stdout


def test_a_sub_benchmark_may_be_named_by_a_number(run_bench: Command) -> None:
    text = "def child(b):\n    for _ in b: pass\ndef bench_x(b):\n    b.run(10, child)\n"
    answer = run_bench("-benchtime=2x", bench_a=text)
    assert answer.returncode == 0
    assert "BenchmarkX/10" in answer.stdout


def test_relative_imports_of_a_benchmark_package_work(run_bench: Command) -> None:
    answer = run_bench(
        "-benchtime=2x",
        __init__="",
        common="value = 1\n",
        bench_a="from .common import value\ndef bench_x(b):\n    for _ in b: value\n",
    )
    assert answer.returncode == 0, answer.stderr
    assert "BenchmarkX" in answer.stdout


def paused(b: Benchmark) -> None:
    for _ in b:
        b.stop_timer()
        b.start_timer()


def test_the_cost_of_pausing_the_timer_is_subtracted() -> None:
    run = Run("BenchmarkPaused", paused, Options(iterations=2000))
    final = call(run, Benchmark(run.name, 50))
    assert final.pauses == 50
    measurement = measure(run, call(run, Benchmark(run.name, 1)), 1)
    assert measurement.timer_ns > 0
    assert measurement.ns_per_op < measurement.elapsed_ns / measurement.n


@pytest.mark.parametrize(("timer_ns", "codes"), [(60.0, ["timer-cost"]), (40.0, [])])
def test_a_timer_that_costs_more_than_the_operation_is_told(timer_ns: float, codes: list[str]) -> None:
    measurement = Measurement("BenchmarkX", 1, 10, 1000, timer_ns=timer_ns)
    found = _with_timer_warnings(measurement, Benchmark("BenchmarkX", 10), Options(iterations=10))
    assert [warning.code for warning in found.warnings] == codes


def test_a_loop_without_pauses_has_nothing_subtracted() -> None:
    def plain(b: Benchmark) -> None:
        for _ in b:
            pass

    run = Run("BenchmarkPlain", plain, Options(iterations=2000))
    assert measure(run, call(run, Benchmark(run.name, 1)), 1).timer_ns == 0


def test_a_run_with_the_timer_mostly_stopped_is_limited_in_wall_time() -> None:
    last = Benchmark("BenchmarkX", 100)
    last._closed_ns = 5_000  # 50 ns each
    last._stopped_ns = 100_000_000  # and 1 ms stopped around each
    goal_ns = 1_000_000_000
    n = affordable_n(goal_ns, last)
    assert n * 1_000_050 == pytest.approx(MAX_WALL_FACTOR * goal_ns, rel=0.01)


@pytest.mark.skipif(not available(), reason="the native extension is not built")
class TestMemory:
    def test_bytes_allocated_in_a_pool_are_counted(self, run_bench: Command) -> None:
        text = (
            "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\n"
            "def bench_x(b):\n    for _ in b: pool.submit(bytes, 100_000).result()\n"
        )
        answer = run_bench("-benchmem", "-benchtime=50x", bench_a=text)
        assert _column(answer.stdout, "B/op") > 100_000

    def test_the_contents_of_numpy_arrays_are_counted(self, run_bench: Command) -> None:
        pytest.importorskip("numpy")
        text = "import numpy\ndef bench_x(b):\n    for _ in b: numpy.zeros(100_000)\n"
        answer = run_bench("-benchmem", "-peakmem", "-benchtime=50x", bench_a=text)
        assert 800_000 <= _column(answer.stdout, "B/op") < 801_000
        assert 800_000 <= _column(answer.stdout, "peak-B/op") < 801_000

    def test_the_peak_is_the_most_held_at_once_and_not_the_sum(self, run_bench: Command) -> None:
        text = (
            "def bench_x(b):\n    for _ in b:\n        a = bytearray(1_000_000)\n        del a\n"
            "        c = bytearray(500_000)\n        del c\n"
        )
        answer = run_bench("-benchmem", "-peakmem", "-benchtime=50x", bench_a=text)
        assert 1_000_000 <= _column(answer.stdout, "peak-B/op") < 1_001_000
        assert 1_500_000 <= _column(answer.stdout, "B/op") < 1_501_000

    def test_counts_that_differ_in_other_processes_are_marked(
        self, run_bench: Command, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("PYTHONHASHSEED", raising=False)
        (project / "pyproject.toml").write_text(
            '[tool.conduit.targets.Scan]\nmemory = { acceptable = "1GB" }\n'
        )
        text = "import os\ndef bench_scan(b):\n    size = os.getpid() * 10\n    for _ in b: bytes(size)\n"
        text += "def bench_fixed(b):\n    for _ in b: bytes(1000)\n"
        answer = run_bench("-benchmem", "-check", "-benchtime=20x", bench_a=text)
        assert answer.stdout.count("are not the same in every process") == 1
        assert "varies between processes" in answer.stdout
        monkeypatch.setenv("PYTHONHASHSEED", "0")
        fixed = run_bench("-benchmem", "-benchtime=20x", bench_a=text)
        assert "are not the same in every process" not in fixed.stdout

    def test_a_single_cold_iteration_is_marked(self, run_bench: Command) -> None:
        text = "def bench_x(b):\n    for _ in b: [0] * 10\n"
        assert "ns/op is of the first call" in run_bench("-benchmem", "-benchtime=1x", bench_a=text).stdout
        assert (
            "ns/op is of the first call" not in run_bench("-benchmem", "-benchtime=2x", bench_a=text).stdout
        )


def _column(stdout: str, unit: str) -> float:
    [line] = [line for line in stdout.splitlines() if line.startswith("Benchmark")]
    words = line.split()
    return float(words[words.index(unit) - 1])


def test_a_benchmark_that_is_a_generator_fails_in_the_api_too() -> None:
    from conduit.bench import benchmark

    def generator(b: Benchmark) -> object:
        yield b

    with pytest.raises((BenchmarkFailedError, BenchmarkMisuseError), match="is a generator"):
        benchmark(generator, benchtime="1x")


def test_a_package_of_the_project_that_comes_from_elsewhere_is_named(
    run_bench: Command,
    project: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed = tmp_path_factory.mktemp("site")
    for folder in (project / "src" / "shop", installed / "shop"):
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
    text = "import shop\ndef bench_x(b):\n    for _ in b: pass\n"
    monkeypatch.setenv("PYTHONPATH", str(installed))
    answer = run_bench("-benchtime=1x", bench_a=text)
    assert f"shop was imported from {installed / 'shop'}, not from {project}" in answer.stderr
    monkeypatch.setenv("PYTHONPATH", str(project / "src"))
    assert "was imported from" not in run_bench("-benchtime=1x", bench_a=text).stderr
