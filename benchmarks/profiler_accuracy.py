"""How right profilers are: shares that each shows of a program that measures its own (tests/record/shares.py).

    python benchmarks/profiler_accuracy.py [--seconds 8] [--bursts] [--tools PYTHON] [ENGINE…]

Every engine runs in a process of its own. Printed are, for each function, the share shown and in brackets the true one of that same
run (so what an engine changes about the program does not count against it), and the largest difference in percentage points. Beside
it stand the number of samples of these functions, and the largest difference that so many samples taken at random show in 19 runs of 20.

On a machine with other work the program's own turns begin at the kernel's ticks, which is when samplers look, and no longer at random:
run it before the others, as root in a session of its own (setsid sh -c 'echo -19 >/proc/self/autogroup; exec nice -n -15 python …').
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.profiler_tools import PROJECT, environment, tools_python
from tests.record import shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Seen = dict[str, float]

# How many samples of the workload's functions there were, where an engine takes samples.
SAMPLES = "samples"


def innermost(stacks: Iterable[tuple[list[str], float]]) -> Seen:
    """Values by the innermost of the workload's functions on each stack (leaf first)."""
    seen = dict.fromkeys(shares.FUNCTIONS, 0.0)
    for stack, value in stacks:
        name = next((name for name in stack if name in seen), None)
        if name is not None:
            seen[name] += value
    return seen


def of_counts(stacks: Iterable[tuple[list[str], float]]) -> Seen:
    """The same of stacks with their number of samples."""
    seen = innermost(stacks)
    return seen | {SAMPLES: sum(seen.values())}


def of_profile(profile) -> Seen:
    # Without the module that stands before a function's name.
    stacks = [
        [line.function.name.rpartition(".")[2] for location in sample.locations for line in location.lines]
        for sample in profile.samples
    ]
    counts, times = (
        innermost((stack, sample.values[i]) for stack, sample in zip(stacks, profile.samples, strict=True))
        for i in (0, 1)
    )
    return times | {SAMPLES: sum(counts.values())}


def conduit_cpu(work, rate_hz=100):
    from conduit import record

    with record.cpu(rate_hz=rate_hz) as recording:
        truth = work()
    return truth, of_profile(recording.profile)


def conduit_cpu_250(work):
    return conduit_cpu(work, 250)


def conduit_wall(work):
    from conduit import record

    with record.wall() as recording:
        truth = work()
    return truth, of_profile(recording.profile)


def _outside(work, command: list[str]) -> tuple[dict[str, float], float]:
    """Runs the work while another process looks at this one."""
    import signal

    watcher = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )
    time.sleep(0.5)
    truth = work()
    watcher.send_signal(signal.SIGINT)
    watcher.wait(60)
    return truth


def conduit_record(work, *flags: str):
    import os

    from conduit.profile.codec import decode

    file = tempfile.mktemp()
    command = [sys.executable, "-m", "conduit", "record", "-pid", str(os.getpid()), "-o", file]
    truth = _outside(work, [*command, "-seconds=100000", "-inside=never", *flags])
    return truth, of_profile(decode(Path(file).read_bytes()))


def conduit_record_blocking(work):
    return conduit_record(work, "-blocking")


def py_spy(work, *flags: str):
    import os

    file = tempfile.mktemp()
    tool = str(Path(sys.executable).with_name("py-spy"))
    command = [tool, "record", "-p", str(os.getpid()), "-r", "100", "-f", "raw", "-F", "-o", file, *flags]
    truth = _outside(work, command)
    stacks = []
    for line in Path(file).read_text().splitlines():
        frames, _, count = line.rpartition(" ")
        names = [frame.partition(" (")[0] for frame in reversed(frames.split(";"))]
        stacks.append((names, float(count)))
    return truth, of_counts(stacks)


def py_spy_nonblocking(work):
    return py_spy(work, "--nonblocking")


