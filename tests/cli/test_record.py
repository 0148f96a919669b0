from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from conduit._native import available, reason
from conduit.errors import ProfilerUnavailableError
from conduit.profile.codec import decode
from conduit.record.process_memory import ProcessMemory
from conduit.record.remote import Interpreter

pytestmark = pytest.mark.skipif(not available(), reason=reason())

VICTIM = """
import threading, time
def most():
    return sum(i * i for i in range(150_000))
def größer():
    total = 0
    for i in range(100_000):
        total += i
    return total
def idle():
    threading.Event().wait()
threading.Thread(target=idle, daemon=True).start()
print("ready", flush=True)
while True:
    most()
    größer()
"""


@pytest.fixture
def victim() -> Iterator[int]:
    command = [sys.executable, "-c", VICTIM]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            with ProcessMemory(process.pid):
                pass
        except ProfilerUnavailableError as error:
            process.kill()
            pytest.skip(str(error))
        yield process.pid
        process.kill()


def record(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "conduit", "record", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | environment)


def test_a_running_process_is_profiled_from_outside_and_goes_on(victim: int, tmp_path: Path) -> None:
    path = tmp_path / "cpu.prof"
    done = record("-pid", str(victim), "-seconds=2", "-o", str(path))
    assert done.returncode == 0, done.stderr
    os.kill(victim, 0)
    profile = decode(path.read_bytes())
    spent: Counter[str] = Counter()
    for sample in profile.samples:
        names = [
            line.function.name for location in sample.locations for line in location.lines if line.function
        ]
        for name in set(names):
            spent[name] += sample.values[1]
    total = sum(sample.values[1] for sample in profile.samples)
    assert total >= 50_000_000
    assert spent["<string>.most"] > spent["<string>.größer"] > 0
    # All of it, but for looks at a moment when the thread was not running, or would not hold still for twenty readings.
    assert spent["<string>.<module>"] >= 0.95 * total
    assert "<string>.idle" not in spent
    lines = {
        line.line
        for sample in profile.samples
        for location in sample.locations
        for line in location.lines
        if line.function and line.function.name == "<string>.größer"
    }
    assert lines <= {5, 6, 7, 8, 9}


def test_a_stack_read_from_outside_reaches_its_root_though_generators_yield_all_the_time(victim: int) -> None:
    with ProcessMemory(victim) as memory:
        interpreter = Interpreter(memory)
        stacks = [frames for _ in range(500) for tid, frames in interpreter.stacks() if tid == victim]
    roots = Counter(frames[-1][0] if frames else "unreadable" for frames in stacks)
    # Without the check that a stack ends in the thread's outermost frame, one in ten ended in the generator's.
    assert roots.pop("<module>") >= 0.98 * 500
    assert roots.keys() <= {"unreadable"}


def test_a_process_that_does_not_exist_is_named() -> None:
    done = record("-pid", "4194304")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no process 4194304" in done.stderr


def test_a_process_that_is_not_python_is_told() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        done = record("-pid", str(process.pid), "-seconds=1")
        process.send_signal(signal.SIGKILL)
    assert done.returncode == 1
    assert "no CPython" in done.stderr or "not permitted" in done.stderr


def test_a_recording_ends_with_the_process(victim: int, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "conduit",
        "record",
        "-pid",
        str(victim),
        "-inside=never",
        "-seconds=60",
        "-o",
        str(tmp_path / "p"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            process.wait(1.5)
        except subprocess.TimeoutExpired:
            os.kill(victim, signal.SIGKILL)
        assert process.wait(30) == 0, process.stderr.read()
    assert decode((tmp_path / "p").read_bytes()).sample_types


def test_a_process_that_has_ended_is_named_as_such(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        done = record("-pid", str(ended.pid), "-o", str(tmp_path / "p"))
    assert done.returncode == 1
    assert f"process {ended.pid} has ended" in done.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["-pid=x"], ["-pid=1", "more"], ["-pid=1", "-seconds=0"], ["-pid=1", "-rate=2000"]]
)
def test_a_wrong_call_exits_with_2(arguments: list[str]) -> None:
    assert record(*arguments).returncode == 2


def test_without_the_extension_it_says_why(victim: int) -> None:
    done = record("-pid", str(victim), CONDUIT_NATIVE="off")
    assert done.returncode == 1
    assert "CONDUIT_NATIVE=off" in done.stderr
