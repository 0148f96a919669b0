"""What profilers cost: paired runs of three workloads, with and without.

    python benchmarks/profiler_overhead.py [--pairs 25] [--tools PYTHON] [ENGINE…]

In one process, batches of some tens of milliseconds alternate: without, with, without. Each triple gives one ratio of CPU time (of
all threads): with, over the mean of its two neighbours. Printed are the median ratio as a percentage of slowdown and its
95 % bootstrap interval. `none` is the noise floor: the same without any engine. Engines that cannot be started and
stopped inside a program (py-spy, scalene) are left out; py-spy is compared process against process at the end.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.profiler_tools import environment, tools_python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class _Body:
    def __init__(self, x: float) -> None:
        self.x, self.v = x, 0.0

    def pull(self, other: _Body) -> None:
        self.v += (other.x - self.x) * 0.001


def pure_python() -> None:
    """Calls, attributes, floats, dictionaries."""
    bodies = [_Body(float(i)) for i in range(12)]
    counts: dict[int, int] = {}
    for step in range(300):
        for body in bodies:
            body.pull(bodies[step % 12])
            body.x += body.v
        counts[step % 17] = counts.get(step % 17, 0) + 1
    for _ in range(40):
        sorted(range(200), key=lambda item: -item)


_DOCUMENT = {
    f"key{i}": {"list": list(range(1000, 1030)), "text": "x" * 40, "pair": [1.5 * i, None]} for i in range(40)
}


def allocation_heavy() -> None:
    """JSON there and back, and a loop that does nothing but allocate."""
    for _ in range(4):
        json.loads(json.dumps(_DOCUMENT))
    for i in range(30_000):
        [i, (i, i + 1)]


def threads_with_io() -> None:
    """Four pairs of threads that send each other messages over sockets."""

    def serve(end: socket.socket) -> None:
        while data := end.recv(4096):
            end.sendall(json.dumps(json.loads(data)).encode())

    def ask(end: socket.socket) -> None:
        for i in range(60):
            end.sendall(json.dumps({"number": i, "text": "y" * 100}).encode())
            end.recv(4096)
        end.close()

    pairs = [socket.socketpair() for _ in range(4)]
    threads = [threading.Thread(target=serve, args=(a,)) for a, _ in pairs]
    threads += [threading.Thread(target=ask, args=(b,)) for _, b in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, _ in pairs:
        a.close()


WORKLOADS: dict[str, Callable[[], None]] = {
    "pure Python": pure_python,
    "allocation-heavy": allocation_heavy,
    "threads with I/O": threads_with_io,
}


def conduit_cpu() -> AbstractContextManager[object]:
    from conduit._native import sampler

    @contextmanager
    def sampling() -> Iterator[None]:
        sampler.start(10_000_000, False, False)
        yield
        sampler.stop()

    return sampling()


def conduit_heap(rate: int) -> AbstractContextManager[object]:
    from conduit._native import heap

    @contextmanager
    def recording() -> Iterator[None]:
        heap.start(rate)
        yield
        heap.stop()

    return recording()


def memray(**options: bool) -> AbstractContextManager[object]:
    import memray as tool

    return tool.Tracker(tempfile.mktemp(), **options)


@contextmanager
def traced(frames: int) -> Iterator[None]:
    import tracemalloc

    tracemalloc.start(frames)
    yield
    tracemalloc.stop()


@contextmanager
def pyinstrument() -> Iterator[None]:
    from pyinstrument import Profiler

    profiler = Profiler(interval=0.001)
    profiler.start()
    yield
    profiler.stop()


@contextmanager
def cprofile() -> Iterator[None]:
    import cProfile

    with cProfile.Profile():
        yield


@contextmanager
def yappi() -> Iterator[None]:
    import yappi as tool

    tool.set_clock_type("cpu")
    tool.start()
    yield
    tool.stop()
    tool.clear_stats()


ENGINES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "none": nullcontext,
    "conduit cpu, 100 Hz": conduit_cpu,
    "conduit heap, 512 KiB": lambda: conduit_heap(512 * 1024),
    "conduit heap, exact": lambda: conduit_heap(1),
    "pyinstrument, 1 ms": pyinstrument,
    "cProfile": cprofile,
    "yappi, CPU clock": yappi,
    "memray": memray,
    "memray, Python allocators": lambda: memray(trace_python_allocators=True),
    "tracemalloc, 1 frame": lambda: traced(1),
    "tracemalloc, 10 frames": lambda: traced(10),
}


def batch(work: Callable[[], None], rounds: int) -> float:
    begin = time.process_time()
    for _ in range(rounds):
        work()
    return time.process_time() - begin


def ratios(
    engine: Callable[[], AbstractContextManager[object]], work: Callable[[], None], pairs: int
) -> list[float]:
    work()
    rounds = max(1, round(0.04 / max(batch(work, 1), 1e-4)))
    found = []
    for _ in range(pairs):
        before = batch(work, rounds)
        with engine():
            during = batch(work, rounds)
        after = batch(work, rounds)
        found.append(2 * during / (before + after))
    return found


def interval(values: list[float]) -> tuple[float, float, float]:
    """Median and 95 % bootstrap interval."""
    medians = sorted(statistics.median(random.choices(values, k=len(values))) for _ in range(1000))
    return statistics.median(values), medians[25], medians[974]


def measure(engine: str, pairs: int) -> dict[str, tuple[float, float, float]]:
    return {name: interval(ratios(ENGINES[engine], work, pairs)) for name, work in WORKLOADS.items()}


def direct_cost(seconds: float = 3) -> dict[str, float]:
    """CPU seconds that the sampler itself used (handlers and collector), for each second of the program's."""
    from conduit._native import sampler

    shares = {}
    for name, work in WORKLOADS.items():
        sampler.start(10_000_000, False, False)
        begin = time.process_time()
        while time.process_time() - begin < seconds:
            work()
        used = time.process_time() - begin
        _, facts = sampler.stop()
        shares[name] = (facts["handler_ns"] + facts["collector_ns"]) / 1e9 / used
    return shares


