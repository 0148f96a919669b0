"""The page at `/debug/registry/` of an application that a real server runs: uvicorn by ASGI, gunicorn by WSGI."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from conduit.metadata.codec import encode
from conduit.metadata.schema import Metadata, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOKEN = "a-token-of-this-test"
APPLICATION = """\
import conduit
from conduit.http.access import Access
from conduit.web.registry import asgi_app, wsgi_app

registry = conduit.load("metadata.json")
access = Access(token="a-token-of-this-test")


async def hello(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


def greet(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


asgi = asgi_app(registry, hello, access, title="shop", root=".")
wsgi = wsgi_app(registry, greet, access, title="shop", root=".")
"""
SERVERS = {
    "uvicorn": ("app:asgi", "--host=127.0.0.1", "--port=0", "--lifespan=off"),
    "gunicorn": ("app:wsgi", "--bind=127.0.0.1:0", "--workers=1"),
}
WAIT_S = 60


@pytest.fixture(params=SERVERS)
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a real server answers for the application."""
    server: str = request.param
    if importlib.util.find_spec(server) is None:
        pytest.skip(f"{server} is not installed")
    (tmp_path / "app.py").write_text(APPLICATION)
    (tmp_path / "models.py").write_text("class Book:\n    pass\n")
    book = Resource(name="Book", file_path="models.py", line_number=1)
    (tmp_path / "metadata.json").write_bytes(encode(Metadata(version="1.0", resources=(book,))))
    process = subprocess.Popen(
        [sys.executable, "-m", server, *SERVERS[server]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
    )
    try:
        yield address_of(process)
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_S)


def address_of(process: subprocess.Popen[bytes]) -> str:
    """The address that the server says it listens at."""
    assert process.stdout is not None
    said, end = b"", time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if select.select([process.stdout], [], [], 0.2)[0]:
            piece = os.read(process.stdout.fileno(), 4096)
            said += piece
            found = re.search(rb"(?:running on|Listening at:) (http://127\.0\.0\.1:\d+)", said)
            if found:
                return found[1].decode()
            if not piece:
                break
    raise AssertionError(f"the server did not start: {said.decode()}")


def ask(url: str, **headers: str) -> tuple[int, bytes, Callable[[str], str | None]]:
    asked = urllib.request.Request(
        url, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    try:
        with urllib.request.build_opener(Stay).open(asked, timeout=WAIT_S) as answer:
            return answer.status, answer.read(), answer.headers.get
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers.get


def test_a_real_server_shows_the_page_to_those_with_the_token(served: str) -> None:
    assert ask(f"{served}/")[:2] == (200, b"hello")
    assert ask(f"{served}/debug/registry/")[0] == 401
    assert ask(f"{served}/debug/registry/login?token=wrong")[0] in (401, 403)
    status, _, header = ask(f"{served}/debug/registry/login?token={TOKEN}")
    assert status in (302, 303, 307)
    cookie = (header("Set-Cookie") or "").partition(";")[0]
    assert cookie
    for headers in ({"Cookie": cookie}, {"Authorization": f"Bearer {TOKEN}"}):
        status, page, _ = ask(f"{served}/debug/registry/", **headers)
        data = re.search(rb'id="data">(.*?)</script>', page, re.DOTALL)
        assert data is not None
        assert (status, [one["name"] for one in json.loads(data[1])["resources"]]) == (200, ["Book"])
        assert ask(f"{served}/debug/registry/source?file=0", **headers)[1] == b"class Book:\n    pass\n"
    status, page, header = ask(
        f"{served}/debug/registry/", Authorization=f"Bearer {TOKEN}", Accept_Encoding="gzip"
    )
    assert header("Content-Encoding") == "gzip"
    assert b"<title>shop</title>" in gzip.decompress(page)
    assert ask(f"{served}/debug/registry/", Authorization=f"Bearer {TOKEN}", Host="evil.example")[0] == 403
    assert (
        ask(f"{served}/debug/registry/", Authorization=f"Bearer {TOKEN}", X_Forwarded_For="10.0.0.1")[0]
        == 403
    )
    assert (
        ask(f"{served}/debug/registry/../../app.py", Authorization=f"Bearer {TOKEN}")[1]
        != APPLICATION.encode()
    )