def _profiling_sampling(work, mode: str):
    """The sampling profiler of the standard library (3.15), attached from outside, all threads, a thousand times a second."""
    import os

    if sys.version_info < (3, 15):
        raise RuntimeError("profiling.sampling is in the standard library from 3.15 on")
    file = tempfile.mktemp()
    command = [sys.executable, "-m", "profiling.sampling", "attach", "-a", "-r", "1khz", "--mode", mode]
    truth = _outside(work, [*command, "--collapsed", "-o", file, str(os.getpid())])
    stacks = []
    for line in Path(file).read_text().splitlines():
        frames, _, count = line.rpartition(" ")
        # tid:1;file.py:function:1;…
        names = [frame.split(":")[-2] for frame in reversed(frames.split(";")) if frame.count(":") > 1]
        stacks.append((names, float(count)))
    return truth, of_counts(stacks)


def profiling_sampling_wall(work):
    return _profiling_sampling(work, "wall")


def profiling_sampling_cpu(work):
    return _profiling_sampling(work, "cpu")


def profiling_sampling_gil(work):
    return _profiling_sampling(work, "gil")


def pyinstrument(work):
    from pyinstrument import Profiler

    profiler = Profiler(interval=0.001)
    profiler.start()
    truth = work()
    profiler.stop()
    seen = dict.fromkeys(shares.FUNCTIONS, 0.0)

    def visit(frame, owner: str | None) -> None:
        owner = frame.function if frame.function in seen else owner
        if owner is not None:
            seen[owner] += frame.total_self_time
        for child in frame.children:
            visit(child, owner)

    visit(profiler.last_session.root_frame(), None)
    return truth, seen


def cprofile(work):
    import cProfile
    import pstats

    profiler = cProfile.Profile()
    truth = profiler.runcall(work)
    stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    return truth, {
        name: sum(row[3] for key, row in stats.items() if key[2] == name) for name in shares.FUNCTIONS
    }


def yappi(work):
    import yappi as tool

    tool.set_clock_type("cpu")
    tool.start()
    truth = work()
    tool.stop()
    stats = list(tool.get_func_stats())
    return truth, {name: sum(s.ttot for s in stats if s.name == name) for name in shares.FUNCTIONS}


def scalene(work):
    raise NotImplementedError  # it runs the program itself: see run_scalene


ENGINES: dict[str, Callable] = {
    "conduit cpu, 100 Hz": conduit_cpu,
    "conduit cpu, 250 Hz": conduit_cpu_250,
    "conduit record (outside)": conduit_record,
    "conduit record -blocking": conduit_record_blocking,
    "conduit wall": conduit_wall,
    "py-spy": py_spy,
    "py-spy --nonblocking": py_spy_nonblocking,
    "profiling.sampling (wall)": profiling_sampling_wall,
    "profiling.sampling --mode cpu": profiling_sampling_cpu,
    "profiling.sampling --mode gil": profiling_sampling_gil,
    "pyinstrument, 1 ms": pyinstrument,
    "cProfile": cprofile,
    "yappi, CPU clock": yappi,
    "scalene --cpu-only": scalene,
}

SCALENE_PROGRAM = """
import json, sys
sys.path.insert(0, {project!r})
from tests.record import shares
truth = shares.run({seconds}, bursts={bursts})
open({file!r}, "w").write(json.dumps(truth))
"""


