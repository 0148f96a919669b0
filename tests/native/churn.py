"""Everything that makes a stack hard to read, at once, for some seconds: what a sampler has to survive.

Code objects are made and dropped, coroutines, generators and exceptions fly, recursion is deep and unwinds, threads
come and go, C code calls back into Python. Run as `python -m tests.native.churn SECONDS SIGNALS_PER_SECOND`, it samples all that by the
wall clock (the only timers that are not held to the kernel's tick), and prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import json
import sys
import threading
import time
from typing import TYPE_CHECKING

from conduit._native import _core

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

_SOURCE = """
def outer(x):
    def inner(y):
        return [z + y for z in range(x)]
    return sum(inner(3)) + (lambda q: q * 2)(x)
class Made:
    def method(self):
        return outer(5)
answer = Made().method()
"""


def make_code(running: Callable[[], bool]) -> None:
    while running():
        namespace: dict[str, object] = {}
        exec(compile(_SOURCE, f"made-{time.monotonic_ns()}", "exec"), namespace)
        assert namespace["answer"] == 25 + 10


async def _leaf(depth: int) -> int:
    if depth:
        return await _leaf(depth - 1)
    await asyncio.sleep(0)
    return 1


async def _stream(n: int) -> AsyncIterator[int]:
    for i in range(n):
        yield i
        await asyncio.sleep(0)


async def _swarm(running: Callable[[], bool]) -> None:
    while running():
        await asyncio.gather(*(_leaf(i) for i in range(20)))
        async for _ in _stream(5):
            pass


def fly_coroutines(running: Callable[[], bool]) -> None:
    asyncio.run(_swarm(running))


def _raise_from(depth: int) -> None:
    if depth == 0:
        raise ValueError("from below")
    try:
        _raise_from(depth - 1)
    except (ValueError, RuntimeError) as error:
        raise RuntimeError(str(depth)) from error


def fly_exceptions(running: Callable[[], bool]) -> None:
    while running():
        try:
            _raise_from(10)
        except RuntimeError as error:
            assert str(error) == "10"


def _recurse(depth: int) -> int:
    return _recurse(depth - 1) + 1 if depth else 0


def recurse(running: Callable[[], bool]) -> None:
    while running():
        assert _recurse(700) == 700


def _count_down(n: int) -> Iterator[int]:
    if n:
        yield n
        yield from _count_down(n - 1)


def call_back_from_c(running: Callable[[], bool]) -> None:
    while running():
        assert sorted(_count_down(30), key=lambda item: -item)[0] == 30
        assert max(map(lambda item: item * 2, range(50))) == 98  # noqa: C417 (the call from C is the point)


def spawn(running: Callable[[], bool]) -> None:
    def short_life() -> None:
        exec("def gone(x):\n    return x + 1\nassert gone(1) == 2", {})

    while running():
        threads = [threading.Thread(target=short_life) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


WORKLOADS = (make_code, fly_coroutines, fly_exceptions, recurse, call_back_from_c, spawn)


def churn(seconds: float, signals_per_second: int) -> dict[str, int]:
    """Runs all workloads for so long, sampled so often; returns what the sampler says of itself."""
    faulthandler.enable()  # a stranger's handler below ours, as under pytest
    end = time.monotonic() + seconds

    def running() -> bool:
        return time.monotonic() < end

    failures: list[object] = []
    threading.excepthook = failures.append
    _core.cpu_start(1_000_000_000 // signals_per_second, True, False)
    threads = [threading.Thread(target=workload, args=(running,)) for workload in WORKLOADS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert not failures, failures
    samples, facts = _core.cpu_stop()
    stacks = [stack for *_, stack in samples if stack is not None]
    names = {code.co_name for stack in stacks for code in stack[0::2]}
    lines = [_core.line_of(stack[i], stack[i + 1]) for stack in stacks for i in range(0, len(stack), 2)]
    return {
        "signals": facts["handler_calls"],
        "lost": facts["lost"],
        "collector_ms": facts["collector_ns"] // 1000000,
        "walked": facts["samples"],
        "unreadable": facts["unreadable"],
        "stacks": len(samples),
        "functions": len(names),
        "lines_without_number": sum(line <= 0 for line in lines),
    }


if __name__ == "__main__":
    print(json.dumps(churn(float(sys.argv[1]), int(sys.argv[2]))))
