"""A server for few, long, local requests: the standard library's, a thread for each connection, limits on everything.

The standard library parses; what it lets through and a proxy in front could read differently is refused here: two
Host headers, two lengths, a body in chunks, folded headers. `serve_answer` is the boundary: whatever a handler raises
becomes an answer with status 500 and an entry in the log `conduit.http`.
"""

from __future__ import annotations

import io
import select
import socket
import socketserver
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conduit.http.messages import Request, Response, join_headers, plain_response

if TYPE_CHECKING:
    from conduit.http.messages import Answer

REQUEST_TIMEOUT_S = 10.0  # for the whole head and body of a request; a client that stalls loses its thread
WRITE_TIMEOUT_S = 30.0  # between two pieces of a response that the client takes
MAX_CONNECTIONS = 64
_WATCH_INTERVAL_S = 0.1
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def serve_answer(answer: Answer, request: Request, cancelled: threading.Event) -> Response:
    """Return the handler's response; log what it raises and return status 500."""
    try:
        return answer(request, cancelled)
    except Exception as error:
        import logging

        logging.getLogger("conduit.http").exception(
            "%s %s failed", ascii(request.method)[1:-1], ascii(request.path)[1:-1]
        )
        return plain_response(
            500, f"internal error: {type(error).__name__}; the server's log has the details"
        )


class HttpServer:
    """Listens at once; `serve()` answers until `close()`.

    `address` is `(host, port)` or the path of a Unix socket. Bodies of at most `max_body` bytes are read; with 0,
    none is, and the connection is closed after the answer. Raises `OSError` where the address cannot be used.
    """

    def __init__(
        self, answer: Answer, address: tuple[str, int] | str, *, max_body: int = 0, name: str = "conduit"
    ) -> None:
        self.closing = threading.Event()
        self._listener = _Listener(answer, address, max_body, name, self.closing)

    @property
    def address(self) -> Any:
        """The socket's own name: `(host, port, …)`, or the path of a Unix socket."""
        return self._listener.server_address

    def serve(self) -> None:
        """Answer requests until `close` is called from another thread."""
        self._listener.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """End `serve` and the requests in progress, and free the address."""
        self.closing.set()
        # Wakes `serve` on Linux; where it is refused, `serve` sees at the end of its poll interval that it is to end.
        with suppress(OSError):
            self._listener.socket.shutdown(socket.SHUT_RDWR)
        self._listener.shutdown()
        self.release()

    def release(self) -> None:
        """Free the address after `serve` has ended."""
        self.closing.set()
        self._listener.server_close()


