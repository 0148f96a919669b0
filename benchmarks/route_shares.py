"""How close a CPU profile's shares by route come to the truth, which the views measure themselves.

    python benchmarks/route_shares.py [SECONDS] [-go GO]

Three routes burn about 50, 30 and 20 % of the CPU time, eight requests at a time: Flask and Django under WSGI in threads,
Django under ASGI and FastAPI as tasks, with synchronous and asynchronous views. A view adds the CPU time of its thread
around its work to the truth; the profile's shares come from its label `route`, in samples of that work: what the framework
does inside of a request is the route's, too, and not in the truth. Printed are both and the largest difference
in percentage points. A program a framework, as Django is set up once in a process. With `-go`, the profile is written to a
file, and Go's own `pprof` reads it: the shares are those of `go tool pprof -tags`, and again those of `-tagroot=route -top`.
"""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from conduit.profile.model import Profile

WORK_MS = {"half": 10.0, "third": 6.0, "fifth": 4.0}
FRAMEWORKS = ("flask", "django-wsgi", "django-asgi", "fastapi")
AT_ONCE = 8
RATE_HZ = 250

# A line of -tags, and one of -top where the route is the root: an amount with its unit, and the route.
TAG_LINE = re.compile(r"^\s*([\d.]+)(ns|us|ms|s|mins)\s.*: ([A-Z]+ /\S*)$")
ROOT_LINE = re.compile(r"^\s*\S+\s+\S+\s+\S+\s+([\d.]+)(ns|us|ms|s|mins)\s+\S+\s+([A-Z]+ /\S*)")
WORK = ".burn"  # the function that the truth is of
NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "mins": 60 * 10**9}

_lock = threading.Lock()
truth: dict[str, float] = dict.fromkeys(WORK_MS, 0.0)


def burn(name: str, milliseconds: float) -> None:
    began = time.thread_time()
    while time.thread_time() - began < milliseconds / 1e3:
        sum(range(300))
    with _lock:
        truth[name] += time.thread_time() - began


def work(name: str) -> str:
    burn(name, WORK_MS[name])
    return name


async def work_in_steps(name: str) -> str:
    for _ in range(4):
        burn(name, WORK_MS[name] / 4)
        await asyncio.sleep(0)
    return name


# ── the applications ──


def flask_app() -> Any:
    from flask import Flask

    from conduit.middleware import WSGIRouteLabels

    app = Flask("shares")
    for name in WORK_MS:
        app.add_url_rule(f"/{name}/<int:n>", name, lambda n, name=name: work(name))
    return WSGIRouteLabels(app)


def django_views() -> list[Any]:
    from django.http import HttpResponse
    from django.urls import path

    def view(name: str) -> Any:
        def sync_view(request: Any, n: int) -> Any:
            return HttpResponse(work(name))

        async def async_view(request: Any, n: int) -> Any:
            return HttpResponse(await work_in_steps(name))

        return sync_view if name == "half" else async_view

    return [path(f"{name}/<int:n>", view(name)) for name in WORK_MS]


def django_app(kind: str) -> Any:
    import types

    import django
    from django.conf import settings

    urls = types.ModuleType("shares_urls")
    sys.modules["shares_urls"] = urls
    settings.configure(
        ROOT_URLCONF="shares_urls",
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="x",
        MIDDLEWARE=["conduit.middleware.django.RouteLabels", "django.middleware.common.CommonMiddleware"],
    )
    django.setup()
    urls.urlpatterns = django_views()  # type: ignore[attr-defined]
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application

    return get_asgi_application() if kind == "asgi" else get_wsgi_application()


def fastapi_app() -> Any:
    from fastapi import FastAPI

    from conduit.middleware import ASGIRouteLabels

    app = FastAPI()

    @app.get("/half/{n}")
    def half(n: int) -> str:
        return work("half")

    @app.get("/third/{n}")
    async def third(n: int) -> str:
        return await work_in_steps("third")

    @app.get("/fifth/{n}")
    async def fifth(n: int) -> str:
        return await work_in_steps("fifth")

    return ASGIRouteLabels(app)


# ── requests ──


