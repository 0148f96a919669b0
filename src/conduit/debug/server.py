"""A port of its own, in a thread of its own: for any program, including one that serves nothing itself."""

from __future__ import annotations

import socket
import threading
from typing import Any

from conduit.debug import heap
from conduit.debug.access import Access, log_warning, require_token
from conduit.debug.endpoint import Endpoint
from conduit.http.origin import LOCAL_NAMES
from conduit.http.server import HttpServer
from conduit.record.heap import DEFAULT_RATE_BYTES


class Server:
    """A running endpoint. `address` is where it listens (`localhost:6060`, or the path of a Unix socket)."""

    def __init__(self, address: str, access: Access, heap_rate_bytes: int) -> None:
        target = _parse_address(address, access)
        if access.remote:
            access = require_token(access, log_warning)
        self._listener = HttpServer(Endpoint(access).answer, target)
        heap.start_sampling(heap_rate_bytes)
        self.address: str = _shown(self._listener.address)
        self._thread = threading.Thread(target=self._listener.serve, name="conduit-debug", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address of the index page; for a Unix socket, `curl --unix-socket ADDRESS` reads it."""
        host = self.address if ":" in self.address and "/" not in self.address else "localhost"
        return f"http://{host}/debug/pprof/"

    def close(self) -> None:
        """Stop listening, end the profiles in progress, and wait for the thread."""
        self._listener.close()
        self._thread.join()
        heap.stop_sampling()

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
    """Serve `/debug/pprof` at `host:port` or `unix:PATH` in a daemon thread, and return at once.

    Only this machine is answered, without a token; with `Access(remote=True)` others are, with one (see `Access`).
    The heap is sampled until `close()`, every `heap_rate_bytes` on average (0: not at all). An empty host means
    localhost; port 0 takes a free one (see `Server.address`). Raises `OSError` if the address is taken, and
    `ValueError` for a host that other machines can reach unless `access.remote` is set.
    """
    return Server(address, access or Access(), heap_rate_bytes)


def _parse_address(address: str, access: Access) -> tuple[str, int] | str:
    if address.startswith("unix:"):
        if not hasattr(socket, "AF_UNIX"):
            raise ValueError(f"cannot serve at {address!r}: this system has no Unix sockets")
        return address[len("unix:") :]
    host, colon, port = address.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"cannot serve at {address!r}: expected host:port, such as localhost:6060")
    host = host.strip("[]") or "localhost"
    if not access.remote and host not in LOCAL_NAMES and not host.startswith("127."):
        raise ValueError(
            f"cannot serve at {address!r}: other machines can reach {host!r} and would see stacks and the command "
            "line. Pass Access(remote=True) if that is intended."
        )
    return host, int(port)


def _shown(address: Any) -> str:
    if isinstance(address, str):
        return address
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
