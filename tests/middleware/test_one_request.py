"""One request's own profile, taken because the request asks for it and may."""

from __future__ import annotations

# mypy: disable-error-code="untyped-decorator, misc"
import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from conduit._native import available
from conduit.debug import Access
from conduit.middleware import ASGIRouteLabels, WSGIRouteLabels
from conduit.profile.codec import decode
from tests.record.burning import burn

pytest.importorskip("fastapi")
pytest.importorskip("flask")
from fastapi import FastAPI
from flask import Flask, Response
from starlette.testclient import TestClient
from werkzeug.test import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.profile.model import Profile

pytestmark = pytest.mark.skipif(not available(), reason="labels need the C extension")

TOKEN = "a secret of this test"
RULES = Access(token=TOKEN, hosts=("testserver",))
ASK = {"X-Conduit-Profile": TOKEN}


def asgi_client(**options: Any) -> TestClient:
    app = FastAPI()

    @app.get("/work")
    async def work() -> dict[str, bool]:
        burn(0.1)
        await _nap(0.2)
        await asyncio.to_thread(burn, 0.1)
        return {"worked": True}

    @app.get("/other")
    async def other() -> dict[str, bool]:
        burn(0.05)
        return {}

    return TestClient(ASGIRouteLabels(app, RULES), client=("127.0.0.1", 1), **options)


async def _nap(seconds: float) -> None:
    await asyncio.sleep(seconds)


def functions_of(profile: Profile) -> dict[str, int]:
    """The last value by the name of each function that is on a stack."""
    found: dict[str, int] = {}
    for sample in profile.samples:
        names = {
            line.function.name for location in sample.locations for line in location.lines if line.function
        }
        for name in names:
            last = name.rpartition(".")[2]
            found[last] = found.get(last, 0) + sample.values[-1]
    return found


def test_a_request_of_asgi_is_answered_with_the_addresses_of_its_own_profiles() -> None:
    with asgi_client() as client:
        answer = client.get("/work", headers=ASK)
        assert answer.json() == {"worked": True}
        cpu_path, wall_path = answer.headers["X-Conduit-Profile"].split(", ")
        cpu = decode(client.get(cpu_path, headers=ASK).content)
        wall = decode(client.get(wall_path, headers=ASK).content)
    burned = functions_of(cpu)
    assert 0.1e9 < burned["burn"] < 0.3e9
    assert {sample.labels["route"][0] for sample in cpu.samples} <= {"GET /work", "(no route)"}
    total = sum(sample.values[-1] for sample in wall.samples)
    assert 0.35e9 < total < 1.2 * wall.duration_nanos
    waited = functions_of(wall)
    assert waited["_nap"] > 0.15e9
    assert waited["burn"] > 0.1e9


def test_the_work_of_other_requests_is_not_in_the_profile() -> None:
    app = FastAPI()

    @app.get("/slow")
    async def slow() -> None:
        for _ in range(20):
            await asyncio.sleep(0.01)

    @app.get("/busy")
    async def busy() -> None:
        for _ in range(10):
            burn(0.01)
            await asyncio.sleep(0)

    labelled = ASGIRouteLabels(app, RULES)

    async def both() -> str:
        headers: list[tuple[str, str]] = []
        await asyncio.gather(_get(labelled, "/slow", headers, ask=True), _get(labelled, "/busy", []))
        return dict(headers)["x-conduit-profile"]

    cpu_path, _ = asyncio.run(both()).split(", ")
    with TestClient(labelled, client=("127.0.0.1", 1)) as client:
        cpu = decode(client.get(cpu_path, headers=ASK).content)
    assert "burn" not in functions_of(cpu)


