"""A port of its own, in a thread of its own: the door for any program, also one that serves nothing itself.

The standard library's threading server is enough here: requests are few, long and local. A reader that hangs up
is seen by looking at its socket while the profile is taken.
"""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conduit.debug import heap
from conduit.debug.access import Access
from conduit.debug.endpoint import Endpoint
from conduit.debug.messages import Request
from conduit.loopback import LOCAL_NAMES
from conduit.record.heap import DEFAULT_RATE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.debug.messages import Response

_READ_TIMEOUT_S = 10.0  # a client that never finishes its request line loses its thread
_WATCH_INTERVAL_S = 0.1


class Server:
    """A running endpoint. `address` is where it listens (`localhost:6060`, or the path of a Unix socket)."""

    def __init__(self, address: str, access: Access, heap_rate_bytes: int) -> None:
        self._listener = _listen(address, access)
        heap.open_door(heap_rate_bytes)
        self.address: str = self._listener.shown_address
        self._thread = threading.Thread(
            target=self._listener.serve_forever,
            kwargs={"poll_interval": 0.2},
            name="conduit-debug",
            daemon=True,
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The index page's address; for a Unix socket, `curl --unix-socket ADDRESS` reads it."""
        host = self.address if ":" in self.address and "/" not in self.address else "localhost"
        return f"http://{host}/debug/pprof/"

    def close(self) -> None:
        """Stops listening, ends profiles that are being taken, and waits for the thread."""
        self._listener.closing.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()
        heap.close_door()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(
    address: str = "localhost:6060",
    access: Access | None = None,
    *,
    heap_rate_bytes: int = DEFAULT_RATE_BYTES,
) -> Server:
    """Serves `/debug/pprof` at `host:port` or `unix:PATH` in a daemon thread, and returns at once.

    The heap is sampled meanwhile, every `heap_rate_bytes` on average (0: not). An empty host means localhost; port 0 takes a free one (see `Server.address`). Raises `OSError` where the
    address is taken, and `ValueError` for a host that is not this machine's unless `access.remote` is set.
    """
    return Server(address, access or Access(), heap_rate_bytes)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "conduit"
    sys_version = ""
    timeout = _READ_TIMEOUT_S
    server: _Listener

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, path, query, headers, self._peer())
        with _watching(self.connection, self.server.closing) as gone:
            response = self.server.endpoint.answer(request, gone)
        # A body that was sent along is not read: the connection must not be used for another request.
        self.close_connection = self.close_connection or _has_body(headers) or self.server.closing.is_set()
        self._send(response)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _answer  # noqa: N815

    def _peer(self) -> str:
        return str(self.client_address[0]) if isinstance(self.client_address, tuple) else ""

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            for chunk in response.chunks():
                self.wfile.write(chunk)

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client went away: there is nobody to tell

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: the program's standard error is its own."""


class _Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 32

    def __init__(self, family: int, address: Any, shown: str, access: Access) -> None:
        self.address_family = family
        self.endpoint = Endpoint(access)
        self.closing = threading.Event()
        super().__init__(address, _Handler)
        self.shown_address = shown or _shown(self.server_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A request that fails inside is reported by Python's hook for threads, not printed twice."""
        import sys

        sys.excepthook(*sys.exc_info())

    def server_close(self) -> None:
        super().server_close()
        if self.address_family == getattr(socket, "AF_UNIX", None):
            Path(self.shown_address).unlink(missing_ok=True)


def _listen(address: str, access: Access) -> _Listener:
    if address.startswith("unix:"):
        path = address[len("unix:") :]
        return _Listener(socket.AF_UNIX, path, path, access)
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise ValueError(f"cannot serve at {address!r}: expected host:port, such as localhost:6060")
    host = host.strip("[]") or "localhost"
    if not access.remote and host not in LOCAL_NAMES and not host.startswith("127."):
        raise ValueError(
            f"cannot serve at {address!r}: {host!r} can be reached from other machines, which would show them "
            "stacks and the command line. Pass Access(remote=True) if that is meant."
        )
    family, *_, target = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
    return _Listener(family, target, "", access)


def _shown(address: Any) -> str:
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _has_body(headers: dict[str, str]) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


@contextmanager
def _watching(connection: socket.socket, closing: threading.Event) -> Iterator[threading.Event]:
    """An event that is set when the client hangs up or the server closes, while the block runs."""
    gone = _HangUp(connection, closing)
    yield gone


class _HangUp(threading.Event):
    """Waits like an event, and meanwhile looks whether the client is still there: no thread of its own."""

    def __init__(self, connection: socket.socket, closing: threading.Event) -> None:
        super().__init__()
        self._connection = connection
        self._closing = closing

    def wait(self, timeout: float | None = None) -> bool:
        import time

        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = _WATCH_INTERVAL_S if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return False
            if self._closing.wait(min(left, _WATCH_INTERVAL_S)) or self._has_hung_up():
                self.set()
        return True

    def _has_hung_up(self) -> bool:
        try:
            readable, _, _ = select.select([self._connection], [], [], 0)
            return bool(readable) and not self._connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True
