"""Counts every operation of the table in this process and prints the counts as JSON: {name: [allocations, bytes]}."""

from __future__ import annotations

import gc
import json
import sys
from typing import TYPE_CHECKING

from conduit._native import allocations
from tests.native.operations import EXPECTED

_LOOP = (2, 96) if sys.version_info < (3, 12) else (2, 88) if sys.version_info < (3, 14) else (0, 0)

if TYPE_CHECKING:
    from collections.abc import Callable


def count(operation: Callable[[], object], times: int = 50) -> tuple[int, int]:
    """Allocations and bytes of `times` warm runs, divided; fails where the runs were not all alike."""
    gc.collect()
    gc.disable()
    allocations.start()
    try:
        for _ in range(times):
            operation()
        before = allocations.read()
        for _ in range(times):
            operation()
        after = allocations.read()
    finally:
        allocations.stop()
        gc.enable()
    # The loop itself asks for a range and its iterator, 48 bytes each up to 3.11 and then 48 and 40; from 3.14 on both come
    # from free lists (see operations.py).
    totals = (after.allocations - before.allocations - _LOOP[0], after.bytes - before.bytes - _LOOP[1])
    assert totals[0] % times == totals[1] % times == 0, totals
    return totals[0] // times, totals[1] // times


if __name__ == "__main__":
    print(json.dumps({operation.__name__: count(operation) for operation in EXPECTED}))