async def _get(
    app: Any,
    path: str,
    found: list[tuple[str, str]],
    *,
    ask: bool = False,
    bodies: list[bytes] | None = None,
) -> None:
    headers = [(b"host", b"testserver")] + ([(b"x-conduit-profile", TOKEN.encode())] if ask else [])
    scope = {
        "type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b"", "root_path": "",
        "scheme": "http", "server": ("testserver", 80), "client": ("127.0.0.1", 1),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if bodies is not None:
            bodies.append(message.get("body", b""))
        found.extend((name.decode(), text.decode()) for name, text in message.get("headers", ()))

    await app(scope, receive, send)


def test_a_request_of_wsgi_is_profiled_to_the_end_of_its_stream() -> None:
    app = Flask(__name__)

    @app.get("/stream")
    def stream() -> Response:
        def parts() -> Iterator[str]:
            burn(0.1)
            yield "one"
            time.sleep(0.1)
            yield "two"

        return Response(parts())

    client = Client(WSGIRouteLabels(app, RULES))
    local = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost"}
    answer = client.get(
        "/stream?conduit-profile=1", headers={"Authorization": f"Bearer {TOKEN}"}, environ_overrides=local
    )
    assert answer.text == "onetwo"
    answer.close()
    profiles = [
        decode(client.get(path, headers=ASK, environ_overrides=local).data)
        for path in answer.headers["X-Conduit-Profile"].split(", ")
    ]
    assert 0.04e9 < functions_of(profiles[0])["burn"] < 0.2e9
    assert functions_of(profiles[1])["parts"] > 0.17e9


@pytest.mark.parametrize("headers", [{"X-Conduit-Profile": "wrong"}, {"X-Conduit-Profile": "1"}])
def test_a_request_without_the_token_is_answered_and_not_profiled(headers: dict[str, str]) -> None:
    with asgi_client() as client:
        answer = client.get("/other", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["X-Conduit-Profile"].startswith("permission denied")
        refused = client.get("/debug/pprof/requests/0/cpu", headers=headers)
        assert refused.status_code == 401
        assert "X-Conduit-Profile" not in client.get("/other").headers


def test_a_request_from_another_machine_or_by_a_proxy_is_not_profiled() -> None:
    with asgi_client() as client:
        by_proxy = client.get("/other", headers={**ASK, "X-Forwarded-For": "10.0.0.1"})
        assert by_proxy.status_code == 200
        assert by_proxy.headers["X-Conduit-Profile"].startswith("permission denied")


def test_while_a_cpu_profile_is_taken_the_request_is_told_so() -> None:
    from conduit.record import cpu

    with asgi_client() as client, cpu():
        answer = client.get("/other", headers=ASK)
        assert answer.status_code == 200
        assert "already" in answer.headers["X-Conduit-Profile"]


def test_an_address_that_is_asked_for_at_once_waits_for_its_profile() -> None:
    app = FastAPI()

    @app.get("/quick")
    async def quick() -> None:
        return None

    labelled = ASGIRouteLabels(app, RULES)
    bodies: list[bytes] = []

    async def one_after_the_other() -> None:
        headers: list[tuple[str, str]] = []
        asked = asyncio.create_task(_get(labelled, "/quick", headers, ask=True))
        while not headers:
            await asyncio.sleep(0)
        await _get(labelled, dict(headers)["x-conduit-profile"].split(", ")[0], [], ask=True, bodies=bodies)
        await asked

    asyncio.run(one_after_the_other())
    profile = decode(b"".join(bodies))  # a quick request seldom has a sample
    assert "cpu" in {one.type for one in profile.sample_types}


def test_an_address_without_a_profile_is_not_found() -> None:
    with asgi_client() as client:
        assert client.get("/debug/pprof/requests/none/cpu", headers=ASK).status_code == 404


def test_without_rules_no_request_is_profiled() -> None:
    app = FastAPI()
    with TestClient(ASGIRouteLabels(app), client=("127.0.0.1", 1)) as client:
        answer = client.get("/nowhere", headers=ASK)
        assert "X-Conduit-Profile" not in answer.headers
        assert client.get("/debug/pprof/requests/none/cpu", headers=ASK).status_code == 404
