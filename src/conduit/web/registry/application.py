"""The registry's page, served: the document and the source files it names, by the rules of the profile page."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from conduit.errors import ConduitError
from conduit.http.messages import (
    HTML,
    PLAIN,
    Request,
    Response,
    parse_query,
    plain_response,
    redirect_response,
)
from conduit.web.answers import compressed_response, pack, page_headers
from conduit.web.turns import take_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.http.access import Access
    from conduit.web.access import AccessRules
    from conduit.web.application import Application

_COMPRESS_FROM = 64 << 10


class RegistrySource(Protocol):
    """The application being shown."""

    def page(self) -> bytes:
        """Return the page's document. Raises `ConduitError`."""

    def source(self, number: str) -> str:
        """Return the text of a file that the document names. Raises `ConduitError`."""


class RegistryApplication:
    """Answers requests about one application.

    `access`, inside an application that mounts the page, replaces the rules on hosts and addresses. `profiles` answer
    below `profile/NUMBER`, by rules of their own.
    """

    def __init__(
        self,
        source: RegistrySource,
        rules: AccessRules,
        access: Access | None = None,
        profiles: Sequence[Application] = (),
    ) -> None:
        self._profiles = profiles
        self._source = source
        self._rules = rules
        self._lock = threading.Lock()
        self._packed: tuple[bytes, bytes] = (b"", b"")
        self._access = access

    def answer(self, request: Request, cancelled: threading.Event | None = None) -> Response:
        """Answer one request; an error of the request is told in the response's text."""
        if self._access is not None:
            refused = self._access.refusal(request)
            if refused is not None:
                return plain_response(*refused)
        else:
            refusal = self._rules.refusal(request)
            if refusal is not None:
                return plain_response(403, f"permission denied: {refusal}")
        path = self._rules.inner_path(request.path)
        if path is None:
            return plain_response(404, "404 page not found")
        number = path.removeprefix("/profile/").partition("/")[0]
        if path.startswith("/profile/") and number in map(str, range(len(self._profiles))):
            return self._profiles[int(number)].answer(request, cancelled)
        if request.method not in ("GET", "HEAD"):
            return plain_response(405, "Method Not Allowed", ("Allow", "GET, HEAD"))
        try:
            return self._show(path, request, cancelled)
        except ConduitError as error:
            return plain_response(500, str(error))

    def _show(self, path: str, request: Request, cancelled: threading.Event | None) -> Response:
        if path == "/":
            if not request.path.endswith("/"):  # the page's own addresses stand behind a slash
                return redirect_response(307, f"{request.path}/")
            with take_turn(self._lock, cancelled):
                return _compressed(request, HTML, self._source.page(), self._pack_once)
        if path == "/source":
            try:
                number = parse_query(request.query).get("file", "")
            except ValueError as error:
                return plain_response(400, str(error))
            try:
                text = self._source.source(number)
            except ConduitError as error:
                return plain_response(404, str(error))
            return _compressed(request, PLAIN, text.encode(), pack)
        return plain_response(404, "404 page not found")

    def _pack_once(self, page: bytes) -> bytes:
        if self._packed[0] is not page:
            self._packed = (page, pack(page))
        return self._packed[1]


def _compressed(request: Request, kind: str, body: bytes, pack: Callable[[bytes], bytes]) -> Response:
    return compressed_response(request, 200, page_headers(kind), body, _COMPRESS_FROM, pack)
