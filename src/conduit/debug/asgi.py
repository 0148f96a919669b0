"""`/debug/pprof` inside an ASGI application: FastAPI, Starlette, Django, or none."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from conduit.debug import heap
from conduit.debug.access import log_warning, require_token
from conduit.debug.endpoint import Endpoint, resource
from conduit.http.messages import Request, join_headers
from conduit.http.server import serve_answer
from conduit.record.heap import DEFAULT_RATE_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from conduit.debug.access import Access
    from conduit.http.messages import Response

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def asgi_app(
    app: ASGIApp | None = None,
    access: Access | None = None,
    *,
    heap_rate_bytes: int = DEFAULT_RATE_BYTES,
) -> ASGIApp:
    """Return an ASGI application that answers `/debug/pprof`, and passes other requests to `app` (404 without one).

    Requests need a token: `access.token`, the environment variable CONDUIT_DEBUG_TOKEN, or a new one, which is logged
    as a warning of `conduit.debug`. `Access(open=True)` asks for none. Profiles are taken in a thread, so the event
    loop continues; a client that disconnects ends its profile.
    """
    endpoint = Endpoint(require_token(access, log_warning))
    heap.start_sampling(heap_rate_bytes)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and resource(_path(scope)) is not None
        if not ours and app is not None:
            await app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _answer_lifespan(receive, send)
        elif scope["type"] == "http":
            await send_response(await _answer(endpoint, request_of(scope), receive), scope["method"], send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    return application


async def _answer(endpoint: Endpoint, request: Request, receive: Receive) -> Response:
    import asyncio

    cancelled = threading.Event()
    answer = asyncio.ensure_future(asyncio.to_thread(serve_answer, endpoint.answer, request, cancelled))
    watch = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({answer, watch}, return_when=asyncio.FIRST_COMPLETED)
        if watch.done() and not answer.done():
            cancelled.set()
        return await answer
    finally:
        cancelled.set()
        watch.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_response(response: Response, method: str, send: Send) -> None:
    """Send a whole response; to HEAD without its body."""
    length = ("content-length", str(len(response.body)))
    headers = [
        (n.lower().encode("latin-1"), v.encode("latin-1", "replace")) for n, v in (*response.headers, length)
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if method != "HEAD":
        for chunk in response.chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _answer_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _path(scope: Scope) -> str:
    """The full path. Servers and frameworks differ in whether `path` includes the mount point."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path if path.startswith(root) else root + path


def request_of(scope: Scope) -> Request:
    """The request that a scope describes, without its body."""
    headers = join_headers((n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"])
    peer = scope["client"][0] if scope.get("client") else ""
    query = scope.get("query_string", b"").decode("latin-1")
    return Request(scope["method"], _path(scope), query, headers, peer)
