"""What a label costs, and the middleware that labels requests, each beside none.

    python -m benchmarks.label_cost

The first table is nanoseconds to enter and leave, the smallest of many batches, with an empty loop subtracted: a lock, a
context variable that is set and reset, a label made before, and one made each time; each without a recording and while CPU
and heap are recorded. The second is microseconds of CPU a request: the application called directly, without and with route
labels, in turn; the median of the differences.
"""

from __future__ import annotations

import asyncio
import contextvars
import statistics
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH, BATCHES = 2_000, 800
REQUESTS, ROUNDS = 200, 60


def smallest_ns(run: Callable[[int], None]) -> float:
    best = float("inf")
    for _ in range(BATCHES):
        began = time.perf_counter_ns()
        run(BATCH)
        best = min(best, time.perf_counter_ns() - began)
    return best / BATCH


def label_table() -> None:
    import conduit
    from conduit.record import cpu, heap

    lock, variable, made = (
        threading.Lock(),
        contextvars.ContextVar[int]("variable"),
        conduit.label(tenant="a"),
    )

    def nothing(count: int) -> None:
        for _ in range(count):
            pass

    def with_lock(count: int) -> None:
        for _ in range(count):
            with lock:
                pass

    def with_variable(count: int) -> None:
        for _ in range(count):
            variable.reset(variable.set(1))

    def with_made(count: int) -> None:
        for _ in range(count):
            with made:
                pass

    def with_new(count: int) -> None:
        for _ in range(count):
            with conduit.label(tenant="a"):
                pass

    rows = {
        "with lock": with_lock,
        "variable.set, reset": with_variable,
        "with a label made before": with_made,
        "with conduit.label(tenant='a')": with_new,
    }
    print(f"{'ns to enter and leave':32} {'no recording':>12} {'CPU and heap':>12}")
    empty = smallest_ns(nothing)
    for name, run in rows.items():
        alone = smallest_ns(run) - empty
        with cpu(), heap():
            recorded = smallest_ns(run) - empty
        print(f"{name:32} {alone:12.0f} {recorded:12.0f}", flush=True)


def middleware_row(framework: str) -> None:
    from benchmarks import route_shares

    for name in route_shares.WORK_MS:
        route_shares.WORK_MS[name] = 0.0
    apps: dict[str, Any] = {
        "flask": route_shares.flask_app,
        "fastapi": route_shares.fastapi_app,
        "django-wsgi": lambda: route_shares.django_app("wsgi"),
    }
    labelled = apps[framework]()
    if framework == "django-wsgi":
        from django.conf import settings
        from django.core.wsgi import get_wsgi_application

        settings.MIDDLEWARE = settings.MIDDLEWARE[1:]
        bare: Any = get_wsgi_application()
    else:
        bare = labelled.app
    drive = route_shares.drive_asgi if framework == "fastapi" else route_shares.drive_wsgi

    def us_a_request(app: Any) -> float:
        left = iter(range(REQUESTS // (route_shares.AT_ONCE * len(route_shares.WORK_MS))))
        began = time.process_time()
        driven = drive(app, lambda: next(left, None) is None)
        if driven is not None:
            asyncio.run(driven)
        return (time.process_time() - began) * 1e6 / REQUESTS

    us_a_request(bare), us_a_request(labelled)
    pairs = [(us_a_request(bare), us_a_request(labelled)) for _ in range(ROUNDS)]
    without = statistics.median(pair[0] for pair in pairs)
    added = statistics.median(pair[1] - pair[0] for pair in pairs)
    print(f"{framework:32} {without:12.0f} {added:+12.1f}", flush=True)


def main() -> None:
    if len(sys.argv) == 2:
        middleware_row(sys.argv[1])
        return
    label_table()
    print(f"\n{'µs of CPU a request':32} {'without':>12} {'labels add':>12}", flush=True)
    for framework in ("flask", "fastapi", "django-wsgi"):
        subprocess.run([sys.executable, "-m", "benchmarks.label_cost", framework], check=True)


if __name__ == "__main__":
    main()
