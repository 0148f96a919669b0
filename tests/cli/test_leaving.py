"""However a program leaves, its profile is whole and its exit status is its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from conduit._native import available
from conduit.profile.codec import decode

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")

BURN = """
import atexit, os, signal, sys, time

def burn(seconds):
    end = time.thread_time() + seconds  # not the process's, which has the recording's own threads in it
    while time.thread_time() < end:
        pass

burn(0.2)
"""


def _as_in_a_terminal() -> None:
    """A signal that is ignored (as `nohup` ignores SIGHUP) is ignored in all programs below."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "conduit", "run", "-cpuprofile=cpu.prof", *arguments]
    return subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_as_in_a_terminal,
    )


def run(tmp_path: Path, end: str) -> tuple[int, str]:
    (tmp_path / "program.py").write_text(BURN + end)
    process = start(tmp_path, "program.py")
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def cpu_seconds(tmp_path: Path) -> float:
    return sum(sample.values[1] for sample in decode((tmp_path / "cpu.prof").read_bytes()).samples) / 1e9


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_the_program_leaves_a_whole_profile_and_its_usual_status(
    name: str, tmp_path: Path
) -> None:
    status, _ = run(tmp_path, f"os.kill(os.getpid(), signal.{name})\ntime.sleep(60)\n")
    assert status == -getattr(signal, name)
    assert cpu_seconds(tmp_path) >= 0.19


def test_a_program_that_handles_the_signal_itself_is_left_alone(tmp_path: Path) -> None:
    end = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)\n"
    assert run(tmp_path, end)[0] == 7
    assert cpu_seconds(tmp_path) >= 0.19


@pytest.mark.parametrize("last", ["", "sys.exit(4)", "raise ValueError"])
def test_the_time_of_exit_functions_is_in_the_profile_and_each_runs_once(last: str, tmp_path: Path) -> None:
    _, output = run(tmp_path, f"atexit.register(lambda: (burn(0.3), print('once')))\n{last}\n")
    assert output == "once\n"
    assert cpu_seconds(tmp_path) >= 0.48


def test_a_program_that_aborts_leaves_a_whole_profile_and_its_usual_status(tmp_path: Path) -> None:
    end = "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nos.abort()\n"
    assert run(tmp_path, end)[0] == -signal.SIGABRT
    assert cpu_seconds(tmp_path) >= 0.19


@pytest.mark.parametrize(("number", "timer"), [("SIGPROF", "ITIMER_PROF"), ("SIGVTALRM", "ITIMER_VIRTUAL")])
def test_a_timer_of_cpu_time_that_the_program_left_running_does_not_kill_it(
    number: str, timer: str, tmp_path: Path
) -> None:
    end = f"signal.signal(signal.{number}, lambda *_: None)\nsignal.setitimer(signal.{timer}, 0.001, 0.001)\n"
    assert run(tmp_path, end)[0] == 0


def test_a_server_that_is_terminated_leaves_the_profile_of_its_requests(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    (tmp_path / "service.py").write_text(
        BURN + "async def app(scope, receive, send):\n"
        "    if scope['type'] != 'http':\n        return\n"
        "    burn(0.2)\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': b'ok'})\n"
    )
    process = start(tmp_path, "-m", "uvicorn", "service:app", "--port", "0", "--lifespan", "off")
    assert process.stderr is not None
    address = next(line for line in process.stderr if "running on" in line).split("running on ")[1].split()[0]
    assert urllib.request.urlopen(address, timeout=30).read() == b"ok"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert cpu_seconds(tmp_path) >= 0.38
    assert time.time() - (tmp_path / "cpu.prof").stat().st_mtime < 300


def test_a_signal_during_the_writing_of_the_profiles_waits_until_they_are_whole() -> None:
    script = """
import os, signal
from conduit.cli.leaving import EndedBySignals

def end():
    return False  # under way already

with EndedBySignals(end):
    os.kill(os.getpid(), signal.SIGTERM)
    print("written", flush=True)
print("not reached", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "written\n")


def test_a_profile_that_cannot_be_written_is_told_before_the_signal_has_its_effect(tmp_path: Path) -> None:
    (tmp_path / "cpu.prof").mkdir()
    (tmp_path / "program.py").write_text(BURN + "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)\n")
    process = start(tmp_path, "program.py")
    _, said = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGTERM
    assert "cannot write" in said
    assert "Traceback" not in said
