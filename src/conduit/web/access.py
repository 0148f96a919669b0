"""Which requests a page's server answers: those from this machine or with the secret path, not those of other pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.http.origin import (
    LOCAL_NAMES,
    forwarding_header,
    host_name,
    is_cross_origin,
    is_loopback,
    same_secret,
)

if TYPE_CHECKING:
    from conduit.http.messages import Request


class AccessRules:
    """The rules of one server.

    `hosts` are names allowed in Host beside the local ones. `prefix`, which starts with a slash, stands before every
    path; with `remote`, where other machines are answered, it holds a secret.
    """

    def __init__(
        self, *, hosts: frozenset[str] = frozenset(), remote: bool = False, prefix: str = ""
    ) -> None:
        self._hosts = LOCAL_NAMES | hosts
        self._remote = remote
        self.prefix = prefix

    def refusal(self, request: Request) -> str | None:
        """Return why a request is not answered, by its origin; None where it is."""
        if not self._remote:
            if not is_loopback(request.peer):
                return "only this machine may ask"
            header = forwarding_header(request.headers)
            if header is not None:
                return f"the header {header} says that a proxy forwarded this request"
        if host_name(request.headers.get("host", "").strip()) not in self._hosts:
            return "this Host is not served here"
        if is_cross_origin(request.headers, navigation=request.method in ("GET", "HEAD")):
            return "the request comes from another page"
        return None

    def inner_path(self, path: str) -> str | None:
        """Return the path after the prefix, which is compared in constant time; None without it."""
        size = len(self.prefix)
        if not same_secret(path[:size], self.prefix) or path[size : size + 1] not in ("", "/"):
            return None
        return path[size:] or "/"
