from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from conduit._native import available
from conduit.profile.codec import decode

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")

PROGRAM = """
import threading, time
from conduit import region

lock = threading.Lock()

def contend():
    with lock:
        time.sleep(0.02)

with region("everything"):
    threads = [threading.Thread(target=contend) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""

BENCHMARK = """
import threading, time

def bench_contention(b):
    lock = threading.Lock()

    def contend():
        with lock:
            time.sleep(0.03)

    for _ in b:
        threads = [threading.Thread(target=contend) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
"""


def functions(path: Path) -> set[str]:
    profile = decode(path.read_bytes())
    return {function.name.rpartition(".")[2] for function in profile.functions}


def test_a_program_runs_under_all_wait_profiles_and_a_trace_at_once(
    tmp_path: Path, conduit_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    flags = [
        "-blockprofile=block.prof",
        "-mutexprofile=mutex.prof",
        "-gilprofile=gil.prof",
        "-trace=trace.out",
    ]
    done = conduit_command("run", *flags, "program.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "contend" in functions(tmp_path / "block.prof")
    assert functions(tmp_path / "mutex.prof") >= {"contend"}
    # The command's own frames are not the program's.
    assert not functions(tmp_path / "block.prof") & {"main", "program", "_dispatch"}
    decode((tmp_path / "gil.prof").read_bytes())
    events = json.loads((tmp_path / "trace.out").read_text())["traceEvents"]
    assert {"everything"} <= {event["name"] for event in events if event.get("cat") == "region"}


def test_a_benchmark_takes_gos_flags_for_waits(
    tmp_path: Path, conduit_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "bench_locks.py").write_text(BENCHMARK)
    flags = ["-benchtime=3x", "-mutexprofile=mutex.prof", "-blockprofile=block.prof", "-trace=trace.out"]
    done = conduit_command("bench", *flags, "bench_locks.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "BenchmarkContention" in done.stdout
    assert "contend" in functions(tmp_path / "mutex.prof") & functions(tmp_path / "block.prof")
    assert json.loads((tmp_path / "trace.out").read_text())["traceEvents"]


@pytest.mark.parametrize("flag", ["-blockprofilerate=0", "-mutexprofilefraction=x"])
def test_a_rate_that_is_none_is_a_wrong_call(
    tmp_path: Path, conduit_command: Callable[..., subprocess.CompletedProcess[str]], flag: str
) -> None:
    done = conduit_command("run", flag, "program.py", cwd=tmp_path)
    assert done.returncode == 2
    assert "must be a number from 1" in done.stderr
