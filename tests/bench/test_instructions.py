from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import pytest

from conduit.bench.against import instructions
from conduit.bench.result import Measurement, MeasurementWarning
from conduit.bench.run import perf_events
from conduit.bench.run.discover import find_files
from tests.bench.commands import GOOD, Command

SUM = "def bench_sum(b):\n    numbers = list(range(100))\n    for _ in b:\n        sum(numbers)\n"


def _counts(stdout: str) -> list[float]:
    return [float(number) for number in re.findall(r"([\d.]+) instructions/op", stdout)]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind")
def test_instructions_are_the_same_in_every_run_and_grow_with_the_work(run_bench: Command) -> None:
    text = SUM + SUM.replace("bench_sum", "bench_more").replace("100", "1000")
    first, second = (
        _counts(run_bench("-instructions", "-benchtime=200x", bench_a=text).stdout) for _ in range(2)
    )
    assert first == pytest.approx(second, rel=0.001)
    assert 5 < first[1] / first[0] < 12  # ten times the numbers, plus what a call costs


def test_the_kernels_events_count_what_the_work_takes_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The kernel's own clock of a thread is an event like the processor's counter, which virtual machines often lack.
    monkeypatch.setattr(perf_events, "_HARDWARE", 1)
    took = []

    def work() -> None:
        begin = time.thread_time_ns()
        while time.thread_time_ns() < begin + 50_000_000:
            pass
        took.append(time.thread_time_ns() - begin)

    try:
        counted = perf_events.count_instructions(work)
    except OSError as error:
        pytest.skip(f"the kernel gives no events: {error}")
    assert counted == pytest.approx(took[0], rel=0.05)
    assert perf_events.count_instructions(lambda: None) < 0.1 * counted


def test_without_perf_events_and_valgrind_the_reason_and_the_remedy_are_told(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "benchmarks" / "bench_a.py").write_text(GOOD)
    [file] = find_files([project / "benchmarks" / "bench_a.py"])
    measurement = Measurement("BenchmarkCall", 1, 10, 1000)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    counted = instructions.count_instructions(file, measurement)
    if isinstance(counted, float):
        assert counted > 0  # this kernel gives perf events
    else:
        assert isinstance(counted, MeasurementWarning)
        assert counted.code == "no-instructions"
        assert "valgrind is not installed" in counted.cause
        assert counted.remedy == "apt-get install valgrind"


def test_a_benchmark_that_cannot_run_in_another_process_has_no_count(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"import os\nassert os.getpid() == {os.getpid()}\ndef bench_x(b):\n    for _ in b: pass\n"
    (project / "benchmarks" / "bench_a.py").write_text(text)
    [file] = find_files([project / "benchmarks" / "bench_a.py"])
    monkeypatch.setattr(shutil, "which", lambda name: None)
    counted = instructions.count_instructions(file, Measurement("BenchmarkX", 1, 10, 1000))
    assert isinstance(counted, MeasurementWarning)
