"""Takes memory away from the interpreter at every point in turn, under each part of the extension; prints how often.

CPython's own test module makes the n-th allocation fail. Once our hooks lie below that failing layer, once above it (the
block below is NULL), and then the functions that build answers are starved themselves.
"""

from __future__ import annotations

import _testcapi
import sys
from typing import TYPE_CHECKING

from conduit._native import _core

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER = 1 << 30
POINTS = 300


def work() -> object:
    grown: list[object] = []
    for i in range(60):
        grown.append({"number": i, "text": str(i) * 20, "bytes": bytearray(i * 40) + b"x" * 100})
    namespace: dict[str, object] = {}
    exec("def made(x):\n    return [y for y in range(x)]", namespace)
    return grown, namespace


def starve(action: Callable[[], object]) -> int:
    """Runs the action with its first, second, third … allocation failing; returns how many times it ran out."""
    failures = 0
    for point in range(POINTS):
        _testcapi.set_nomemory(point, point + 2)
        try:
            action()
        except (MemoryError, SystemError):
            failures += 1
        finally:
            _testcapi.remove_mem_hooks()
    return failures


def under_heap(rate: int) -> int:
    _core.heap_start(rate)
    try:
        return starve(work) + starve(_core.heap_read)
    finally:
        _core.heap_stop()


def under_counting() -> int:
    _core.allocations_start()
    try:
        return starve(work) + starve(_core.allocations_read)
    finally:
        _core.allocations_stop()


def under_sampling() -> int:
    failures = 0
    for point in range(0, POINTS, 10):
        _core.cpu_start(100_000, True, True)
        starve_once = [work]
        failures += sum(starve(action) for action in starve_once) if point == 0 else 0
        _testcapi.set_nomemory(point, point + 2)
        try:
            _core.cpu_stop()
        except MemoryError:
            failures += 1
        finally:
            _testcapi.remove_mem_hooks()
    return failures


def above_the_failing_layer() -> int:
    failures = 0
    for begin, end in (
        (lambda: _core.heap_start(64), _core.heap_stop),
        (lambda: _core.heap_start(1), _core.heap_stop),
        (_core.allocations_start, _core.allocations_stop),
    ):
        for point in range(0, POINTS, 3):
            _testcapi.set_nomemory(NEVER)
            begin()
            _testcapi.set_nomemory(point, point + 2)
            try:
                work()
            except (MemoryError, SystemError):
                failures += 1
            _testcapi.set_nomemory(NEVER)
            end()
            _testcapi.remove_mem_hooks()
    return failures


if __name__ == "__main__":
    sys.setswitchinterval(1)
    results = [under_heap(64), under_heap(1), under_counting(), under_sampling(), above_the_failing_layer()]
    print(*results)
