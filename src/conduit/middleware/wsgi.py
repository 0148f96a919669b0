"""Route labels for WSGI applications: Flask, alone or below other applications."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from conduit.middleware.request import RequestLabels, current_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Environ = dict[str, Any]
    WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class WSGIRouteLabels:
    """A WSGI application that labels each request of `app` with `route` and `resource`.

    `app.wsgi_app = WSGIRouteLabels(app.wsgi_app)` for Flask. The parts of a streamed response are made under the
    labels, too.
    """

    def __init__(self, app: WSGIApp) -> None:
        self.app: WSGIApp = app

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        if "flask" in sys.modules:
            from conduit.middleware.flask import watch_routing

            watch_routing()
        request = RequestLabels(environ["REQUEST_METHOD"])
        token = current_request.set(request)
        outer = environ.get("SCRIPT_NAME", "")
        environ["conduit.script_name"] = outer
        try:
            with request.label:
                body = self.app(environ, start_response)
        finally:
            current_request.reset(token)
        if isinstance(body, (list, tuple)) or _is_file(body, environ):
            return body
        return _LabelledBody(body, request)


def _is_file(body: object, environ: Environ) -> bool:
    """Whether the server sends a file by itself, which it recognizes by its own class."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


class _LabelledBody:
    """A response's parts, each made under the labels of its request."""

    def __init__(self, body: Iterable[bytes], request: RequestLabels) -> None:
        self._body = body
        self._parts = request.each_labelled(iter(body))

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()
