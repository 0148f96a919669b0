"""The shares of three routes in CPU profiles are those that the views measure, in every framework, concurrently.

The benchmark `benchmarks/route_shares.py` holds them to 2 points with more samples than a test can take.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from conduit._native import available
from tests.conftest import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("django")
pytest.importorskip("fastapi")
pytest.importorskip("flask")
pytestmark = pytest.mark.skipif(not available(), reason="labels need the C extension")

ROW = re.compile(r"(half|third|fifth) +([\d.]+) +([\d.]+)")


@pytest.mark.parametrize("framework", ["flask", "django-wsgi", "django-asgi", "fastapi"])
def test_profiled_shares_are_those_that_the_views_measure(framework: str) -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/route_shares.py", framework, "2.5"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shares = {name: (float(true), float(seen)) for name, true, seen in ROW.findall(done.stdout)}
    assert set(shares) == {"half", "third", "fifth"}
    for true, seen in shares.values():
        assert seen == pytest.approx(true, abs=10)  # four standard errors of 600 samples, or more


@pytest.mark.slow
def test_go_tool_pprof_reads_labels_as_tags_and_as_roots(go_pprof: Path, tmp_path: Path) -> None:
    import conduit
    from conduit.record import cpu
    from tests.record.burning import burn

    path = tmp_path / "cpu.prof"
    with cpu(path):
        for route, seconds in (("GET /orders/{id}", 0.6), ("POST /orders", 0.2)):
            with conduit.label(route=route):
                burn(seconds)

    def ask(*flags: str) -> str:
        environment = {**os.environ, "HOME": str(tmp_path), "PPROF_TMPDIR": str(tmp_path), "TZ": "UTC"}
        done = subprocess.run(
            [go_pprof, *flags, path], env=environment, capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout

    tags = ask("-tags")
    assert re.search(r"route: Total", tags)
    assert re.search(r"\((7|8)\d\.\d+%\): GET /orders/\{id\}", tags)
    assert "POST /orders" in tags
    rooted = ask("-top", "-cum", "-tagroot=route")
    assert re.search(r"(7|8)\d\.\d+% +GET /orders/\{id\}", rooted)
    focused = ask("-top", "-tagfocus=route=POST")
    assert re.search(r"burn", focused)
