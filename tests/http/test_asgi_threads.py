"""Requests that wait leave the application its own threads, and are limited in their number."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from conduit.http.asgi import mount_asgi
from conduit.http.messages import Request, Response, plain_response
from conduit.record.labels import current_labels, label

if TYPE_CHECKING:
    from conduit.http.asgi import ASGIApp


async def ask(app: ASGIApp) -> int:
    """Return the status of one request whose client stays until it is answered."""
    statuses = []
    scope = {"type": "http", "method": "GET", "path": "/debug/x", "headers": [], "client": ("127.0.0.1", 1)}

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    return int(statuses[0])


def test_requests_that_wait_leave_the_application_s_own_threads_free_and_are_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("conduit.http.asgi._free", threading.BoundedSemaphore(3))
    release, waiting = threading.Event(), threading.Semaphore(0)

    def answer(request: Request, cancelled: threading.Event) -> Response:
        waiting.release()
        release.wait()
        return plain_response(200, "done")

    async def main() -> tuple[int, int, list[int], int]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        app = mount_asgi(answer, "/debug", None)
        asked = [asyncio.create_task(ask(app)) for _ in range(3)]
        for _ in range(3):
            while not waiting.acquire(blocking=False):
                await asyncio.sleep(0)
        own = await asyncio.to_thread(lambda: 1)
        refused = await ask(app)
        release.set()
        return own, refused, await asyncio.gather(*asked), await ask(app)

    assert asyncio.run(main()) == (1, 503, [200, 200, 200], 200)


def test_the_thread_of_a_request_has_the_labels_of_its_task() -> None:
    async def main() -> tuple[int, int]:

        def answer(request: Request, cancelled: threading.Event) -> Response:
            return plain_response(200 if dict(current_labels()).get("route") == "/x" else 404, "")

        app = mount_asgi(answer, "/debug", None)
        outside = await ask(app)
        with label(route="/x"):
            return outside, await ask(app)

    assert asyncio.run(main()) == (404, 200)
