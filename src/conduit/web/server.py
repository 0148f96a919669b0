"""The page's server: where it listens, and the address to open.

A framework would be a dependency for five routes; which requests are answered and what may run in the page, no
framework decides.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from conduit.errors import ConduitError, UsageError
from conduit.http.origin import LOCAL_NAMES
from conduit.http.server import HttpServer
from conduit.web.application import Application

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.http.messages import Answer
    from conduit.web.application import Session

_MAX_BODY_BYTES = 1 << 20


class LocalServer:
    """Listens at once; `serve()` blocks until `close()`. `url` opens the first page.

    `make` returns the function that answers requests, given the host, whether other machines can reach it, and a
    prefix of all paths. On an address that other machines can reach, the prefix, and `url`, hold a token without which
    no page is shown.
    """

    def __init__(self, make: Callable[[str, bool, str], Answer], address: str) -> None:
        host, port = parse_address(address)
        local = host in LOCAL_NAMES or host.startswith("127.")
        prefix = "" if local else f"/{secrets.token_urlsafe(24)}"
        try:
            self._server = HttpServer(make(host, not local, prefix), (host, port), max_body=_MAX_BODY_BYTES)
        except OSError as error:
            raise ConduitError(
                f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another port, or none for a "
                "free one: -http=:0"
            ) from None
        shown = "localhost" if local else f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.address[1]}{prefix}"

    def serve(self) -> None:
        """Answer requests until closed."""
        self._server.serve()

    def close(self) -> None:
        """End `serve`, which runs in another thread, and free the port."""
        self._server.close()

    def release(self) -> None:
        """Free the port after `serve` has ended."""
        self._server.release()


class PageServer(LocalServer):
    """The server of the profile page."""

    def __init__(self, session: Session, address: str) -> None:
        def make(host: str, remote: bool, prefix: str) -> Answer:
            self.application = Application(session, hosts=frozenset({host}), remote=remote, prefix=prefix)
            return self.application.answer

        super().__init__(make, address)


def parse_address(address: str) -> tuple[str, int]:
    """Parse `[host]:port`: no host is localhost, no port a free one. Raises `UsageError`."""
    host, colon, port = address.rpartition(":")
    if not colon or not ((port.isascii() and port.isdigit()) or not port) or int(port or 0) > 65535:
        raise UsageError(f"invalid -http address {address!r}: expected [host]:port, such as :8080")
    return host.strip("[]") or "localhost", int(port or 0)
