from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from conduit._native import available

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BENCHMARK = "def bench_sum(b):\n    for _ in b:\n        sum(range(1000))\n"


@pytest.mark.skipif(not available(), reason="the C extension is not built here")
def test_a_profiled_benchmark_goes_straight_to_the_page(tmp_path: Path) -> None:
    (tmp_path / "bench_sum.py").write_text(BENCHMARK)
    flags = ["-cpuprofile=cpu.prof", "-http=:0", "-no_browser", "-benchtime=20000x"]
    command = [sys.executable, "-m", "conduit", "bench", *flags, "bench_sum.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            if line.startswith("Serving web UI on "):
                break
        url = line.split()[-1]
        page = urllib.request.urlopen(f"{url}/ui/flamegraph", timeout=20).read()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert "BenchmarkSum" in process.stdout.read()
    assert b'"view":"flamegraph"' in page


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["-http=:0"], "-http has no effect here: it needs"),
        (["-no_browser"], "-no_browser has no effect here: it needs -http"),
    ],
)
def test_a_page_without_a_profile_is_a_wrong_call(
    conduit_command: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    flags: list[str],
    message: str,
) -> None:
    (tmp_path / "bench_sum.py").write_text(BENCHMARK)
    done = conduit_command("bench", *flags, "bench_sum.py", cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
