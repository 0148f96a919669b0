"""Who may ask: by default only this machine, and only by a local name.

Stacks and command lines hold secrets and a profile costs CPU, so an endpoint that a stranger can reach is a
vulnerability. The peer's address keeps other machines out; the Host header keeps out web pages that a local
browser was lured to (DNS rebinding) and whatever a reverse proxy passes on from outside.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conduit.loopback import LOCAL_NAMES, host_name, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.debug.messages import Request


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one door.

    `remote` lets other machines in; `hosts` are further names allowed in the Host header (`*` allows all).
    With `token`, every request needs `Authorization: Bearer TOKEN`. `authorize(request) -> bool` has the last
    word. `max_seconds` bounds the `seconds` parameter; `max_waiting` bounds how many requests may wait at once.
    """

    remote: bool = False
    hosts: tuple[str, ...] = ()
    token: str | None = None
    authorize: Callable[[Request], bool] | None = None
    max_seconds: int = 300
    max_waiting: int = 8

    def refusal(self, request: Request) -> tuple[int, str] | None:
        """The status and the text to refuse a request with; None where it may pass."""
        if not self.remote and not is_loopback(request.peer):
            return 403, "permission denied: only this machine may ask (Access(remote=True) lets others in)"
        name = host_name(request.headers.get("host", ""))
        if "*" not in self.hosts and name not in LOCAL_NAMES and name not in self.hosts:
            return 403, f"permission denied: Host {name!r} is not allowed (name it in Access(hosts=...))"
        if self.token is not None and not _bears(request, self.token):
            return 401, "permission denied: expected Authorization: Bearer TOKEN"
        if self.authorize is not None and not self.authorize(request):
            return 403, "permission denied"
        return None


def _bears(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
