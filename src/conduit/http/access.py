"""Which requests an endpoint answers: by default those from this machine, to a local name, and not through a proxy.

Stacks and command lines may contain secrets and a profile uses CPU time, so an endpoint that strangers can reach is a
vulnerability. `conduit.http.origin` has the rules on addresses and headers. Inside an application they are not enough:
behind a proxy with nginx's defaults, every client appears to be local. Therefore a token is required as well.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conduit.http.messages import plain_response
from conduit.http.origin import (
    LOCAL_NAMES,
    bears_token,
    cookie_value,
    forwarding_header,
    host_name,
    is_cross_origin,
    is_loopback,
    same_secret,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.http.messages import Request, Response

TOKEN_VARIABLE = "CONDUIT_DEBUG_TOKEN"
COOKIE = "conduit_debug"


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one endpoint.

    `remote` lets other machines and proxies in; `hosts` are further names allowed in the Host header (`*` allows all).
    With `token`, every request needs it: as `Authorization: Bearer TOKEN`, as the password of Basic authentication,
    or in the cookie that `login?token=TOKEN` below its path sets. An endpoint that is part of an application, or that
    is `remote`, always needs one (`CONDUIT_DEBUG_TOKEN`, or a new one that is logged) unless `open` is true.
    `authorize(request) -> bool` can refuse what all other rules allow. `max_seconds` bounds the `seconds` parameter;
    `max_waiting` bounds how many requests may wait at once.
    """

    remote: bool = False
    hosts: tuple[str, ...] = ()
    token: str | None = None
    authorize: Callable[[Request], bool] | None = None
    max_seconds: int = 300
    max_waiting: int = 8
    open: bool = False

    def __post_init__(self) -> None:
        if self.token == "":
            raise ValueError("the token is empty: pass a secret text, or None to have one made")

    def refusal(self, request: Request) -> tuple[int, str] | None:
        """Return the status and the text to refuse a request with; None if it may pass."""
        return self.refusal_by_origin(request) or self._refusal_by_secret(request)

    def refusal_by_origin(self, request: Request) -> tuple[int, str] | None:
        """Return the reason to refuse a request before its token is checked, or None."""
        if not self.remote:
            if not is_loopback(request.peer):
                return (
                    403,
                    "permission denied: only this machine may ask (Access(remote=True) lets others in)",
                )
            header = forwarding_header(request.headers)
            if header is not None:
                return 403, (
                    f"permission denied: the header {header} says that a proxy forwarded this request "
                    "(Access(remote=True) allows it)"
                )
        if is_cross_origin(request.headers):
            return 403, "permission denied: a page of another origin sent this request"
        name = host_name(request.headers.get("host", "").strip())
        if "*" not in self.hosts and name not in LOCAL_NAMES and name not in self.hosts:
            return 403, f"permission denied: Host {name!a} is not allowed (name it in Access(hosts=...))"
        return None

    def _refusal_by_secret(self, request: Request) -> tuple[int, str] | None:
        if self.token is not None and not bears_token(request.headers, self.token, COOKIE):
            return 401, (
                "permission denied: expected the header Authorization: Bearer TOKEN "
                "(in a browser, open login?token=TOKEN here first)"
            )
        if self.authorize is not None and not self.authorize(request):
            return 403, "permission denied"
        return None


def require_token(access: Access | None, say: Callable[[str], None], path: str = "/debug/pprof") -> Access:
    """Return the rules with a token: the given one, the environment's, or a new one, which `say` announces.

    Rules that say `open=True` are returned as they are. `path` is what the message names.
    """
    access = access or Access()
    if access.open or access.token is not None:
        return access
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        token = secrets.token_urlsafe(24)
        say(
            f"{path} needs a token (set {TOKEN_VARIABLE} to choose it). "
            f"Send `Authorization: Bearer {token}`, or log in with a browser at {path}/login?token={token}"
        )
    return dataclasses.replace(access, token=token)


def log_in(access: Access, given: str) -> Response:
    """Exchange the token in an address for a cookie, and lead to the index beside it."""
    if access.token is None:
        return plain_response(404, "this endpoint has no token: nothing to log in to")
    if not same_secret(given, access.token):
        return plain_response(401, "permission denied: expected login?token=TOKEN")
    cookie = f"{COOKIE}={cookie_value(access.token)}; HttpOnly; SameSite=Strict"
    headers = (("Location", "./"), ("Set-Cookie", cookie), ("Cache-Control", "no-store"))
    return plain_response(303, "logged in", *headers, ("Referrer-Policy", "no-referrer"))


def log_warning(message: str) -> None:
    """Announce a new token in the log `conduit.debug`: on standard error, unless the program configures logging."""
    import logging

    logging.getLogger("conduit.debug").warning("%s", message)
