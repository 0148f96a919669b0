"""Route labels for WSGI applications: Flask, alone or below other applications."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from conduit.http.wsgi import request_of, start_answer
from conduit.middleware.one_request import HEADER, WAIT_S, RequestProfiles, is_profile_path
from conduit.middleware.request import RequestLabels, current_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conduit.debug.access import Access

    Environ = dict[str, Any]
    WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class WSGIRouteLabels:
    """A WSGI application that labels each request of `app` with `route` and `resource`.

    `app.wsgi_app = WSGIRouteLabels(app.wsgi_app)` for Flask. The parts of a streamed response are made under the
    labels, too. With `profiles`, a request that passes these rules gets its own profile on demand (see
    `conduit.middleware.one_request`).
    """

    def __init__(self, app: WSGIApp, profiles: Access | None = None) -> None:
        self.app: WSGIApp = app
        self._profiles = RequestProfiles(profiles) if profiles is not None else None

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        if "flask" in sys.modules:
            from conduit.middleware.flask import watch_routing

            watch_routing()
        if self._profiles is not None:
            return self._serve_with_profiles(self._profiles, environ, start_response)
        return self._serve(RequestLabels(environ["REQUEST_METHOD"]), environ, start_response)

    def _serve_with_profiles(
        self, profiles: RequestProfiles, environ: Environ, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        asked = request_of(environ, path)
        if is_profile_path(path):
            until = time.monotonic() + WAIT_S
            while profiles.is_running(path) and time.monotonic() < until:
                time.sleep(0.02)
            return start_answer(profiles.answer(asked), environ, start_response)
        recording, text = profiles.begin(asked)
        if text:
            start_response = _with_header(start_response, text)
        if recording is None:
            return self._serve(RequestLabels(environ["REQUEST_METHOD"]), environ, start_response)
        request = RequestLabels(environ["REQUEST_METHOD"], recording.number)
        try:
            body = self._serve(request, environ, start_response)
        except BaseException:
            profiles.end(recording)
            raise
        return _ProfiledBody(body, request, lambda: profiles.end(recording))

    def _serve(
        self, request: RequestLabels, environ: Environ, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
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
    """Return whether the server sends a file by itself, which it recognizes by its own class."""
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
        """End the response, as the server does once it has sent it or its client is gone."""
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


class _ProfiledBody(_LabelledBody):
    """A response whose end is that of its request's profile."""

    def __init__(self, body: Iterable[bytes], request: RequestLabels, end: Callable[[], None]) -> None:
        super().__init__(body, request)
        self._end: Callable[[], None] | None = end

    def close(self) -> None:
        try:
            super().close()
        finally:
            end, self._end = self._end, None
            if end is not None:
                end()


def _with_header(start_response: Callable[..., Any], text: str) -> Callable[..., Any]:
    """Begin the response with the header that tells where its profiles are, or why there are none."""

    def start_with_header(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
        return start_response(status, [*headers, (HEADER.title(), text)], *error)

    return start_with_header
