"""How right profilers are where programs are hard to sample: short threads, thread pools, child processes.

    python benchmarks/threads_accuracy.py [-tools FOLDER] [ENGINE…]

Each program has two functions, `quick` and `slow`, which read their own CPU time, also in its child processes. Printed
are, for each profiler, the share of the two in what it shows of the whole, beside the true share of that same run, and
the seconds shown beside the CPU clock of all processes. FOLDER is the bin folder with py-spy, yappi and pyinstrument.
"""

from __future__ import annotations

import argparse
import json
import pstats
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.profiler_tools import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PROGRAM = """
import json, multiprocessing, os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor

used = {"quick": 0.0, "slow": 0.0}
lock = threading.Lock()

def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(200))

def measured(name, seconds):
    begin = time.thread_time()
    burn(seconds)
    with lock:
        used[name] += time.thread_time() - begin

def quick(seconds=0.002):
    measured("quick", seconds)

def slow(seconds=0.006):
    measured("slow", seconds)

def note(begin):
    with open(f"{sys.argv[2]}.{os.getpid()}", "w") as file:
        json.dump({**used, "process": time.process_time() - begin}, file)

def short_threads():
    for _ in range(400):
        group = [threading.Thread(target=target) for target in (quick, slow)]
        for thread in group: thread.start()
        for thread in group: thread.join()

def thread_pool():
    with ThreadPoolExecutor(8) as pool:
        for _ in range(400):
            pool.submit(quick)
            pool.submit(slow)

def child(target, seconds):
    begin = time.process_time()
    target(seconds)
    note(begin)

def children(method):
    context = multiprocessing.get_context(method)
    jobs = [(quick, 0.4), (slow, 1.2)] * 2
    group = [context.Process(target=child, args=job) for job in jobs]
    for process in group: process.start()
    for process in group: process.join()

def forked_children():
    children("fork")

def spawned_children():
    children("spawn")

if __name__ == "__main__":
    begin = time.process_time()
    globals()[sys.argv[1]]()
    note(begin)
"""
WAYS = ("short_threads", "thread_pool", "forked_children", "spawned_children")
Shown = tuple[float, float, float]  # seconds of quick, of slow, of all


def of_stacks(stacks: Iterable[tuple[list[str], float]]) -> Shown:
    quick = slow = total = 0.0
    for names, value in stacks:
        total += value
        quick += value if "quick" in names else 0
        slow += value if "slow" in names and "quick" not in names else 0
    return quick, slow, total


def conduit(run: Callable[..., None], file: str) -> Shown:
    run(sys.executable, "-m", "conduit", "run", "-children", f"-cpuprofile={file}")
    from conduit.profile.codec import decode

    return of_stacks(
        (
            [
                line.function.name.rpartition(".")[2]
                for location in sample.locations
                for line in location.lines
                if line.function
            ],
            sample.values[1] / 1e9,
        )
        for sample in decode(Path(file).read_bytes()).samples
    )


def collapsed(text: str, separators: str) -> Iterable[tuple[list[str], float]]:
    """Lines of `frame;frame count`, at 100 samples a second."""
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        names = [word for frame in frames.split(";") for word in frame.replace(separators, " ").split()]
        yield names, float(count) / 100


def py_spy(run: Callable[..., None], file: str, *flags: str) -> Shown:
    command = ["record", "-r", "100", "-F", "-s", "-f", "raw", "-o", file, *flags]
    run(str(TOOLS / "py-spy"), *command, "--", sys.executable)
    return of_stacks(collapsed(Path(file).read_text(), "("))


def py_spy_nonblocking(run: Callable[..., None], file: str) -> Shown:
    return py_spy(run, file, "--nonblocking")


def of_pstats(file: str) -> Shown:
    rows = pstats.Stats(file).stats  # type: ignore[attr-defined]
    total = sum(row[2] for row in rows.values())
    cumulative = {key[2]: row[3] for key, row in rows.items() if key[2] in ("quick", "slow")}
    return cumulative.get("quick", 0.0), cumulative.get("slow", 0.0), total


def yappi(run: Callable[..., None], file: str) -> Shown:
    run(str(TOOLS / "yappi"), "-c", "cpu", "-f", "pstat", "-o", file)
    quick, slow, _ = of_pstats(file)  # it has no total of all threads
    return quick, slow, quick + slow


def pyinstrument(run: Callable[..., None], file: str) -> Shown:
    run(str(TOOLS / "pyinstrument"), "-i", "0.001", "-r", "pstats", "-o", file)
    return of_pstats(file)


def profiling_sampling(run: Callable[..., None], file: str) -> Shown:
    """The sampling profiler of the standard library (3.15)."""
    if sys.version_info < (3, 15):
        raise RuntimeError("profiling.sampling is in the standard library from 3.15 on")
    command = ["-m", "profiling.sampling", "run", "-a", "-r", "100hz", "--mode", "cpu", "--subprocesses"]
    run(sys.executable, *command, "--collapsed", "-o", file)
    texts = [path.read_text() for path in sorted(Path(file).parent.glob(Path(file).name + "*"))]
    return of_stacks(part for text in texts for part in collapsed(text, ":"))


ENGINES: dict[str, Callable[[Callable[..., None], str], Shown]] = {
    "conduit run -children": conduit,
    "py-spy": py_spy,
    "py-spy --nonblocking": py_spy_nonblocking,
    "yappi, CPU clock": yappi,
    "pyinstrument, 1 ms": pyinstrument,
    "profiling.sampling --mode cpu": profiling_sampling,
}
TOOLS = Path(sys.executable).parent


def measure(engine: str, way: str) -> str:
    """One row: shares shown and, in brackets, true ones; seconds shown and in brackets those of the clock."""
    with tempfile.TemporaryDirectory() as folder:
        program, truth = Path(folder) / "program.py", Path(folder) / "truth"
        program.write_text(PROGRAM)

        def run(*command: str) -> None:
            words = [*command, str(program), way, str(truth)]
            subprocess.run(words, capture_output=True, env=environment(), timeout=300, cwd=folder)

        try:
            quick, slow, total = ENGINES[engine](run, str(Path(folder) / "profile"))
        except (OSError, RuntimeError, ValueError, TypeError) as error:
            return f"| {engine} | {type(error).__name__}: {str(error)[:60]} | | |"
        parts = [json.loads(path.read_text()) for path in Path(folder).glob("truth.*")]
    true = {key: sum(part[key] for part in parts) for key in ("quick", "slow", "process")}
    shares = [
        f"{100 * shown / (total or 1):.1f} ({100 * true[name] / true['process']:.1f})"
        for name, shown in (("quick", quick), ("slow", slow))
    ]
    return f"| {engine} | {shares[0]} | {shares[1]} | {total:.2f} ({true['process']:.2f}) |"


def main() -> int:
    global TOOLS
    parser = argparse.ArgumentParser()
    parser.add_argument("-tools", type=Path, default=TOOLS)
    parser.add_argument("engines", nargs="*", default=list(ENGINES))
    options = parser.parse_args()
    TOOLS = options.tools
    for way in WAYS:
        print(f"\n{way.replace('_', ' ')}:\n\n| profiler | quick, % | slow, % | seconds |\n|---|---|---|---|")
        for engine in options.engines:
            print(measure(engine, way), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
