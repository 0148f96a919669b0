"""Route labels of FastAPI and Starlette: the registry's own names, wherever the work of a request runs."""

# mypy: disable-error-code="untyped-decorator, misc"

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from conduit._native import available
from conduit.middleware import ASGIRouteLabels
from conduit.record.labels import current_labels
from conduit.sources import collect

fastapi = pytest.importorskip("fastapi")
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, WebSocket  # noqa: E402
from starlette.applications import Starlette  # noqa: E402
from starlette.middleware.base import BaseHTTPMiddleware  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import JSONResponse, StreamingResponse  # noqa: E402
from starlette.routing import Mount, Route  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.skipif(not available(), reason="labels need the C extension")

seen: list[dict[str, str]] = []


async def answer(request: Request) -> JSONResponse:
    return JSONResponse(current_labels())


def shop() -> FastAPI:
    app = FastAPI()
    nested = APIRouter(prefix="/v1")

    @nested.get("/orders/{order_id}")
    async def order(order_id: int) -> dict[str, str]:
        return current_labels()

    @nested.post("/orders")
    def place() -> dict[str, str]:  # in a thread of the pool
        return current_labels()

    outer = APIRouter(prefix="/api")
    outer.include_router(nested)
    app.include_router(outer, prefix="/public")

    @app.get("/plain/{name:path}")
    async def plain(name: str) -> dict[str, str]:
        task = asyncio.create_task(_in_a_task())
        return await task

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            await asyncio.sleep(0)
            yield current_labels()["route"]

        return StreamingResponse(parts())

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> dict[str, str]:
        tasks.add_task(lambda: seen.append(current_labels()))
        return {}

    @app.websocket("/socket/{room}")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(current_labels())
        await websocket.close()

    inner = FastAPI()

    @inner.get("/deep/{item}")
    async def deep(item: str) -> dict[str, str]:
        return current_labels()

    app.mount("/inner", inner)
    starlette = Starlette(routes=[Mount("/more", routes=[Route("/z/{q}", answer)])])
    app.mount("/users/{name}", starlette)
    return app


async def _in_a_task() -> dict[str, str]:
    return current_labels()


def names_of(app: Any) -> set[str]:
    return {f"{route.method} {route.path}" for route in collect(app).routes}


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/public/api/v1/orders/5", "GET /public/api/v1/orders/{order_id}"),
        ("POST", "/public/api/v1/orders", "POST /public/api/v1/orders"),
        ("GET", "/plain/a/b", "GET /plain/{name:path}"),
        ("GET", "/inner/deep/x", "GET /inner/deep/{item}"),
        ("GET", "/users/bob/more/z/1", "GET /users/{name}/more/z/{q}"),
    ],
)
def test_a_request_has_the_route_as_the_registry_names_it(method: str, path: str, route: str) -> None:
    app = shop()
    with TestClient(ASGIRouteLabels(app)) as client:
        assert client.request(method, path).json() == {"route": route}
    assert route in names_of(app)
    assert current_labels() == {}


def test_streams_background_tasks_and_websockets_are_under_the_label() -> None:
    app = shop()
    app.add_middleware(ASGIRouteLabels)
    seen.clear()
    with TestClient(app) as client:
        assert client.get("/stream").text == "GET /stream"
        client.get("/later")
        with client.websocket_connect("/socket/1") as socket:
            assert socket.receive_json() == {"route": "WEBSOCKET /socket/{room}"}
    assert seen == [{"route": "GET /later"}]
    assert {"GET /stream", "WEBSOCKET /socket/{room}"} <= names_of(app)


def test_the_route_reaches_middleware_that_runs_the_application_in_a_task() -> None:
    class Inner(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            before = current_labels()
            response = await call_next(request)
            seen.append({"before": before["route"], "after": current_labels()["route"]})
            return response

    app = shop()
    app.add_middleware(Inner)
    seen.clear()
    with TestClient(ASGIRouteLabels(app)) as client:
        assert client.get("/inner/deep/x").json() == {"route": "GET /inner/deep/{item}"}
    assert seen == [{"before": "(no route)", "after": "GET /inner/deep/{item}"}]


def test_a_request_that_no_route_serves_has_no_route() -> None:
    app = shop()

    @app.exception_handler(404)
    async def not_found(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse(current_labels(), 404)

    with TestClient(ASGIRouteLabels(app)) as client:
        assert client.get("/nowhere").json() == {"route": "(no route)"}
        assert client.request("HACK", "/nowhere").json() == {"route": "(no route)"}


def test_a_method_that_a_client_invents_is_no_label() -> None:
    app = Starlette(routes=[Route("/any", answer, methods=["GET", "HACK"])])
    with TestClient(ASGIRouteLabels(app)) as client:
        assert client.request("HACK", "/any").json() == {"route": "(other) /any"}


def test_dependencies_and_concurrent_requests_have_each_their_own_route() -> None:
    app = FastAPI()
    found: dict[str, set[str]] = {"a": set(), "b": set()}

    async def dependency() -> str:
        await asyncio.sleep(0.001)
        return current_labels()["route"]

    for name in found:

        @app.get(f"/{name}", name=name)
        async def view(request: Request, route: str = Depends(dependency)) -> None:
            path = request.url.path[1:]
            for _ in range(3):
                found[path] |= {route, current_labels()["route"]}
                await asyncio.sleep(0.001)

    async def many() -> None:
        labelled = ASGIRouteLabels(app)
        await asyncio.gather(*(_get(labelled, f"/{name}") for name in "abab"))

    asyncio.run(many())
    assert found == {"a": {"GET /a"}, "b": {"GET /b"}}


async def _get(app: Any, path: str) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [],
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("test", 80),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None:
        await asyncio.sleep(0)

    await app(scope, receive, send)


def test_the_resource_is_a_label_where_a_document_is_registered() -> None:
    import conduit
    from conduit.metadata.registry import Registry, unregister
    from conduit.metadata.schema import Metadata
    from conduit.metadata.schema import Route as RouteRecord

    app = shop()
    path = "/public/api/v1/orders/{order_id}"
    routes = (RouteRecord(method="GET", path=path, resource="Order"),)
    conduit.register(Registry(Metadata(routes=routes)))
    try:
        with TestClient(ASGIRouteLabels(app)) as client:
            labels = client.get("/public/api/v1/orders/5").json()
            assert labels == {"route": f"GET {path}", "resource": "Order"}
            assert client.get("/inner/deep/x").json() == {"route": "GET /inner/deep/{item}"}
    finally:
        unregister()
