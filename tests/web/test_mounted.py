"""The page inside an application: stored and live profiles, behind the endpoint's rules, by ASGI and by WSGI."""

from __future__ import annotations

import asyncio
import io
import json
import re
import threading
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from conduit.http.access import Access
from conduit.profile.codec import encode
from conduit.web import asgi_app, wsgi_app

from .conftest import profile_named
from .test_browser import axe_findings
from .test_comparison import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Visitor

TOKEN = "a-long-secret"
BEARER = {"authorization": f"Bearer {TOKEN}"}


def by_wsgi(application: Any) -> Any:
    def ask(
        path: str,
        method: str = "GET",
        body: bytes = b"",
        mount: str = "",
        peer: str = "127.0.0.1",
        **headers: str,
    ) -> tuple[int, dict[str, str], bytes]:
        target, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": mount,
            "PATH_INFO": target,
            "QUERY_STRING": query,
            "REMOTE_ADDR": peer,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "HTTP_HOST": "localhost:8000",
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
        }
        answered: list[Any] = []
        data = b"".join(application(environ, lambda status, head: answered.append((status, head))))
        status, head = answered[0]
        return int(status.split()[0]), {name.lower(): value for name, value in head}, data

    return ask


def by_asgi(application: Any) -> Any:
    def ask(
        path: str,
        method: str = "GET",
        body: bytes = b"",
        mount: str = "",
        peer: str = "127.0.0.1",
        **headers: str,
    ) -> tuple[int, dict[str, str], bytes]:
        target, _, query = path.partition("?")
        sent = {"host": "localhost:8000", **headers}
        scope = {
            "type": "http",
            "method": method,
            "path": mount + target,
            "root_path": mount,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": (peer, 5),
        }
        messages: list[Any] = []

        async def talk() -> None:
            asked = [{"type": "http.request", "body": body, "more_body": False}]
            never = asyncio.Event()

            async def receive() -> Any:
                if asked:
                    return asked.pop()
                await never.wait()
                return None

            async def send(message: Any) -> None:
                messages.append(message)

            await application(scope, receive, send)

        asyncio.run(talk())
        head = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        data = b"".join(message.get("body", b"") for message in messages[1:])
        return messages[0]["status"], head, data

    return ask


KINDS: dict[str, tuple[Any, Any]] = {"asgi": (asgi_app, by_asgi), "wsgi": (wsgi_app, by_wsgi)}


@pytest.fixture(params=KINDS)
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """An application over a folder with two profiles and a file that is none, by either protocol."""
    make, by = KINDS[request.param]
    (tmp_path / "old one.prof").write_bytes(encode(recorded(old=5)))
    (tmp_path / "cpu.pb.gz").write_bytes(encode(profile_named("py.cpu")))
    (tmp_path / "secret.txt").write_text("no")
    return by(make(None, Access(token=TOKEN), folder=tmp_path, live_seconds=0.05))


