"""CPU time of more threads than a profile has samples: totals agree with the clock, shares with each thread's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conduit._native import available
from conduit.profile.codec import decode
from conduit.profile.model import Profile

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")

# Two functions of known CPU time; what each used goes to standard output, with the process's clock.
PROGRAM = """
import json, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from conduit import record

used = {"quick": 0.0, "slow": 0.0}
lock = threading.Lock()

def burn(name, seconds):
    begin = time.thread_time()
    while time.thread_time() - begin < seconds:
        pass
    with lock:
        used[name] += time.thread_time() - begin

def quick():
    burn("quick", 0.0001)

def slow():
    burn("slow", 0.0004)

def threads():
    for _ in range(500):
        group = [threading.Thread(target=target) for target in (quick, slow) * 10]
        for thread in group: thread.start()
        for thread in group: thread.join()

def pool():
    with ThreadPoolExecutor(8) as pool:
        for _ in range(1000):
            pool.submit(quick)
            pool.submit(slow)

with record.cpu(sys.argv[2]) as recording:
    begin = time.process_time()
    globals()[sys.argv[1]]()
    process = time.process_time() - begin
own = recording.facts["collector_ns"] / 1e9
print(json.dumps({**used, "process": process, "own": own}))
"""


def record(way: str, folder: Path) -> tuple[Profile, dict[str, float]]:
    path = folder / "cpu.prof"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, way, str(path)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return decode(path.read_bytes()), json.loads(done.stdout)


def seconds(profile: Profile, name: str = "") -> float:
    """CPU time of the stacks that have the function, or of all."""
    total = 0
    for sample in profile.samples:
        functions = [
            line.function.name for location in sample.locations for line in location.lines if line.function
        ]
        if any(function.rpartition(".")[2] == name for function in functions) or not name:
            total += sample.values[1]
    return total / 1e9


def test_ten_thousand_threads_have_the_time_that_they_used(tmp_path: Path) -> None:
    profile, used = record("threads", tmp_path)
    assert seconds(profile) == pytest.approx(used["process"] - used["own"], rel=0.03)
    # A thread also has time before and after its function that it does not measure itself.
    assert seconds(profile, "slow") == pytest.approx(used["slow"], rel=0.15)
    assert seconds(profile, "quick") == pytest.approx(used["quick"], rel=0.4)
    assert seconds(profile, "slow") > 2.5 * seconds(profile, "quick")


def test_a_thread_pool_has_the_time_that_its_tasks_used(tmp_path: Path) -> None:
    profile, used = record("pool", tmp_path)
    assert seconds(profile) == pytest.approx(used["process"] - used["own"], rel=0.03)
    share = used["slow"] / used["process"]
    # Some 50 samples of tasks: four standard errors of their share.
    assert seconds(profile, "slow") / seconds(profile) == pytest.approx(share, abs=0.28)
