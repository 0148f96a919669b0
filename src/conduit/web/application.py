"""The pages' routes, which requests may change something, and which are answered at all.

Paths and parameters are those of google/pprof's web interface. Unlike there, a request for another host's name, from
a proxy or from a page of another origin is refused; a change is a POST that carries the page's token; and beyond the
loopback address every address needs a token, `/TOKEN/ui/…`.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Protocol

from conduit.errors import ConduitError
from conduit.http.messages import HTML, Request, Response, parse_query, plain_response, redirect_response
from conduit.http.origin import same_secret
from conduit.web.access import AccessRules
from conduit.web.answers import compressed_response, page_headers
from conduit.web.page import (
    ALL_SCRIPTS,
    ALL_STYLES,
    POLICY,
    SCRIPTS,
    STATIC,
    STYLES,
    all_scripts,
    all_styles,
    served_page,
)
from conduit.web.turns import UnfinishedError

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from conduit.http.access import Access

VIEWS = ("flamegraph", "top", "graph", "peek", "source", "labels", "changes", "growth")
_OLD_NAMES = {"flamegraph2": "flamegraph", "flamegraphold": "flamegraph", "weblist": "source"}
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_COMPRESS_FROM = 4096


class Session(Protocol):
    """The profile being served, its options and saved configurations."""

    def page(
        self, view: str, parameters: Mapping[str, str], cancelled: threading.Event | None = None
    ) -> dict[str, Any]:
        """Return the data of one view. Raises `ViewError` with the text for the reader."""

    def lines(
        self, function: str, parameters: Mapping[str, str], cancelled: threading.Event | None = None
    ) -> dict[str, Any]:
        """Return the source lines of one function with what they took. Raises `ViewError` where there are none."""

    def failed_page(self, view: str, message: str) -> dict[str, Any]:
        """Return the data of a page that shows no view, but why there is none."""

    def subtree(
        self, below: str, parameters: Mapping[str, str], cancelled: threading.Event | None = None
    ) -> dict[str, Any]:
        """Return the part of the flame graph below a node. Raises `ViewError` for a malformed one."""

    def download(self) -> bytes:
        """Return the profile as gzipped protobuf."""

    def save_config(self, name: str, parameters: Mapping[str, str]) -> None:
        """Save the parameters under a name."""

    def delete_config(self, name: str) -> None:
        """Delete a saved configuration."""

    def refresh(self, seconds: str = "") -> None:
        """Fetch the profile's sources again, for so many seconds where they are recorded and the text is not empty."""


