"""The example service, started by its one command, profiled live and read by `conduit pprof`."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conduit._native import available

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "live_service.py"


@pytest.fixture(scope="module")
def profiles() -> Iterator[str]:
    command = [sys.executable, str(EXAMPLE), "--port", "0", "--debug", "localhost:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.stdout.readline().split()[1]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def saved(url: str, path: Path) -> Path:
    with urllib.request.urlopen(url, timeout=60) as response:
        path.write_bytes(response.read())
    return path


def test_the_guides_downloads_are_read_by_pprof(
    profiles: str, tmp_path: Path, conduit_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    cpu = saved(f"{profiles}profile?seconds=3", tmp_path / "cpu.prof")
    heap = saved(f"{profiles}heap", tmp_path / "heap.prof")
    goroutine = saved(f"{profiles}goroutine", tmp_path / "goroutine.prof")
    top = conduit_command("pprof", "-top", str(cpu)).stdout
    assert "Type: cpu" in top
    heaviest = [
        line for line in top.splitlines() if line.rstrip().endswith(("score", "score.<locals>.<genexpr>"))
    ]
    assert heaviest, top
    assert "Type: inuse_space" in conduit_command("pprof", "-top", str(heap)).stdout
    assert "client-0" in conduit_command("pprof", "-tags", str(goroutine)).stdout


def test_pprof_fetches_from_the_address_itself(
    profiles: str, tmp_path: Path, conduit_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    import os

    environment = {**os.environ, "PPROF_TMPDIR": str(tmp_path)}
    # A sixth of the service's time is in `score`: of the 40 samples that 4 s on a crowded machine give, some.
    done = conduit_command("pprof", "-top", "-seconds=4", f"{profiles}profile", env=environment)
    assert done.returncode == 0, done.stderr
    assert "score" in done.stdout
    assert "Saved profile in" in done.stderr
    done = conduit_command("pprof", "-top", f"{profiles}mutex", env=environment)
    assert "report" in done.stdout
