"""Requests of an ASGI server answered by a handler that blocks, each in a thread of its own.

The event loop's default executor has few threads, and the application's own work (`asyncio.to_thread`, name resolution)
needs them: requests that wait for a profile would keep it waiting. The number of threads is limited here instead.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conduit.http.messages import Request, join_headers, plain_response, split_mount
from conduit.http.server import MAX_CONNECTIONS, serve_answer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, MutableMapping

    from conduit.http.messages import Answer, Response

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_free = threading.BoundedSemaphore(MAX_CONNECTIONS)


def mount_asgi(answer: Answer, root: str, app: ASGIApp | None, max_body: int = 0) -> ASGIApp:
    """Return an application that answers requests below `root`; others go to `app`, or are answered without one."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and split_mount(full_path(scope), root) is not None
        if not ours and app is not None:
            await app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
        elif scope["type"] == "http":
            await answer_asgi(answer, scope, receive, send, max_body)
        else:
            await send({"type": "websocket.close", "code": 1000})

    return application


async def answer_asgi(answer: Answer, scope: Scope, receive: Receive, send: Send, max_body: int = 0) -> None:
    """Answer one HTTP request of a scope in a thread; a client that disconnects sets what the handler watches."""
    body = await _body(receive, max_body) if max_body else b""
    await send_response(await _answer(answer, request_of(scope, body), receive), scope["method"], send)


async def _body(receive: Receive, limit: int) -> bytes:
    """Return the body of a request; one over the limit is read to its end and dropped."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        part = message.get("body", b"")
        size += len(part)
        if size <= limit:
            parts.append(part)
        if not message.get("more_body"):
            break
    return b"".join(parts) if size <= limit else b""


async def _answer(answer_request: Answer, request: Request, receive: Receive) -> Response:
    import asyncio

    if not _free.acquire(blocking=False):
        return plain_response(503, f"{MAX_CONNECTIONS} requests are in progress; try again later")
    cancelled = threading.Event()
    answer = _in_a_thread(serve_answer, answer_request, request, cancelled)
    watch = asyncio.ensure_future(_disconnected(receive))
    both: set[asyncio.Future[Any]] = {answer, watch}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if watch.done() and not answer.done():
            cancelled.set()
        return await answer
    finally:
        cancelled.set()
        watch.cancel()


def _in_a_thread(answer: Callable[..., Response], *arguments: Any) -> asyncio.Future[Response]:
    """Call `answer` in a new thread, with the context of this task; the thread frees its place when it ends."""
    import asyncio
    from contextvars import copy_context

    loop, context = asyncio.get_running_loop(), copy_context()
    future: asyncio.Future[Response] = loop.create_future()

    def settle(response: Response | None, error: BaseException | None) -> None:
        if future.done():  # the server has cancelled the request
            return
        if response is None:
            future.set_exception(error or RuntimeError("no response"))
        else:
            future.set_result(response)

    def work() -> None:
        response = error = None
        try:
            response = context.run(answer, *arguments)
        except BaseException as raised:
            error = raised
        finally:
            _free.release()
        with suppress(RuntimeError):  # the loop is closed: nothing waits for the response
            loop.call_soon_threadsafe(settle, response, error)

    threading.Thread(target=work, name="conduit request", daemon=True).start()
    return future


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


async def answer_lifespan(receive: Receive, send: Send) -> None:
    """Answer a server that starts and stops an application which has nothing to start or stop."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def full_path(scope: Scope) -> str:
    """Return the full path. Servers and frameworks differ in whether `path` includes the mount point."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path if path.startswith(root) else root + path


def request_of(scope: Scope, body: bytes = b"") -> Request:
    """Return the request that a scope describes."""
    headers = join_headers((n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"])
    peer = scope["client"][0] if scope.get("client") else ""
    query = scope.get("query_string", b"").decode("latin-1")
    return Request(scope["method"], full_path(scope), query, headers, peer, body)