class _Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self,
        answer: Answer,
        address: tuple[str, int] | str,
        max_body: int,
        name: str,
        closing: threading.Event,
    ) -> None:
        self.answer = answer
        self.max_body = max_body
        self.name = name
        self.closing = closing
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        if isinstance(address, str):
            self.address_family = socket.AF_UNIX
            super().__init__(address, _Handler)  # type: ignore[arg-type]
        else:
            host, port = address
            self.address_family, *_, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            super().__init__(target, _Handler)  # type: ignore[arg-type]

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        with suppress(OSError):
            request.settimeout(0)
            request.send(_BUSY)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a failure outside the handlers: the connection is lost, the server goes on."""
        import logging

        logging.getLogger("conduit.http").exception("a connection failed")

    def server_close(self) -> None:
        super().server_close()
        if self.address_family == getattr(socket, "AF_UNIX", None):
            Path(str(self.server_address)).unlink(missing_ok=True)


class _BadRequestError(Exception):
    """A request that is not answered; `status` and the text say why. The connection is closed."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "conduit"
    sys_version = ""
    # Head and body of a short response go out as one piece. As two, the second waited 40 ms for the client's
    # acknowledgement of the first, on every request of a kept connection but its first ones.
    wbufsize = 1 << 16
    server: _Listener

    def setup(self) -> None:
        super().setup()
        if self.connection.family != getattr(socket, "AF_UNIX", None):
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._reader = _DeadlineReader(self.connection)
        self.rfile = io.BufferedReader(self._reader)

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client went away

    def handle_one_request(self) -> None:
        self._reader.deadline = time.monotonic() + REQUEST_TIMEOUT_S
        super().handle_one_request()

    def _answer(self) -> None:
        try:
            request = self._request()
        except _BadRequestError as error:
            self.close_connection = True
            self._send(plain_response(error.status, str(error)))
            return
        cancelled = ClientWatch(self.connection, self.server.closing)
        response = serve_answer(self.server.answer, request, cancelled)
        self.close_connection = self.close_connection or self.server.closing.is_set()
        self._send(response)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _answer  # noqa: N815

    def _request(self) -> Request:
        if self.request_version == "HTTP/0.9":
            self.request_version = "HTTP/1.0"
            raise _BadRequestError(505, "HTTP/0.9 is not supported")
        pairs = [(name, str(value)) for name, value in self.headers.items()]
        if self.headers.defects or any(_is_folded(value) for _, value in pairs):
            raise _BadRequestError(400, "malformed header")
        if len(self.headers.get_all("host", [])) != 1 and self.request_version != "HTTP/1.0":
            raise _BadRequestError(400, "expected one Host header")
        path, _, query = self.path.partition("?")
        if not path.startswith("/"):
            raise _BadRequestError(400, "expected a path that starts with /")
        peer = str(self.client_address[0]) if isinstance(self.client_address, tuple) else ""
        return Request(self.command, path, query, join_headers(pairs), peer, self._body())

    def _body(self) -> bytes:
        if "transfer-encoding" in self.headers:
            raise _BadRequestError(501, "bodies in chunks are not supported: send Content-Length")
        lengths = self.headers.get_all("content-length", ["0"])
        text = lengths[0].strip()
        if len(lengths) > 1 or not (text.isascii() and text.isdigit()) or len(text) > 15:
            raise _BadRequestError(400, "expected one Content-Length, a whole number")
        size = int(text)
        if self.server.max_body == 0:
            # An unread body would be taken for the next request.
            self.close_connection = self.close_connection or size > 0
            return b""
        if size > self.server.max_body:
            raise _BadRequestError(413, f"the body is larger than {self.server.max_body} bytes")
        body = self.rfile.read(size)
        if len(body) < size:
            raise _BadRequestError(400, "the body is shorter than Content-Length")
        return body

    def _send(self, response: Response) -> None:
        self.connection.settimeout(WRITE_TIMEOUT_S)
        self.send_response(response.status, _phrase(response.status))
        for name, value in response.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            for chunk in response.chunks():
                self.wfile.write(chunk)
        self.wfile.flush()

    def handle_expect_100(self) -> bool:
        """Tell a client that waits for it before it sends the body to go on."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the parser refuses, in plain text, and close."""
        self.close_connection = True
        self.request_version = "HTTP/1.1"
        self._send(plain_response(int(code), _phrase(int(code))))

    def version_string(self) -> str:
        return self.server.name

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing: standard error belongs to the program."""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _is_folded(value: str) -> bool:
    return any(letter in value for letter in "\r\n\0")


class _DeadlineReader(io.RawIOBase):
    """Reads a socket until `deadline` (of `time.monotonic`), however slowly the bytes come."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self.deadline = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class ClientWatch(threading.Event):
    """Is set when the client hangs up or the server closes. Checked while waited for: there is no thread behind it."""

    def __init__(self, connection: socket.socket, closing: threading.Event) -> None:
        super().__init__()
        self._connection = connection
        self._closing = closing

    def is_set(self) -> bool:
        """Return whether the request has become pointless, asked of the socket now."""
        if not super().is_set() and (self._closing.is_set() or _has_hung_up(self._connection)):
            self.set()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for at most `timeout` seconds; return whether it is set."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = _WATCH_INTERVAL_S if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return False
            self._closing.wait(min(left, _WATCH_INTERVAL_S))
        return True


def _has_hung_up(connection: socket.socket) -> bool:
    try:
        if not _is_readable(connection):
            return False
        return not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


def _is_readable(connection: socket.socket) -> bool:
    if connection.fileno() < 0:
        return True
    if not hasattr(select, "poll"):  # Windows: its select has no limit on the number of a socket
        return bool(select.select([connection], [], [], 0)[0])
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
