"""`/debug/pprof` inside a WSGI application: Django, Flask, or none."""

from __future__ import annotations

import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from conduit.debug import heap
from conduit.debug.access import log_warning, require_token
from conduit.debug.endpoint import Endpoint, resource
from conduit.http.messages import Request
from conduit.http.server import serve_answer
from conduit.record.heap import DEFAULT_RATE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conduit.debug.access import Access
    from conduit.http.messages import Response

    Environ = dict[str, Any]
    WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def wsgi_app(
    app: WSGIApp | None = None,
    access: Access | None = None,
    *,
    heap_rate_bytes: int = DEFAULT_RATE_BYTES,
) -> WSGIApp:
    """Return a WSGI application that answers `/debug/pprof`, and passes other paths to `app` (404 without one).

    Requests need a token: `access.token`, the environment variable CONDUIT_DEBUG_TOKEN, or a new one, which is logged
    as a warning of `conduit.debug`. `Access(open=True)` asks for none. A request occupies its worker while its
    profile is taken: give the server more than one thread or worker.
    """
    endpoint = Endpoint(require_token(access, log_warning))
    heap.start_sampling(heap_rate_bytes)

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        if app is not None and resource(path) is None:
            return app(environ, start_response)
        response = serve_answer(endpoint.answer, request_of(environ, path), threading.Event())
        return start_answer(response, environ, start_response)

    return application


def start_answer(response: Response, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Begin a whole response, and return its parts; to HEAD without its body."""
    length = ("Content-Length", str(len(response.body)))
    status = f"{response.status} {HTTPStatus(response.status).phrase}"
    start_response(status, [*response.headers, length])
    return () if environ["REQUEST_METHOD"] == "HEAD" else response.chunks()


def request_of(environ: Environ, path: str) -> Request:
    """The request that an environ describes, without its body."""
    headers = {
        key[5:].replace("_", "-").lower(): str(v) for key, v in environ.items() if key.startswith("HTTP_")
    }
    query = environ.get("QUERY_STRING", "")
    return Request(environ["REQUEST_METHOD"], path, query, headers, environ.get("REMOTE_ADDR", ""))