def run_scalene(python: str, seconds: float, bursts: bool) -> dict[str, object]:
    """Scalene wants to start the program, and reports lines: they are added up by function."""
    import ast

    folder = Path(tempfile.mkdtemp())
    truth_file, program, report = folder / "truth.json", folder / "program.py", folder / "report.json"
    program.write_text(
        SCALENE_PROGRAM.format(project=str(PROJECT), seconds=seconds, bursts=bursts, file=str(truth_file))
    )
    source = PROJECT / "tests" / "record" / "shares.py"
    command = [python, "-m", "scalene", "run", "--cpu-only", "--profile-all", "-o", str(report), str(program)]
    subprocess.run(command, check=True, capture_output=True, env=environment(), timeout=seconds * 30 + 60)
    lines = next(
        f for name, f in json.loads(report.read_text())["files"].items() if name.endswith("shares.py")
    )["lines"]
    seen = dict.fromkeys(shares.FUNCTIONS, 0.0)
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name in seen:
            for line in lines:
                if node.lineno <= line["lineno"] <= node.end_lineno:
                    seen[node.name] += (
                        line["n_cpu_percent_python"] + line["n_cpu_percent_c"] + line["n_sys_percent"]
                    )
    return {"truth": json.loads(truth_file.read_text()), "seen": seen}


def measure(engine: str, python: str, seconds: float, bursts: bool) -> dict[str, dict[str, float]]:
    if engine.startswith("scalene"):
        return run_scalene(python, seconds, bursts)  # type: ignore[return-value]
    command = [
        python,
        __file__,
        "--one",
        engine,
        "--seconds",
        str(seconds),
        *(["--bursts"] if bursts else []),
    ]
    answer = subprocess.run(
        command, capture_output=True, text=True, env=environment(), timeout=seconds * 30 + 60
    )
    if answer.returncode:
        raise RuntimeError(answer.stderr.strip().splitlines()[-1])
    return json.loads(answer.stdout.splitlines()[-1])


def by_chance(truth: dict[str, float], samples: float) -> float:
    """The largest error, in points, that random samples of the true shares stay below in 19 of 20 runs."""
    rng = random.Random(1)
    shares_of = [value / sum(truth.values()) for value in truth.values()]
    errors = []
    for _ in range(1_000):
        counts = [rng.gauss(samples * share, (samples * share) ** 0.5) for share in shares_of]
        errors.append(max(abs(n / sum(counts) - share) for n, share in zip(counts, shares_of, strict=True)))
    return 100 * sorted(errors)[949]


def row(engine: str, result: dict[str, dict[str, float]]) -> str:
    truth, seen = result["truth"], result["seen"]
    samples = seen.pop(SAMPLES, None)
    true_sum, seen_sum = sum(truth.values()), sum(seen.values()) or 1
    cells, errors = [], []
    for name in shares.FUNCTIONS:
        true, shown = 100 * truth[name] / true_sum, 100 * seen[name] / seen_sum
        cells.append(f"{shown:.1f} ({true:.1f})")
        errors.append(abs(shown - true))
    of_samples = ["–", "–"] if not samples else [f"{by_chance(truth, samples):.1f}", f"{samples:,.0f}"]
    return f"| {engine} | {max(errors):.1f} | " + " | ".join([*of_samples, *cells]) + " |"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("engines", nargs="*", default=list(ENGINES))
    arguments.add_argument("--seconds", type=float, default=8, help="CPU seconds of the main thread")
    arguments.add_argument(
        "--bursts", action="store_true", help="calls of tenths of a millisecond between sleeps"
    )
    arguments.add_argument("--tools", help="a Python that has the other profilers")
    arguments.add_argument("--one", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        truth, seen = ENGINES[given.one](lambda: shares.run(given.seconds, bursts=given.bursts))
        print(json.dumps({"truth": truth, "seen": seen}))
        return
    python = tools_python(given.tools)
    print("| profiler | largest error, points | by chance | samples | " + " | ".join(shares.FUNCTIONS) + " |")
    print("|---" * (len(shares.FUNCTIONS) + 4) + "|")
    for engine in given.engines:
        try:
            print(row(engine, measure(engine, python, given.seconds, given.bursts)), flush=True)
        except (RuntimeError, subprocess.SubprocessError, OSError, StopIteration, KeyError) as error:
            print(f"| {engine} | did not run: {error} |" + " |" * (len(shares.FUNCTIONS) + 2), flush=True)


if __name__ == "__main__":
    main()
