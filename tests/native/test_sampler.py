from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from conduit._native import available, reason

pytestmark = pytest.mark.skipif(not available(), reason=reason())

PROJECT = Path(__file__).resolve().parent.parent.parent


def churn(seconds: int, signals_per_second: int) -> dict[str, int]:
    command = [sys.executable, "-m", "tests.native.churn", str(seconds), str(signals_per_second)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=seconds * 10 + 60, cwd=PROJECT)
    assert answer.returncode == 0, answer.stderr
    facts: dict[str, int] = json.loads(answer.stdout)
    return facts


def check(facts: dict[str, int], seconds: int) -> None:
    assert facts["walked"] >= 5_000 * seconds
    assert facts["unreadable"] <= facts["walked"] / 1000
    assert facts["functions"] >= 30


def test_stacks_are_read_ten_thousand_times_a_second_while_everything_moves() -> None:
    check(churn(2, 10_000), 2)


@pytest.mark.slow
def test_a_minute_of_it_is_survived() -> None:
    check(churn(60, 10_000), 60)


def start_and_stop(times: int) -> None:
    from conduit._native import _core

    done = threading.Event()

    def busy() -> None:
        while not done.is_set():
            exec("def made(x):\n    return [x for _ in range(10)]\nmade(1)", {})

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(times):
            _core.cpu_start(100_000, True, False)
            _core.cpu_stop()
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_three_hundred_starts_and_stops_under_threads_leave_the_process_alive() -> None:
    start_and_stop(300)


@pytest.mark.slow
def test_ten_thousand_starts_and_stops_under_threads_leave_the_process_alive() -> None:
    start_and_stop(10_000)


def test_memory_may_run_out_at_every_point() -> None:
    pytest.importorskip("_testcapi")
    command = [sys.executable, "-m", "tests.native.starve"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=PROJECT)
    assert answer.returncode == 0, answer.stderr
    failures = [int(word) for word in answer.stdout.split()]
    assert len(failures) == 5
    assert all(count >= 200 for count in failures)
