"""Requests of a WSGI server answered by a handler."""

from __future__ import annotations

import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from conduit.http.messages import Request, split_mount
from conduit.http.server import serve_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conduit.http.messages import Answer, Response

    Environ = dict[str, Any]
    WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def mount_wsgi(answer: Answer, root: str, app: WSGIApp | None, max_body: int = 0) -> WSGIApp:
    """Return an application that answers paths below `root`, and passes others to `app` (or answers all, if None)."""

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if app is not None and split_mount(full_path(environ), root) is None:
            return app(environ, start_response)
        return answer_wsgi(answer, environ, start_response, max_body)

    return application


def answer_wsgi(
    answer: Answer, environ: Environ, start_response: Callable[..., Any], max_body: int = 0
) -> Iterable[bytes]:
    """Answer one request; a body of at most `max_body` bytes is read."""
    request = request_of(environ, full_path(environ), _body(environ, max_body))
    return start_answer(serve_answer(answer, request, threading.Event()), environ, start_response)


def start_answer(response: Response, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Begin a whole response, and return its parts; to HEAD without its body."""
    length = ("Content-Length", str(len(response.body)))
    status = f"{response.status} {HTTPStatus(response.status).phrase}"
    start_response(status, [*response.headers, length])
    return () if environ["REQUEST_METHOD"] == "HEAD" else response.chunks()


def full_path(environ: Environ) -> str:
    """Return the path with the mount point."""
    return str(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))


def _body(environ: Environ, limit: int) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    size = int(length) if length.isascii() and length.isdigit() else 0
    return bytes(environ["wsgi.input"].read(size)) if 0 < size <= limit else b""


def request_of(environ: Environ, path: str, body: bytes = b"") -> Request:
    """Return the request that an environ describes."""
    headers = {
        key[5:].replace("_", "-").lower(): str(v) for key, v in environ.items() if key.startswith("HTTP_")
    }
    query = environ.get("QUERY_STRING", "")
    peer = environ.get("REMOTE_ADDR", "")
    return Request(environ["REQUEST_METHOD"], path, query, headers, peer, body)
