"""What profilers cost: paired runs of three workloads, with and without.

    python benchmarks/profiler_overhead.py [--minutes 15] [--workloads W,…] [--tools PYTHON] [ENGINE…]

In one process, batches of some tens of milliseconds alternate: without, with, without. Each triple gives one ratio of CPU time (of
all threads): with, over the mean of its two neighbours. Printed are the median ratio as a percentage of slowdown and its
95 % bootstrap interval. `none` is the noise floor: the same without any engine; its interval is what this run resolves, and
figures of different runs are not to be compared. py-spy looks from outside at whole half-seconds of work, and scalene, which
has to start a program itself, is compared process against process.

The time is shared out evenly among engines and workloads; each takes as many pairs as fit, and three at least. An engine is
named by any part of its name; `--list` prints them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.profiler_tools import environment, missing, tools_python

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


@contextmanager
def conduit_waits() -> Iterator[None]:
    from conduit._native import waits

    waits.set_rates(1, 1, gil=False)
    yield
    waits.set_rates(0, 0, gil=False)


@contextmanager
def scratch_file() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder) / "recording")


@contextmanager
def conduit_trace() -> Iterator[None]:
    from conduit.record.trace import Trace

    # A small ring costs the same for each event, and is written sooner.
    with scratch_file() as path, Trace(path, max_events=50_000):
        yield


@contextmanager
def memray(**options: Any) -> Iterator[None]:  # any: mypy may or may not find memray's types
    import memray as tool

    with scratch_file() as path, tool.Tracker(path, **options):
        yield


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
    "conduit block + mutex": conduit_waits,
    "conduit trace": conduit_trace,
    "pyinstrument, 1 ms": pyinstrument,
    "cProfile": cprofile,
    "yappi, CPU clock": yappi,
    "memray": memray,
    "memray, Python allocators": lambda: memray(trace_python_allocators=True),
    "tracemalloc, 1 frame": lambda: traced(1),
    "tracemalloc, 10 frames": lambda: traced(10),
}
FROM_OUTSIDE = ("py-spy", "py-spy --nonblocking", "scalene, CPU", "scalene, all")
DIRECT = "direct cost of conduit cpu"
# What has to be installed for an engine, by how its name begins.
PACKAGE_OF = {name: name for name in ("pyinstrument", "yappi", "memray", "py-spy", "scalene")} | {
    "conduit trace": "viztracer"
}
FEWEST_PAIRS = 3


def batch(work: Callable[[], None], rounds: int) -> float:
    begin = time.process_time()
    for _ in range(rounds):
        work()
    return time.process_time() - begin


def rounds_for(work: Callable[[], None], seconds: float) -> int:
    work()
    return max(1, round(seconds / max(batch(work, 1), 1e-4)))


def repeat(measure_pair: Callable[[], float], seconds: float) -> list[float]:
    """As many pairs as fit into the time."""
    end = time.monotonic() + seconds
    found: list[float] = []
    while len(found) < FEWEST_PAIRS or time.monotonic() < end:
        found.append(measure_pair())
    return found


def paired(engine: str, workload: str, seconds: float) -> list[float]:
    """Ratios of CPU time with and without an engine that starts and stops inside the program."""
    work = WORKLOADS[workload]
    rounds = rounds_for(work, 0.04)

    def measure_pair() -> float:
        before = batch(work, rounds)
        with ENGINES[engine]():
            during = batch(work, rounds)
        return 2 * during / (before + batch(work, rounds))

    return repeat(measure_pair, seconds)


def interval(values: list[float]) -> tuple[float, float, float]:
    """Median and 95 % bootstrap interval."""
    medians = sorted(statistics.median(random.choices(values, k=len(values))) for _ in range(1000))
    return statistics.median(values), medians[25], medians[974]


def direct_cost(workloads: list[str], seconds: float) -> dict[str, float]:
    """CPU seconds that the sampler itself used (handlers and collector), for each second of the program's."""
    from conduit._native import sampler

    shares = {}
    for name in workloads:
        work = WORKLOADS[name]
        sampler.start(10_000_000, False, False)
        begin = time.process_time()
        while time.process_time() - begin < seconds / len(workloads):
            work()
        used = time.process_time() - begin
        _, facts = sampler.stop()
        shares[name] = (facts["handler_ns"] + facts["collector_ns"]) / 1e9 / used
    return shares


def watched_by_py_spy(engine: str, workload: str, seconds: float) -> list[float]:
    """py-spy looks from outside: half a second of work with it watching, between two without."""
    work = WORKLOADS[workload]
    rounds = rounds_for(work, 0.5)
    tool = str(Path(sys.executable).with_name("py-spy"))
    flags = engine.split()[1:]

    def measure_pair() -> float:
        before = batch(work, rounds)
        with scratch_file() as path:
            command = [tool, "record", "-p", str(os.getpid()), "-r", "100", "-d", "60", "-o", path, *flags]
            watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.4)
            during = batch(work, rounds)
            ended = watcher.poll()
            watcher.kill()
            watcher.wait()
        if ended is not None:
            raise RuntimeError(f"py-spy ended with status {ended} before the work did")
        return 2 * during / (before + batch(work, rounds))

    return repeat(measure_pair, seconds)


def cpu_of_process(launcher: list[str], workload: str, rounds: int) -> float:
    """CPU seconds of the work alone, in a process of its own, started as the launcher says."""
    with scratch_file() as path:
        asked = ["--plain", workload, "--rounds", str(rounds), "--answer", path]
        answer = subprocess.run([*launcher, __file__, *asked], capture_output=True, text=True)
        if not Path(path).exists():
            raise RuntimeError(
                f"{launcher[2]} gave no answer: {(answer.stderr or answer.stdout).strip()[-200:]}"
            )
        return float(Path(path).read_text())


