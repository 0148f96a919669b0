"""One line for each framework, tried in the real server with a real application."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from conduit.profile.codec import decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FASTAPI_MOUNTED = """
import conduit.debug
from fastapi import FastAPI

app = FastAPI()
app.mount("/debug/pprof", conduit.debug.asgi_app())

@app.get("/")
async def index():
    return {"hello": "world"}
"""
STARLETTE_WRAPPED = """
import conduit.debug
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def index(request):
    return PlainTextResponse("hello")

app = conduit.debug.asgi_app(Starlette(routes=[Route("/", index)]))
"""
FLASK = """
import conduit.debug
from flask import Flask

app = Flask(__name__)
app.wsgi_app = conduit.debug.wsgi_app(app.wsgi_app)

@app.get("/")
def index():
    return "hello"
"""
DJANGO = """
import conduit.debug
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="not-a-secret")
urlpatterns = [path("", lambda request: HttpResponse("hello"))]

from django.core.wsgi import get_wsgi_application

app = conduit.debug.wsgi_app(get_wsgi_application())
"""
DJANGO_ASGI = (
    DJANGO.replace("get_wsgi_application", "get_asgi_application")
    .replace("core.wsgi", "core.asgi")
    .replace("wsgi_app(", "asgi_app(")
)

UVICORN = ["-m", "uvicorn", "--log-level", "warning", "--port", "{port}", "service:app"]
GUNICORN = [
    "-m",
    "gunicorn",
    "--log-level",
    "warning",
    "--threads",
    "4",
    "-b",
    "127.0.0.1:{port}",
    "service:app",
]
# The heap's sampling and the other hooks live on in a worker that was forked from a master which loaded the app.
PRELOADED = [*GUNICORN[:2], "--preload", *GUNICORN[2:]]

SERVICES = [
    pytest.param(FASTAPI_MOUNTED, UVICORN, id="fastapi-uvicorn"),
    pytest.param(STARLETTE_WRAPPED, UVICORN, id="starlette-uvicorn"),
    pytest.param(FLASK, GUNICORN, id="flask-gunicorn"),
    pytest.param(DJANGO, PRELOADED, id="django-gunicorn-preload"),
    pytest.param(DJANGO_ASGI, UVICORN, id="django-uvicorn"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


TOKEN = "the token of these tests"


def fetch(url: str, **headers: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}", **headers})
    with urllib.request.urlopen(request, timeout=30) as response:
        return bytes(response.read())


@pytest.fixture
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    source, server = request.param
    (tmp_path / "service.py").write_text(source)
    port = free_port()
    command = [sys.executable, *(word.format(port=port) for word in server)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "CONDUIT_DEBUG_TOKEN": TOKEN}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            assert process.poll() is None, (tmp_path / "log").read_text()
            try:
                fetch(url)
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("service", [pytest.param(p.values, id=p.id) for p in SERVICES], indirect=True)
def test_an_application_serves_its_profiles_beside_its_own_pages(service: str) -> None:
    assert b"hello" in fetch(service)
    assert b"full goroutine stack dump" in fetch(f"{service}/debug/pprof/")
    for name in ("goroutine", "heap", "allocs", "block", "mutex", "threadcreate", "profile?seconds=1"):
        decode(fetch(f"{service}/debug/pprof/{name}")).check_valid()
    stacks = fetch(f"{service}/debug/pprof/goroutine?debug=2")
    assert b"MainThread" in stacks
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(f"{service}/debug/pprof/nosuch")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        fetch(f"{service}/debug/pprof/heap", Host="evil.example")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        fetch(f"{service}/debug/pprof/heap", Authorization="Bearer wrong")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(f"{service}/nosuch")


@pytest.mark.parametrize("service", [pytest.param(SERVICES[0].values, id="fastapi")], indirect=True)
def test_the_event_loop_answers_while_a_profile_is_taken_and_a_second_one_is_refused(service: str) -> None:
    import threading

    answers: list[bytes] = []
    taking = threading.Thread(
        target=lambda: answers.append(fetch(f"{service}/debug/pprof/profile?seconds=3"))
    )
    taking.start()
    time.sleep(1)
    assert b"hello" in fetch(service)
    with pytest.raises(urllib.error.HTTPError, match="500") as refused:
        fetch(f"{service}/debug/pprof/profile?seconds=1")
    assert refused.value.read() == b"Could not enable CPU profiling: cpu profiling already in use\n"
    taking.join()
    assert decode(answers[0]).duration_nanos >= 3 * 10**9


@pytest.mark.parametrize("service", [pytest.param(SERVICES[0].values, id="fastapi")], indirect=True)
def test_a_client_that_hangs_up_frees_the_profiler(service: str) -> None:
    host, _, port = service.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as client:
        head = f"GET /debug/pprof/profile?seconds=60 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}"
        client.sendall(f"{head}\r\n\r\n".encode())
        time.sleep(1)
    for _ in range(100):
        try:
            decode(fetch(f"{service}/debug/pprof/profile?seconds=1")).check_valid()
            return
        except urllib.error.HTTPError as busy:
            assert busy.code == 500
            time.sleep(0.1)
    pytest.fail("the profiler was not freed")
