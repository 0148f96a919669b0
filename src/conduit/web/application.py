"""A request to the page's server and its answer: routes, what may be changed, and by whom.

Paths and parameters are those of the original's web interface. Unlike there, a Host that is not this machine's name
is refused, and whatever changes something is a POST that carries the page's token and comes from the page itself.
"""

from __future__ import annotations

import gzip
import hmac
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlsplit

from conduit.loopback import LOCAL_NAMES, host_name, is_loopback
from conduit.web.page import POLICY, SCRIPTS, STATIC, served_page

if TYPE_CHECKING:
    from collections.abc import Mapping

VIEWS = ("flamegraph", "top", "graph", "peek", "source")
_OLD_NAMES = {"flamegraph2": "flamegraph", "flamegraphold": "flamegraph", "weblist": "source"}
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_COMPRESS_FROM = 4096


class Session(Protocol):
    """What the pages are about: a profile, its options, the saved configurations."""

    def page(self, view: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The data of one view. Raises `ViewError` with the text for the reader."""

    def download(self) -> bytes:
        """The profile as gzipped protobuf."""

    def save_config(self, name: str, parameters: Mapping[str, str]) -> None:
        """Keeps the parameters under a name."""

    def delete_config(self, name: str) -> None:
        """Forgets a name."""

    def refresh(self) -> None:
        """Fetches the sources again."""


class ViewError(Exception):
    """A view cannot be made: a bad parameter, nothing matched. `status` is the HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Request(NamedTuple):
    """`target` is path and query; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    peer: str


class Response(NamedTuple):
    """A whole answer, without Content-Length."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Application:
    """Answers requests about one session. `hosts` are the names in Host that are let in beside the local ones."""

    def __init__(
        self, session: Session, *, hosts: frozenset[str] = frozenset(), remote: bool = False
    ) -> None:
        self._session = session
        self._hosts = LOCAL_NAMES | hosts
        self._remote = remote
        self.token = secrets.token_urlsafe(24)

    def answer(self, request: Request) -> Response:
        """Answers one request; a fault of the request is told in its text, never as a stack."""
        if not self._remote and not is_loopback(request.peer):
            return _text(403, "permission denied")
        if host_name(request.headers.get("host", "")) not in self._hosts:
            return _text(403, "permission denied: this Host is not served here")
        parts = urlsplit(request.target)
        try:
            if request.method == "POST":
                return self._change(parts.path, request)
            if request.method not in ("GET", "HEAD"):
                return _text(405, "Method Not Allowed", ("Allow", "GET, HEAD, POST"))
            return self._show(parts.path, parts.query, request)
        except ViewError as error:
            return _text(error.status, str(error))

    def _show(self, path: str, query: str, request: Request) -> Response:
        suffix = f"?{query}" if query else ""
        if path in ("/", "/ui"):
            return _redirect(307, ("/ui" if path == "/" else "/ui/") + suffix)
        if not path.startswith("/ui/"):
            return _text(404, "404 page not found")
        name = path[len("/ui/") :]
        if name == "" or name in _OLD_NAMES:
            return _redirect(301, _OLD_NAMES.get(name, "flamegraph") + suffix)
        if name.startswith("static/"):
            return _static(name[len("static/") :])
        if name == "download":
            disposition = ("Content-Disposition", "attachment; filename=profile.pb.gz")
            return Response(
                200, (_type("application/vnd.google.protobuf+gzip"), disposition), self._session.download()
            )
        if name == "disasm":
            return _text(
                400, "there is no machine code to show: these are Python's functions. See Source instead"
            )
        if name in VIEWS:
            return self._view(name, query, request)
        return _text(404, "404 page not found")

    def _view(self, view: str, query: str, request: Request) -> Response:
        data = self._session.page(view, dict(parse_qsl(query)))
        page = served_page({**data, "token": self.token})
        headers = (
            _type("text/html; charset=utf-8"),
            ("Content-Security-Policy", POLICY),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        )
        if len(page) >= _COMPRESS_FROM and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(200, (*headers, ("Content-Encoding", "gzip")), gzip.compress(page, 1))
        return Response(200, headers, page)

    def _change(self, path: str, request: Request) -> Response:
        origin = request.headers.get("origin")
        if origin is not None and host_name(urlsplit(origin).netloc) != host_name(
            request.headers.get("host", "")
        ):
            return _text(403, "permission denied: the request comes from another page")
        if not hmac.compare_digest(request.headers.get("x-conduit-token", "").encode(), self.token.encode()):
            return _text(403, "permission denied: the page's token is missing; load the page again")
        parameters = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        name = parameters.pop("config", "")
        match path:
            case "/ui/saveconfig":
                self._session.save_config(name, parameters)
            case "/ui/deleteconfig":
                self._session.delete_config(name)
            case "/ui/refresh":
                self._session.refresh()
            case _:
                return _text(404, "404 page not found")
        return _text(200, "done")


def _static(name: str) -> Response:
    if name not in (*SCRIPTS, "style.css"):
        return _text(404, "404 page not found")
    path = STATIC / name
    headers = (
        _type(_TYPES[path.suffix]),
        ("Cache-Control", "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
    )
    return Response(200, headers, path.read_bytes())


def _type(content_type: str) -> tuple[str, str]:
    return ("Content-Type", content_type)


def _text(status: int, message: str, *headers: tuple[str, str]) -> Response:
    kind = (_type("text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff"))
    return Response(status, (*kind, *headers), f"{message}\n".encode())


def _redirect(status: int, target: str) -> Response:
    return Response(status, (("Location", target), _type("text/plain")), HTTPStatus(status).phrase.encode())