def data_of(page: bytes) -> dict[str, Any]:
    found = re.search(rb'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def test_the_list_names_stored_and_live_profiles_and_each_has_its_page(ask: Any) -> None:
    status, _, page = ask("/debug/profiles/", **BEARER)
    assert status == 200
    links = re.findall(rb'href="([^"]+)"', page)
    assert set(links) == {b"live-cpu/ui/", b"live-wall/ui/", b"cpu.pb.gz/ui/", b"old%20one.prof/ui/"}
    status, _, page = ask("/debug/profiles/cpu.pb.gz/ui/top", **BEARER)
    assert status == 200
    assert data_of(page)["views"]["top"]["rows"][0]["name"] == "zlib.compress"
    assert ask("/debug/profiles/cpu.pb.gz/ui/static/page.js", **BEARER)[0] == 200
    assert data_of(ask("/debug/profiles/old one.prof/ui/top", **BEARER)[2])["views"]["top"]["rows"]


def test_addresses_lead_to_each_other_below_the_mount_point(ask: Any) -> None:
    for path, target in (
        ("/debug/profiles", "/app/debug/profiles/"),
        ("/debug/profiles/cpu.pb.gz", "/app/debug/profiles/cpu.pb.gz/ui/"),
        ("/debug/profiles/cpu.pb.gz/ui", "/app/debug/profiles/cpu.pb.gz/ui/"),
        ("/debug/profiles/cpu.pb.gz/ui/", "flamegraph"),
    ):
        status, headers, _ = ask(path, mount="/app", **BEARER)
        assert status in (301, 307)
        assert headers["location"] == target


def test_nothing_is_shown_without_the_token_or_to_others(ask: Any) -> None:
    for path in ("/debug/profiles/", "/debug/profiles/cpu.pb.gz/ui/top", "/debug/profiles/live-cpu/ui/top"):
        assert ask(path)[0] == 401
        assert ask(path, authorization="Bearer wrong")[0] == 401
        assert ask(path, peer="10.0.0.7", **BEARER)[0] == 403
        assert ask(path, **BEARER, **{"x-forwarded-for": "10.0.0.7"})[0] == 403
        assert ask(path, **{**BEARER, "host": "evil.example"})[0] == 403
    for name in ("secret.txt", "..%2fsecret.txt", "../cpu.pb.gz", "nosuch"):
        assert ask(f"/debug/profiles/{name}/ui/top", **BEARER)[0] == 404


def test_a_browser_logs_in_with_the_token(ask: Any) -> None:
    status, headers, _ = ask(f"/debug/profiles/login?token={TOKEN}")
    assert (status, headers["location"]) == (303, "./")
    cookie = headers["set-cookie"].partition(";")[0]
    assert ask("/debug/profiles/", cookie=cookie)[0] == 200
    assert ask("/debug/profiles/login?token=wrong")[0] == 401


def test_this_process_is_recorded_and_recorded_again(ask: Any) -> None:
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            sum(range(1000))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        page = data_of(ask("/debug/profiles/live-wall/ui/top", **BEARER)[2])
        assert page["live"] is True
        path = "/debug/profiles/live-wall/ui/refresh"
        assert ask(path, "POST", b"x=1", **BEARER)[0] == 403  # without the page's own token
        assert ask(path, "POST", b"x=1", **BEARER, **{"x-conduit-token": page["token"]})[0] == 200
        again = data_of(ask("/debug/profiles/live-wall/ui/top", **BEARER)[2])
    finally:
        done.set()
        worker.join()
    assert [one["number"] for one in again["recordings"]["kept"]] == [1, 2]
    assert any("work" in row["name"] for row in again["views"]["top"]["rows"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_file_is_read_again_and_live_profiles_can_be_left_out(tmp_path: Path, kind: str) -> None:
    import os

    make, by = KINDS[kind]
    path = tmp_path / "a.prof"
    path.write_bytes(encode(recorded(before=5)))
    ask = by(make(None, Access(token=TOKEN), folder=tmp_path, live_seconds=0))
    first = data_of(ask("/debug/profiles/a.prof/ui/top", **BEARER)[2])["views"]["top"]["rows"]
    path.write_bytes(encode(recorded(after=5)))
    os.utime(path, ns=(1, 1))
    second = data_of(ask("/debug/profiles/a.prof/ui/top", **BEARER)[2])["views"]["top"]["rows"]
    assert [first[0]["name"], second[0]["name"]] == ["before", "after"]
    assert ask("/debug/profiles/live-cpu/ui/top", **BEARER)[0] == 404
    assert b"Live" not in ask("/debug/profiles/", **BEARER)[2]


@pytest.mark.parametrize("kind", KINDS)
def test_other_requests_go_to_the_application(kind: str) -> None:
    make, by = KINDS[kind]

    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"the application"]

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"the application"})

    ask = by(make(wsgi if kind == "wsgi" else asgi, Access(token=TOKEN)))
    assert ask("/orders")[2] == b"the application"
    assert ask("/debug/profiles/")[0] == 401


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[str]:
    """The address of a real WSGI server with the pages of one stored profile."""
    (tmp_path / "cpu.pb.gz").write_bytes(encode(profile_named("py.cpu")))

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = make_server(
        "127.0.0.1", 0, wsgi_app(None, Access(token=TOKEN), folder=tmp_path), handler_class=Quiet
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}/debug/profiles"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_browser_walks_from_the_login_to_a_flame_graph(visitor: Visitor, mounted: str) -> None:
    page = visitor.open(f"{mounted}/login?token={TOKEN}")
    assert axe_findings(page) == []
    page.get_by_role("link", name="cpu.pb.gz").click()
    page.locator(".box", has_text="zlib.compress").first.wait_for()
    page.get_by_role("link", name="Top").click()
    page.wait_for_url("**/cpu.pb.gz/ui/top")  # the flame graph has a row of this name in its table, too
    page.get_by_role("row", name="app.math.fib").click()
    assert "/debug/profiles/cpu.pb.gz/ui/top?sel=" in page.url
