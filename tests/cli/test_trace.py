from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from conduit.cli import main
from conduit.record.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path


def test_the_viewer_serves_its_page_and_the_trace_and_nothing_to_strangers(tmp_path: Path) -> None:
    with Trace(tmp_path / "trace.out"):
        sum(range(10))
    command = [sys.executable, "-m", "conduit", "trace", "-no_browser", str(tmp_path / "trace.out")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split(" on ")[1].split()[0]
        with urllib.request.urlopen(url) as answer:
            assert b"trace.out" in answer.read()
        with urllib.request.urlopen(f"{url}perfetto/") as answer:
            page, policy = answer.read(), answer.headers["Content-Security-Policy"]
        trace = json.load(urllib.request.urlopen(f"{url}localtrace"))
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(urllib.request.Request(url, headers={"Host": "evil.example"}))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    assert b"Perfetto" in page
    assert "http" not in policy  # the page as shipped names its maker's servers
    assert policy.startswith("default-src 'self' ")
    assert trace["traceEvents"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"go 1.26 trace\0\0\0", "is a trace of a Go program"),
        (b"PK\x03\x04", "is not a trace"),
        (b'{"traceEvents": [', "the trace is damaged"),
        (b'{"other": 1}', "has no traceEvents"),
        (b"\x1f\x8b\x08\x00", "cannot read the trace"),
    ],
)
def test_a_file_that_is_no_trace_is_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    (tmp_path / "t").write_bytes(content)
    assert main(["trace", "-no_browser", str(tmp_path / "t")]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        b'<html>json_data = {"traceEvents": [{"ph": "X", "name": "f", "ts": 1, "dur": 2, "pid": 1, "tid": 1}]};',
        b'{"start_time": 1, "duration": 2, "target_description": "Program: a.py", "root_frame": null}',
        b"main;work 10\n",
    ],
)
def test_a_profile_given_for_a_trace_is_answered_with_the_command_that_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / "my file").write_bytes(content)
    assert main(["trace", "-no_browser", str(tmp_path / "my file")]) == 1
    assert f"conduit pprof -http=:8080 '{tmp_path / 'my file'}'" in capsys.readouterr().err


def test_a_missing_file_or_none_at_all_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(tmp_path / "missing")]) == 1
    assert main(["trace"]) == 2
    assert "expected one trace file, found 0" in capsys.readouterr().err
