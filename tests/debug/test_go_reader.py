"""The real `go tool pprof` takes profiles from our endpoint, as it takes them from a Go program's."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from conduit._native import available
from conduit.debug import serve
from conduit.record import waits

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not available(), reason="the C extension is not built here"),
]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("profile?seconds=1", "cpu"),
        ("wall?seconds=1", "wall"),
        ("heap", "inuse_space"),
        ("allocs", "alloc_space"),
        ("heap?seconds=1", "inuse_space"),
        ("goroutine", "goroutine"),
        ("threadcreate", "threadcreate"),
        ("block", "delay"),
        ("mutex", "delay"),
        ("gil", "delay"),
    ],
)
def test_go_tool_pprof_reads_every_endpoint(go_pprof: Path, tmp_path: Path, name: str, kind: str) -> None:
    stop = threading.Event()
    lock = threading.Lock()

    def work() -> None:
        while not stop.wait(0.001):
            with lock:
                bytearray(sum(range(1000)) % 5000 + 100_000)

    workers = [threading.Thread(target=work) for _ in range(2)]
    waits.set_block_profile_rate(1)
    waits.set_mutex_profile_fraction(1)
    for worker in workers:
        worker.start()
    try:
        with serve("localhost:0") as server:
            done = subprocess.run(
                [go_pprof, "-top", f"{server.url}{name}"],
                env={**os.environ, "HOME": str(tmp_path), "PPROF_TMPDIR": str(tmp_path), "TZ": "UTC"},
                capture_output=True,
                text=True,
                timeout=120,
            )
    finally:
        stop.set()
        for worker in workers:
            worker.join()
        waits.set_block_profile_rate(0)
        waits.set_mutex_profile_fraction(0)
    assert done.returncode == 0, done.stderr
    assert f"Type: {kind}" in done.stdout
    assert "flat  flat%" in done.stdout
    assert "not available" not in done.stderr  # the mapping has a name, so nothing is asked of binaries


def test_go_tool_pprof_takes_a_cpu_profile_by_its_own_parameter(go_pprof: Path, tmp_path: Path) -> None:
    with serve("localhost:0") as server:
        done = subprocess.run(
            [go_pprof, "-raw", "-seconds=1", f"{server.url}profile"],
            env={**os.environ, "HOME": str(tmp_path), "PPROF_TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    assert "PeriodType: cpu nanoseconds" in done.stdout
    assert "Saved profile in" in done.stderr
