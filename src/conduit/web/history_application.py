"""The history page, served: the document anew at each visit, and the comparison of two commits."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Protocol

from conduit.errors import ConduitError
from conduit.http.messages import HTML, Request, Response, parse_query, plain_response, redirect_response
from conduit.web.access import AccessRules
from conduit.web.answers import page_headers
from conduit.web.server import LocalServer
from conduit.web.turns import take_turn

if TYPE_CHECKING:
    from conduit.http.messages import Answer

_MAX_REVISION = 200


class HistorySource(Protocol):
    """The history being served."""

    def document(self) -> bytes:
        """Return the page, with all that is kept now."""

    def compare(self, old: str, new: str) -> str:
        """Return the table of two commits. Raises `ConduitError`."""


class HistoryApplication:
    """Answers requests about one history, by the rules of the profile page."""

    def __init__(self, source: HistorySource, access: AccessRules) -> None:
        self._source = source
        self._access = access
        self._lock = threading.Lock()

    def answer(self, request: Request, cancelled: threading.Event | None = None) -> Response:
        """Answer one request; an error of the request is told in the response's text."""
        refusal = self._access.refusal(request)
        if refusal is not None:
            return plain_response(403, f"permission denied: {refusal}")
        path = self._access.inner_path(request.path)
        if path is None:
            return plain_response(404, "404 page not found")
        if request.method not in ("GET", "HEAD"):
            return plain_response(405, "Method Not Allowed", ("Allow", "GET, HEAD"))
        try:
            with take_turn(self._lock, cancelled):
                return self._show(path, request)
        except ConduitError as error:
            return plain_response(500, str(error))

    def _show(self, path: str, request: Request) -> Response:
        if path == "/":
            if not request.path.endswith(
                "/"
            ):  # the prefix alone: the page's own addresses stand behind a slash
                return redirect_response(307, f"{request.path}/")
            return Response(200, page_headers(HTML), self._source.document())
        if path == "/compare":
            return self._compare(request.query)
        return plain_response(404, "404 page not found")

    def _compare(self, query: str) -> Response:
        try:
            parameters = parse_query(query)
            old, new = parameters["old"], parameters["new"]
        except (ValueError, KeyError):
            return plain_response(400, "expected old and new, the ids of two commits")
        if not all(_is_commit(revision) for revision in (old, new)):
            return plain_response(400, "expected ids of commits: hexadecimal digits")
        try:
            table = self._source.compare(old, new)
        except ConduitError as error:
            return plain_response(400, str(error))
        return Response(200, page_headers("application/json"), json.dumps({"table": table}).encode())


def _is_commit(revision: str) -> bool:
    return 0 < len(revision) <= _MAX_REVISION and revision.isascii() and revision.isalnum()


def serve_history(source: HistorySource, address: str) -> LocalServer:
    """Return a server of the page at `[host]:port`, which listens.

    Raises `UsageError` for a malformed address and `ConduitError` if the port is taken.
    """

    def make(host: str, remote: bool, prefix: str) -> Answer:
        access = AccessRules(hosts=frozenset({host}), remote=remote, prefix=prefix)
        return HistoryApplication(source, access).answer

    return LocalServer(make, address)