class ViewError(Exception):
    """A view cannot be made: a bad parameter, nothing matched. `status` is the HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Application:
    """Answers requests about one session.

    `hosts` are names allowed in Host beside the local ones. `prefix`, which starts with a slash, stands before every
    path; with `remote`, where other machines are answered, it holds a secret. `access`, inside an application, replaces
    the rules on hosts and addresses.
    """

    def __init__(
        self,
        session: Session,
        *,
        hosts: frozenset[str] = frozenset(),
        remote: bool = False,
        prefix: str = "",
        access: Access | None = None,
    ) -> None:
        self._session = session
        self._rules = AccessRules(hosts=hosts, remote=remote, prefix=prefix)
        self._access = access
        self._prefix = prefix
        self.token = secrets.token_urlsafe(24)

    def answer(self, request: Request, cancelled: threading.Event | None = None) -> Response:
        """Answer one request; an error of the request is told in the response's text."""
        if self._access is not None:
            refused = self._access.refusal(request)
            if refused is not None:
                return plain_response(*refused)
        refusal = self._rules.refusal(request) if self._access is None else None
        if refusal is not None:
            return plain_response(403, f"permission denied: {refusal}")
        path = self._rules.inner_path(request.path)
        if path is None:
            return plain_response(404, "404 page not found")
        try:
            if request.method == "POST":
                return self._change(path, request)
            if request.method not in ("GET", "HEAD"):
                return plain_response(405, "Method Not Allowed", ("Allow", "GET, HEAD, POST"))
            return self._show(path, request, cancelled)
        except ViewError as error:
            return plain_response(error.status, str(error))
        except UnfinishedError as error:
            return plain_response(503, str(error))
        except ConduitError as error:
            return plain_response(500, str(error))

    def _show(self, path: str, request: Request, cancelled: threading.Event | None) -> Response:
        suffix = f"?{request.query}" if request.query else ""
        if path in ("/", "/ui"):
            return redirect_response(307, self._prefix + ("/ui" if path == "/" else "/ui/") + suffix)
        if not path.startswith("/ui/"):
            return plain_response(404, "404 page not found")
        name = path[len("/ui/") :]
        if name == "" or name in _OLD_NAMES:
            return redirect_response(301, _OLD_NAMES.get(name, "flamegraph") + suffix)
        if name.startswith("static/"):
            return _static(name[len("static/") :], named="v=" in request.query)
        if name == "download":
            disposition = ("Content-Disposition", "attachment; filename=profile.pb.gz")
            return Response(
                200, (_type("application/vnd.google.protobuf+gzip"), disposition), self._session.download()
            )
        if name == "disasm":
            return plain_response(
                400, "Python functions have no machine code to show; the Source view shows their lines"
            )
        if name == "subtree":
            return self._subtree(request, cancelled)
        if name == "lines":
            return self._lines(request, cancelled)
        if name in VIEWS:
            return self._view(name, request, cancelled)
        return plain_response(404, "404 page not found")

    def _view(self, view: str, request: Request, cancelled: threading.Event | None) -> Response:
        accepted = request.headers.get("accept", "")
        status = 200
        try:
            data = self._session.page(view, _parameters(request.query), cancelled)
        except ViewError as error:
            if "text/html" not in accepted:
                raise
            status, data = error.status, self._session.failed_page(view, str(error))
        data["token"] = self.token
        if accepted.startswith("application/json"):  # the page itself, which replaces what it shows
            page = json.dumps(data, separators=(",", ":")).encode("utf-8", "replace")
            type = "application/json"
        else:
            page, type = served_page(data), HTML
        headers = (*page_headers(type, POLICY), ("Vary", "Accept"))
        return compressed_response(request, status, headers, page, _COMPRESS_FROM)

    def _subtree(self, request: Request, cancelled: threading.Event | None) -> Response:
        parameters = _parameters(request.query)
        return _json(self._session.subtree(parameters.pop("below", ""), parameters, cancelled))

    def _lines(self, request: Request, cancelled: threading.Event | None) -> Response:
        parameters = _parameters(request.query)
        return _json(self._session.lines(parameters.pop("function", ""), parameters, cancelled))

    def _change(self, path: str, request: Request) -> Response:
        if not same_secret(request.headers.get("x-conduit-token", ""), self.token):
            return plain_response(403, "permission denied: the page's token is missing; load the page again")
        parameters = _parameters(request.body.decode("utf-8", "replace"))
        name = parameters.pop("config", "")
        match path:
            case "/ui/saveconfig":
                self._session.save_config(name, parameters)
            case "/ui/deleteconfig":
                self._session.delete_config(name)
            case "/ui/refresh":
                self._session.refresh(parameters.get("seconds", ""))
            case _:
                return plain_response(404, "404 page not found")
        return plain_response(200, "done")


def _parameters(query: str) -> dict[str, str]:
    try:
        return {name: value for name, value in parse_query(query).items() if value}
    except ValueError as error:
        raise ViewError(f"invalid query: {error}") from None


def _json(document: dict[str, Any]) -> Response:
    headers = (
        _type("application/json"),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    )
    return Response(200, headers, json.dumps(document, separators=(",", ":")).encode("utf-8", "replace"))


def _static(name: str, *, named: bool) -> Response:
    """Return a script or style; with `named`, the address names what it holds, and it may be kept."""
    joined = {ALL_SCRIPTS: all_scripts, ALL_STYLES: all_styles}.get(name)
    if joined is None and name not in (*SCRIPTS, *STYLES):
        return plain_response(404, "404 page not found")
    path = STATIC / name
    headers = (
        _type(_TYPES[path.suffix]),
        ("Cache-Control", "private, max-age=604800, immutable" if named else "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
    )
    return Response(200, headers, path.read_bytes() if joined is None else joined().encode())


def _type(content_type: str) -> tuple[str, str]:
    return ("Content-Type", content_type)