def py_spy(tools: str, pairs: int, nonblocking: bool) -> dict[str, tuple[float, float, float]]:
    """py-spy looks from outside: whole seconds of work with and without it watching, alternating."""
    import os

    tool = str(Path(tools).with_name("py-spy"))
    found = {}
    for name, work in WORKLOADS.items():
        values = []
        for _ in range(max(pairs // 5, 4)):
            rounds = max(1, round(0.5 / max(batch(work, 1), 1e-4)))
            before = batch(work, rounds)
            command = [
                tool,
                "record",
                "-p",
                str(os.getpid()),
                "-r",
                "100",
                "-d",
                "60",
                "-o",
                tempfile.mktemp(),
            ]
            command += ["--nonblocking"] if nonblocking else []
            watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.4)
            during = batch(work, rounds)
            watcher.kill()
            watcher.wait()
            values.append(2 * during / (before + batch(work, rounds)))
        found[name] = interval(values)
    return found


def row(engine: str, result: dict[str, tuple[float, float, float]]) -> str:
    cells = [
        f"{100 * m - 100:+.1f} [{100 * low - 100:+.1f}, {100 * high - 100:+.1f}]"
        for m, low, high in result.values()
    ]
    return f"| {engine} | " + " | ".join(cells) + " |"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("engines", nargs="*", default=list(ENGINES))
    arguments.add_argument("--pairs", type=int, default=25)
    arguments.add_argument("--tools", help="a Python that has the other profilers")
    arguments.add_argument("--one", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        answers = {"direct": direct_cost} if given.one == "direct" else {}
        print(json.dumps(answers[given.one]() if answers else measure(given.one, given.pairs)))
        return
    tools = tools_python(given.tools)
    print("| profiler, % slowdown | " + " | ".join(WORKLOADS) + " |")
    print("|---" * (len(WORKLOADS) + 1) + "|")
    for engine in given.engines:
        command = [tools, __file__, "--one", engine, "--pairs", str(given.pairs)]
        answer = subprocess.run(command, capture_output=True, text=True, env=environment())
        if answer.returncode:
            print(f"| {engine} | did not run: {answer.stderr.strip().splitlines()[-1]} |", flush=True)
        else:
            print(row(engine, json.loads(answer.stdout.splitlines()[-1])), flush=True)
    for nonblocking in (False, True):
        print(
            row("py-spy" + " --nonblocking" * nonblocking, py_spy(tools, given.pairs, nonblocking)),
            flush=True,
        )
    answer = subprocess.run(
        [tools, __file__, "--one", "direct"], capture_output=True, text=True, env=environment(), check=True
    )
    shares = ", ".join(f"{name} {100 * share:.3f} %" for name, share in json.loads(answer.stdout).items())
    print(f"\nDirect cost of the CPU sampler at 100 Hz, of the program's CPU time: {shares}.")


if __name__ == "__main__":
    main()
