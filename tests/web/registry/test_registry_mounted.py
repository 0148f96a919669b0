"""The registry's page inside an application: behind the endpoint's token, of the document that is registered now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from conduit.http.access import Access
from conduit.metadata.registry import Registry
from conduit.metadata.schema import Metadata, Resource
from conduit.web.registry import asgi_app, wsgi_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKEN = "a-long-secret"


def by_wsgi(registry: Registry, root: Path) -> Callable[..., tuple[int, bytes]]:
    def inner(environ: Any, start: Any) -> list[bytes]:
        start("200 OK", [])
        return [b"the application"]

    application = wsgi_app(registry, inner, Access(token=TOKEN), root=root)

    def ask(path: str, token: str = TOKEN, query: str = "") -> tuple[int, bytes]:
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost:8000",
            "HTTP_AUTHORIZATION": f"Bearer {token}",
        }
        statuses: list[str] = []
        body = b"".join(application(environ, lambda status, headers, *_: statuses.append(status)))
        return int(statuses[0].split()[0]), body

    return ask


def by_asgi(registry: Registry, root: Path) -> Callable[..., tuple[int, bytes]]:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"the application"})

    application = asgi_app(registry, inner, Access(token=TOKEN), root=root)

    def ask(path: str, token: str = TOKEN, query: str = "") -> tuple[int, bytes]:
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "client": ("127.0.0.1", 1),
            "headers": [(b"host", b"localhost:8000"), (b"authorization", f"Bearer {token}".encode())],
        }
        sent: list[dict[str, Any]] = []
        asked: list[None] = []

        async def receive() -> dict[str, Any]:
            if asked:
                await asyncio.Event().wait()  # the client stays
            asked.append(None)
            return {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            sent.append(message)

        async def serve() -> None:
            await application(scope, receive, send)

        asyncio.run(serve())
        return sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:])

    return ask


@pytest.mark.parametrize("mount", [by_wsgi, by_asgi])
def test_the_page_stands_beside_the_application_behind_the_token(mount: Any, tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text("class Book: ...\n")
    registry = Registry(Metadata(resources=(Resource(name="Book", file_path="models.py", line_number=1),)))
    ask = mount(registry, tmp_path)
    assert ask("/orders") == (200, b"the application")
    assert ask("/debug/registry/", token="wrong")[0] == 401
    assert ask("/debug/registry")[0] == 307
    status, page = ask("/debug/registry/")
    assert (status, b'"name":"Book"' in page) == (200, True)
    assert ask("/debug/registry/source", query="file=0") == (200, b"class Book: ...\n")
    assert ask("/debug/registry/source", query="file=7")[0] == 404
    registry.replace(Metadata(resources=(Resource(name="Album"),)))
    assert b'"name":"Album"' in ask("/debug/registry/")[1]