def drive_wsgi(app: Any, until: Callable[[], bool]) -> None:
    from wsgiref.util import setup_testing_defaults

    def ask(path: str) -> None:
        environ: dict[str, Any] = {"PATH_INFO": path}
        setup_testing_defaults(environ)
        body = app(environ, lambda *_: None)
        for _ in body:
            pass
        getattr(body, "close", lambda: None)()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        while not until():
            list(pool.map(ask, [f"/{name}/{n}" for n in range(AT_ONCE) for name in WORK_MS]))


async def drive_asgi(app: Any, until: Callable[[], bool]) -> None:
    async def ask(path: str) -> None:
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": [],
            "query_string": b"", "root_path": "", "scheme": "http", "server": ("test", 80), "http_version": "1.1",
        }  # fmt: skip
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await asyncio.Event().wait()
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(_: Any) -> None:
            return None

        answer: Awaitable[None] = app(scope, receive, send)
        await answer

    while not until():
        await asyncio.gather(*(ask(f"/{name}/{n}") for n in range(AT_ONCE) for name in WORK_MS))


def measure(framework: str, seconds: float, go: str) -> None:
    from conduit.record import cpu

    apps = {
        "flask": flask_app,
        "django-wsgi": lambda: django_app("wsgi"),
        "django-asgi": lambda: django_app("asgi"),
        "fastapi": fastapi_app,
    }
    app = apps[framework]()
    began = time.process_time()

    def is_done() -> bool:
        return time.process_time() - began > seconds

    with cpu(rate_hz=RATE_HZ) as recording:
        if framework in ("flask", "django-wsgi"):
            drive_wsgi(app, is_done)
        else:
            asyncio.run(drive_asgi(app, is_done))
    assert recording.profile is not None
    if go:
        read_by_go(framework, recording.profile, go)
        return
    seen: dict[str, int] = {}
    for sample in recording.profile.samples:
        is_work = any(
            line.function and line.function.name.endswith(WORK)
            for at in sample.locations
            for line in at.lines
        )
        route = sample.labels.get("route", [""])[0] if is_work else ""
        seen[route] = seen.get(route, 0) + sample.values[1]
    print_shares(framework, seen)


def read_by_go(framework: str, profile: Profile, go: str) -> None:
    """Print the shares as Go's pprof tells them, by its tags and by its roots."""
    from conduit.profile.codec import encode

    total_ns = sum(sample.values[1] for sample in profile.samples)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cpu.prof"
        path.write_bytes(encode(profile))
        for options, line in (
            (["-tags"], TAG_LINE),
            (["-tagroot=route", "-top", "-cum", "-nodefraction=0"], ROOT_LINE),
        ):
            command = [go, "tool", "pprof", "-unit=ms", f"-focus={re.escape(WORK)}$", *options, str(path)]
            text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            matches = filter(None, map(line.match, text.splitlines()))
            seen = {match[3]: round(float(match[1]) * NS[match[2]]) for match in matches}
            rest = total_ns - sum(seen.values())
            print_shares(f"{framework} {options[0]}", {**seen, "": rest})


def print_shares(framework: str, seen: dict[str, int]) -> None:
    by_name = {name: sum(ns for route, ns in seen.items() if f"/{name}/" in route) for name in WORK_MS}
    labelled, true = sum(by_name.values()), sum(truth.values())
    shares = {name: (100 * truth[name] / true, 100 * by_name[name] / labelled) for name in WORK_MS}
    worst = max(abs(a - b) for a, b in shares.values())
    cells = "  ".join(f"{name} {a:5.1f} {b:5.1f}" for name, (a, b) in shares.items())
    rest = 100 * (1 - labelled / sum(seen.values()))
    print(
        f"{framework:27} {cells}  largest error {worst:.1f}  outside of that work {rest:.1f} %",
        flush=True,
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("words", nargs="*", metavar="SECONDS")
    arguments.add_argument("-go", default="", help="the program `go`, which is to read the profiles")
    given = arguments.parse_args()
    if len(given.words) == 2:
        measure(given.words[0], float(given.words[1]), given.go)
        return
    seconds = given.words[0] if given.words else "10"
    print(f"{'framework':27} true and profiled share of each route, %", flush=True)
    for framework in FRAMEWORKS:
        subprocess.run([sys.executable, __file__, framework, seconds, "-go", given.go], check=True)


if __name__ == "__main__":
    main()
