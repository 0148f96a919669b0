"""What a trace costs: nanoseconds for each call with a trace running and without, and what its end takes.

    python benchmarks/trace_overhead.py [pairs]

Needs the extra `trace`. Each pair is a fresh measurement off and on, in turns; CPU time, least of the pairs, so that the
machine's other work counts as little as can be. The last row is an arithmetic loop that calls nothing.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.record.trace import Trace, region

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 100_000


def empty() -> None:
    """The cheapest Python function."""


def calls_python() -> None:
    for _ in range(CALLS):
        empty()


def calls_c() -> None:
    items: list[int] = []
    for _ in range(CALLS):
        len(items)


def enters_regions() -> None:
    for _ in range(CALLS):
        with region("benchmark"):
            pass


def computes() -> None:
    total = 0
    for number in range(CALLS):
        total += number * number & 7


WORK: dict[str, Callable[[], None]] = {
    "a Python call": calls_python,
    "a C call": calls_c,
    "with region(...)": enters_regions,
    "a turn of a loop without calls": computes,
}


def cost_ns(work: Callable[[], None]) -> float:
    began = time.process_time_ns()
    work()
    return (time.process_time_ns() - began) / CALLS


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    best = {name: [float("inf"), float("inf")] for name in WORK}
    ends: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.out"
        for _ in range(pairs):
            for name, work in WORK.items():
                best[name][0] = min(best[name][0], cost_ns(work))
                recording = Trace(path)
                recording.start()
                best[name][1] = min(best[name][1], cost_ns(work))
                recording.halt()
                began = time.process_time()
                recording.stop()
                ends.append((time.process_time() - began, path.stat().st_size))
    print(f"{'':32} {'off ns':>8} {'on ns':>8} {'more ns':>8} {'times':>6}   ({pairs} pairs, least)")
    for name, (off, on) in best.items():
        print(f"{name:32} {off:8.1f} {on:8.1f} {on - off:8.1f} {on / off:6.2f}")
    seconds, size = max(ends, key=lambda end: end[1])
    print(f"writing a trace of {size / 1e6:.0f} MB: {seconds:.2f} s of CPU")


if __name__ == "__main__":
    main()
