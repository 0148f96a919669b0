from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conduit.errors import ConduitError
from conduit.http.messages import Request
from conduit.web.trace_viewer import TraceViewer, read_trace

if TYPE_CHECKING:
    from collections.abc import Iterator
TRACE = {"traceEvents": [], "file_info": {"files": {"a.py": ["x", 1]}}}


@pytest.fixture
def viewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TraceViewer]:
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<html>the page</html>")
    (tmp_path / "secret.txt").write_text("secret")
    (page / "link.txt").symlink_to(tmp_path / "secret.txt")
    monkeypatch.setattr("conduit.web.trace_viewer._page_folder", lambda: page)
    (tmp_path / "trace.json").write_text(json.dumps(TRACE))
    viewer = TraceViewer(tmp_path / "trace.json")
    yield viewer
    viewer._server.release()


def ask(viewer: TraceViewer, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    sent = {"host": "localhost:8080", **{name.replace("_", "-"): text for name, text in headers.items()}}
    response = viewer.answer(Request(method, path, "", sent, "127.0.0.1"))
    return response.status, bytes(response.body)


def test_the_page_the_trace_and_its_sources_are_served(viewer: TraceViewer) -> None:
    assert ask(viewer, "/perfetto/") == (200, b"<html>the page</html>")
    assert ask(viewer, "/vizviewer_info") == (200, b"{}")
    assert json.loads(ask(viewer, "/localtrace")[1]) == TRACE
    assert json.loads(ask(viewer, "/file_info")[1]) == TRACE["file_info"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "localhost, evil.example"},
        {"x_forwarded_for": "10.0.0.7"},
        {"origin": "http://evil.example"},
        {"sec_fetch_site": "cross-site"},
    ],
)
def test_no_method_passes_the_rules_on_origin(
    viewer: TraceViewer, method: str, headers: dict[str, str]
) -> None:
    assert ask(viewer, "/localtrace", method, **headers)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/link.txt",
        "/a%00b",
        "//etc/passwd",
        "/%00",
    ],
)
def test_no_path_leads_out_of_the_pages_folder(viewer: TraceViewer, path: str) -> None:
    assert ask(viewer, path)[0] == 404


@pytest.mark.parametrize(
    "content",
    [
        b"\x1f\x8bdamaged",
        gzip.compress(b'{"a":1}')[:-9],
        b"[" * 200_000,
        b'{"traceEvents": 5}',
        b"go 1.21 trace",
    ],
    ids=["damaged", "cut off", "nested deeply", "no list of events", "of Go"],
)
def test_a_damaged_trace_is_an_error_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr("conduit.web.trace_viewer._page_folder", lambda: tmp_path)
    (tmp_path / "trace.json").write_bytes(content)
    with pytest.raises(ConduitError, match="trace"):
        TraceViewer(tmp_path / "trace.json")


def test_a_trace_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conduit.web.trace_viewer._MAX_TRACE_BYTES", 1000)
    (tmp_path / "trace.json.gz").write_bytes(gzip.compress(b"[" + b" " * 5000 + b"]"))
    with pytest.raises(ConduitError, match="it is larger than"):
        read_trace(tmp_path / "trace.json.gz")


def test_what_begins_like_no_trace_is_not_read_to_its_end() -> None:
    with pytest.raises(ConduitError, match="/dev/zero is not a trace"):
        read_trace(Path("/dev/zero"))