def started_by_scalene(engine: str, workload: str, seconds: float) -> list[float]:
    """scalene has to start the program: whole processes, without, with, without."""
    rounds = rounds_for(WORKLOADS[workload], 0.5)
    plain = [sys.executable, "-u"]

    def measure_pair() -> float:
        before = cpu_of_process(plain, workload, rounds)
        with scratch_file() as path:
            flags = ["--cpu-only"] if engine.endswith("CPU") else []
            launcher = [sys.executable, "-m", "scalene", "run", *flags, "--outfile", path]
            during = cpu_of_process(launcher, workload, rounds)
        return 2 * during / (before + cpu_of_process(plain, workload, rounds))

    return repeat(measure_pair, seconds)


def measure(engine: str, workloads: list[str], seconds: float) -> dict[str, tuple[float, float, float, int]]:
    """Median, its interval, and the number of pairs, for each workload."""
    way = paired
    if engine.startswith("py-spy"):
        way = watched_by_py_spy
    elif engine.startswith("scalene"):
        way = started_by_scalene
    answers = {}
    for name in workloads:
        values = way(engine, name, seconds / len(workloads))
        answers[name] = (*interval(values), len(values))
    return answers


def row(engine: str, result: dict[str, list[float]]) -> str:
    cells = [
        f"{100 * m - 100:+.1f} [{100 * low - 100:+.1f}, {100 * high - 100:+.1f}] ({pairs:.0f})"
        for m, low, high, pairs in result.values()
    ]
    return f"| {engine} | " + " | ".join(cells) + " |"


def resolution(result: dict[str, list[float]]) -> str:
    """What the row `none` says about this run."""
    cells = [f"{name} {50 * (high - low):.1f} points" for name, (_, low, high, _) in result.items()]
    return (
        f"Without any engine the intervals are {', '.join(cells)} to either side: with as many pairs, less than that is "
        "not resolved in this run. Figures of different runs are not to be compared."
    )


def ask(tools: str, engine: str, workloads: list[str], seconds: float) -> dict[str, list[float]]:
    """One engine in a process of its own. Raises `RuntimeError` with its last words where it did not run."""
    command = [
        tools,
        __file__,
        "--one",
        engine,
        "--seconds",
        str(seconds),
        "--workloads",
        ",".join(workloads),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment())
    if answer.returncode:
        raise RuntimeError((answer.stderr.strip().splitlines() or [f"status {answer.returncode}"])[-1])
    found: dict[str, list[float]] = json.loads(answer.stdout.splitlines()[-1])
    return found


def print_table(tools: str, engines: list[str], workloads: list[str], minutes: float) -> None:
    print("| profiler, % slowdown (pairs) | " + " | ".join(workloads) + " |")
    print("|---" * (len(workloads) + 1) + "|", flush=True)
    absent = missing(tools, set(PACKAGE_OF.values()))
    notes = []
    end = time.monotonic() + 60 * minutes
    for position, engine in enumerate(engines):
        package = next((package for name, package in PACKAGE_OF.items() if engine.startswith(name)), None)
        if package in absent:
            print(f"| {engine} | {package} is not installed |", flush=True)
            continue
        # What is left, shared evenly; a tenth of it goes to starting processes and to writing what was recorded.
        seconds = max(0.9 * (end - time.monotonic()) / (len(engines) - position), 1)
        try:
            result = ask(tools, engine, workloads, seconds)
        except RuntimeError as error:
            print(f"| {engine} | did not run: {error} |", flush=True)
            continue
        if engine == DIRECT:
            shares = ", ".join(f"{name} {100 * share:.3f} %" for name, share in result.items())
            notes.append(f"Direct cost of the CPU sampler at 100 Hz, of the program's CPU time: {shares}.")
            continue
        print(row(engine, result), flush=True)
        if engine == "none":
            notes.append(resolution(result))
    print("", *notes, sep="\n")


def chosen(names: list[str], wanted: list[str], what: str) -> list[str]:
    """The names that contain one of the wanted parts, in their own order; all where none is wanted."""
    for part in wanted:
        if not any(part.lower() in name.lower() for name in names):
            raise SystemExit(f"no {what} is called {part!r}; there are: {', '.join(names)}")
    if not wanted:
        return names
    return [name for name in names if any(part.lower() in name.lower() for part in wanted)]


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("engines", nargs="*", help="parts of their names; all where none is given")
    arguments.add_argument("--minutes", type=float, default=15, help="for the whole table (default 15)")
    arguments.add_argument("--workloads", default="", help="parts of their names, with commas between")
    arguments.add_argument("--tools", help="a Python that has the other profilers")
    arguments.add_argument("--list", action="store_true", help="print the engines and end")
    for inner in ("--one", "--plain", "--answer"):
        arguments.add_argument(inner, help=argparse.SUPPRESS)
    arguments.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    arguments.add_argument("--rounds", type=int, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    workloads = chosen(list(WORKLOADS), [part for part in given.workloads.split(",") if part], "workload")
    if given.plain:
        WORKLOADS[given.plain]()
        Path(given.answer).write_text(str(batch(WORKLOADS[given.plain], given.rounds)))
        return
    if given.one:
        work = direct_cost if given.one == DIRECT else partial(measure, given.one)
        print(json.dumps(work(workloads, given.seconds)))
        return
    engines = chosen([*ENGINES, *FROM_OUTSIDE, DIRECT], given.engines, "engine")
    if given.list:
        print(*engines, sep="\n")
        return
    print_table(tools_python(given.tools), engines, workloads, given.minutes)


if __name__ == "__main__":
    main()
