"""Route labels of Django, under WSGI and ASGI: the registry's own names.

Django is set up once in a process, so each test runs a program of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from conduit._native import available

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("django")
pytestmark = pytest.mark.skipif(not available(), reason="labels need the C extension")

PROGRAM = """
import asyncio, json, sys
import django
from django.conf import settings
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import include, path, re_path
from conduit.record.labels import current_labels

def view(request, **_):
    return JsonResponse(current_labels())

async def slow(request, **_):
    await asyncio.sleep(0)
    return JsonResponse(current_labels())

def stream(request):
    def parts():
        yield current_labels()["route"]
    return StreamingHttpResponse(parts())

async def stream_async(request):
    async def parts():
        await asyncio.sleep(0)
        yield current_labels()["route"]
    return StreamingHttpResponse(parts())

def not_found(request, exception):
    return JsonResponse(current_labels(), status=404)

orders = [path("<int:pk>/", view), re_path(r"^archive/(?P<year>[0-9]{4})/$", view)]
urlpatterns = [
    path("orders/", include(orders)),
    path("slow/<slug:name>", slow),
    path("stream", stream),
    path("stream-async", stream_async),
]
handler404 = not_found
settings.configure(
    DEBUG=False, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x",
    MIDDLEWARE=["conduit.middleware.django.RouteLabels", "django.middleware.common.CommonMiddleware"],
)
django.setup()
from django.test import AsyncClient, Client
from conduit.sources import collect

PATHS = ["/orders/3/", "/orders/archive/2024/", "/slow/x", "/nowhere"]
STREAMS = ["/stream", "/stream-async"]

def text(response):
    return b"".join(response.streaming_content).decode()

async def text_async(response):
    return b"".join([part async for part in response]).decode()

async def ask_async():
    client = AsyncClient()
    answers = {one: json.loads((await client.get(one)).content) for one in PATHS}
    return answers, await text_async(await client.get("/stream-async"))

client = Client()
answers = {one: json.loads(client.get(one).content) for one in PATHS}
names = [f"{route.method} {route.path}" for route in collect().routes]
answers_async, streamed_async = asyncio.run(ask_async())
print(json.dumps([answers, answers_async, text(client.get("/stream")), streamed_async, names, current_labels()]))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    folder: Path = tmp_path_factory.mktemp("django")
    program = folder / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer: list[object] = json.loads(done.stdout)
    return answer


ROUTES = {
    "/orders/3/": {"route": "GET /orders/<int:pk>/"},
    "/orders/archive/2024/": {"route": "GET /orders/archive/<year>/"},
    "/slow/x": {"route": "GET /slow/<slug:name>"},
    "/nowhere": {"route": "(no route)"},
}


def test_requests_have_their_route_under_wsgi(found: list[object]) -> None:
    assert found[0] == ROUTES
    assert found[5] == {}


def test_requests_have_their_route_under_asgi(found: list[object]) -> None:
    assert found[1] == ROUTES


def test_streamed_parts_are_under_the_label(found: list[object]) -> None:
    assert found[2:4] == ["GET /stream", "GET /stream-async"]


def test_the_paths_are_those_of_the_registry(found: list[object]) -> None:
    paths = {str(name).partition(" ")[2] for name in found[4]}  # type: ignore[attr-defined]
    assert {
        labels["route"].partition(" ")[2] for labels in ROUTES.values() if "/" in labels["route"]
    } <= paths
