"""The page's server: the standard library's, since it serves one reader on one machine.

A framework would bring a dependency for five routes; what matters here, who may ask and what may run in the page, no
framework decides. Requests are answered in threads, so that a slow view does not hold up the next.
"""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from conduit.errors import ConduitError, UsageError
from conduit.loopback import LOCAL_NAMES
from conduit.web.application import Application, Request

if TYPE_CHECKING:
    from conduit.web.application import Session

_LARGEST_BODY = 1 << 20


class PageServer:
    """Listens at once; `serve()` blocks until `close()`. `url` opens the first page."""

    def __init__(self, session: Session, address: str) -> None:
        host, port = parse_address(address)
        local = host in LOCAL_NAMES or host.startswith("127.")
        application = Application(session, hosts=frozenset({host}), remote=not local)
        try:
            self._server = _Server((host, port), application)
        except OSError as error:
            raise ConduitError(
                f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another port, or none for a free one: -http=:0"
            ) from None
        self.url = f"http://{'localhost' if local else host}:{self._server.server_address[1]}"

    def serve(self) -> None:
        """Answers requests until closed."""
        self._server.serve_forever()

    def close(self) -> None:
        """Ends `serve`, which runs in another thread, and frees the port."""
        self._server.shutdown()
        self.release()

    def release(self) -> None:
        """Frees the port after `serve` has ended."""
        self._server.server_close()


def parse_address(address: str) -> tuple[str, int]:
    """Reads `[host]:port`: no host is localhost, no port is a free one. Raises `UsageError`."""
    host, colon, port = address.rpartition(":")
    if not colon or not (port.isdigit() or not port) or int(port or 0) > 65535:
        raise UsageError(f"invalid -http address {address!r}: expected [host]:port, such as :8080")
    return host.strip("[]") or "localhost", int(port or 0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], application: Application) -> None:
        self.application = application
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Server

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0")
        size = int(length) if length.isdigit() else 0
        if size > _LARGEST_BODY:
            self.send_error(413)
            return
        request = Request(
            self.command, self.path, headers, self.rfile.read(size), str(self.client_address[0])
        )
        response = self.server.application.answer(request)
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the browser went on to another page

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: the terminal belongs to the command."""
