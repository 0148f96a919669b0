from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from conduit._native import available, reason

pytestmark = pytest.mark.skipif(not available(), reason=reason())

PROJECT = Path(__file__).resolve().parent.parent.parent


def may_go_first() -> bool:
    """Whether a program may be put before all others of the machine, so that its signals do not wait for them."""
    if shutil.which("chrt") is None:
        return False
    return subprocess.run(["chrt", "-r", "1", "true"], capture_output=True).returncode == 0


def churn(seconds: int, signals_per_second: int, *, first: bool = False) -> dict[str, int]:
    command = [sys.executable, "-m", "tests.native.churn", str(seconds), str(signals_per_second)]
    if first:
        command = ["chrt", "-r", "1", *command]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=seconds * 10 + 60, cwd=PROJECT)
    assert answer.stdout, f"died with status {answer.returncode}: {answer.stderr}"
    facts: dict[str, int] = json.loads(answer.stdout.splitlines()[-1])
    assert answer.returncode == (facts["slowest_per_second"] < signals_per_second), answer.stderr
    return facts


def check(facts: dict[str, int]) -> None:
    assert facts["unreadable"] <= facts["walked"] / 1000
    assert facts["threads_refused"] == 0
    assert facts["functions"] >= 30


def test_stacks_are_read_at_a_high_rate_in_every_thread_while_everything_moves() -> None:
    facts = churn(2, 10_000)
    check(facts)
    # The rate is reached on a machine that does nothing else; beside other tests each thread is still hit all the time.
    assert facts["slowest_per_second"] >= 200


@pytest.mark.slow
def test_a_minute_of_ten_thousand_signals_a_second_at_every_thread_is_survived() -> None:
    first = may_go_first()
    facts = churn(60, 10_000, first=first)
    check(facts)
    # A pending signal is not queued a second time: who may not go first gets fewer on a machine that others use too.
    assert facts["slowest_per_second"] >= (10_000 if first else 1_000)


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
    if hasattr(sys, "gettotalrefcount") and sys.version_info >= (3, 14):
        pytest.skip("3.14's debug build aborts by itself where memory runs out (an assertion in _Py_Dealloc)")
    command = [sys.executable, "-m", "tests.native.starve"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=PROJECT)
    assert answer.returncode == 0, answer.stderr
    failures = [int(word) for word in answer.stdout.split()]
    assert len(failures) == 5
    assert all(count >= 200 for count in failures)
