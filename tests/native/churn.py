"""Everything that makes a stack hard to read, at once, for some seconds: what a sampler has to survive.

Code objects are made and dropped, coroutines, generators and exceptions fly, recursion is deep and unwinds, threads
come and go, C code calls back into Python. Run as `python -m tests.native.churn SECONDS SIGNALS_PER_SECOND`, it samples
all that by the wall clock (the only timers that are not held to the kernel's tick), and prints how many signals each
long-lived thread was really given, a row a thread, and then one line of JSON. The status is 1 where one of them got fewer.

How the rate is reached on two processors: SIGPROF is not queued, so of signals that arrive while one is pending only one
is delivered. The timers therefore run faster than asked. The long-lived threads are few, and each does all kinds of
work in turn, so that each spends its time both with the interpreter's lock and waiting for it.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import json
import sys
import threading
import time
from collections import Counter
from itertools import compress, cycle
from typing import TYPE_CHECKING, NamedTuple

from conduit._native import _core, sampler

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

    def short_life_under_fire() -> None:
        _core.cpu_thread_began()
        for _ in range(100):
            short_life()

    # Not all of them, since a timer of the wall clock outlives its thread until the sampler lists the threads again.
    armed = threading.Thread(target=short_life_under_fire)
    armed.start()
    armed.join()
    while running():
        threads = [threading.Thread(target=short_life) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


WORKLOADS = (make_code, fly_coroutines, fly_exceptions, recurse, call_back_from_c, spawn)
LONG_LIVED = ("main", "second", "third")
SLICE_SECONDS = 0.05
FASTER_THAN_ASKED = 2


def turn(first: int, end: float) -> None:
    """Does every kind of work in turn until `end`, from the `first` on."""
    for workload in cycle(WORKLOADS[first:] + WORKLOADS[:first]):
        if time.monotonic() >= end:
            return
        until = time.monotonic() + SLICE_SECONDS
        workload(lambda until=until: time.monotonic() < until)  # type: ignore[misc]


class Rate(NamedTuple):
    """Signals that one long-lived thread was given; each was walked, and its sample kept."""

    thread: str
    signals: int
    per_second: int


def churn(seconds: float, signals_per_second: int) -> tuple[list[Rate], dict[str, int]]:
    """Does all work in all long-lived threads for so long, each interrupted so often or oftener.

    Returns what each of them was given, and what the sampler says of itself.
    """
    faulthandler.enable()  # a handler below ours, as under pytest
    failures: list[object] = []
    threading.excepthook = failures.append
    _core.cpu_start(1_000_000_000 // (signals_per_second * FASTER_THAN_ASKED), True, False)
    end = time.monotonic() + seconds
    lives: dict[int | None, tuple[str, float]] = {}

    def live(first: int) -> None:
        number = _core.cpu_thread_began()
        begin = time.monotonic()
        turn(first, end)
        lives[number] = LONG_LIVED[first], time.monotonic() - begin

    threads = [threading.Thread(target=live, args=(first,)) for first in range(1, len(LONG_LIVED))]
    for thread in threads:
        thread.start()
    live(0)
    for thread in threads:
        thread.join()
    gc.collect()
    assert not failures, failures
    samples, facts = sampler.stop()
    signals: Counter[int | None] = Counter()
    for thread, count in zip(samples.threads, samples.signals, strict=True):
        signals[thread] += count
    rates = [
        Rate(name, signals[number], int(signals[number] / lived)) for number, (name, lived) in lives.items()
    ]
    lines = memoryview(samples.stacks.places).cast("i")[1::2].tolist()
    return rates, {
        "signals": facts["handler_calls"],
        "walked": facts["samples"],
        "lost": facts["lost"],
        "unreadable": sum(compress(samples.signals, (not one for one in samples.readable))),
        "unreadable_weight": facts["unreadable"],
        "threads": facts["threads"],
        "threads_refused": facts["threads_refused"],
        "slowest_per_second": min(rate.per_second for rate in rates),
        "handler_ns": facts["handler_ns"] // max(facts["handler_calls"], 1),
        "collector_ms": facts["collector_ns"] // 1_000_000,
        "stacks": len(samples.tasks),
        "functions": len({code.co_name for code in samples.stacks.codes}),
        "lines_without_number": sum(line <= 0 for line in lines),
    }


def main() -> int:
    seconds, asked = float(sys.argv[1]), int(sys.argv[2])
    rates, facts = churn(seconds, asked)
    print(f"Python {sys.version.split()[0]}, {seconds:g} s, {asked} signals/s asked of each thread")
    print(f"{'thread':<10}{'signals':>12}{'a second':>12}")
    for rate in rates:
        print(f"{rate.thread:<10}{rate.signals:>12}{rate.per_second:>12}")
    print(json.dumps(facts))
    return int(facts["slowest_per_second"] < asked)


if __name__ == "__main__":
    sys.exit(main())
