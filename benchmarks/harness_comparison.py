"""Our harness beside timeit, pyperf and pytest-benchmark: what the loop costs, and how far runs lie apart.

    python benchmarks/harness_comparison.py [-rounds 10] [-seconds 1] [-json]

Needs pyperf and pytest-benchmark in the same environment. Every figure is from runs of the real tools in processes of
their own, taking turns in a random order, each with the same time to measure:

- the cost of the loop: each tool's own number for `def f(): pass`, and how much that is over timeit's;
- agreement and spread: each tool's number for a calculation of about 100 µs, its median over the rounds by timeit's,
  and how far the rounds lie apart (from quickest to slowest, and the middle half, by their median);
- the two loops once more in one process, turn by turn, where only the loops differ;
- exactness: the allocations that `conduit bench` prints for known operations, in several processes.

For the loop the least of the rounds is compared, since every disturbance adds; for agreement their median.
"""

from __future__ import annotations

import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from conduit.cli.flags import FlagSet  # noqa: E402 (after the path)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.bench import Benchmark

OPERATIONS = """
def f(): pass

def calculation():
    counts = {}
    for i in range(400):
        word = str(i % 97)
        counts[word] = counts.get(word, 0) + i
    return counts
"""
BENCH = """
from operations import calculation, f
def bench_f(b):
    for _ in b:
        f()
def bench_calculation(b):
    for _ in b:
        calculation()
"""
PYPERF = """
import pyperf
from operations import calculation, f
runner = pyperf.Runner()
runner.bench_func("f", f)
runner.bench_func("calculation", calculation)
"""
PYTEST = """
from operations import calculation, f
def test_f(benchmark):
    benchmark(f)
def test_calculation(benchmark):
    benchmark(calculation)
"""
PYPERF_PROCESSES = 4
PYPERF_VALUES = 4


class Tools:
    """Each method measures one operation once with one tool, and returns its number in nanoseconds."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder = folder
        self.seconds = seconds
        for name, text in (
            ("operations.py", OPERATIONS),
            ("bench_operations.py", BENCH),
            ("with_pyperf.py", PYPERF),
            ("test_operations.py", PYTEST),
        ):
            (folder / name).write_text(text)

    def timeit(self, operation: str) -> float:
        """`timeit.repeat` in a process of its own, five parts of the time; the median, as the others have."""
        code = (
            "import sys, timeit\nfrom operations import calculation, f\n"
            f"timer = timeit.Timer('{operation}()', globals=globals())\n"
            "number, taken = timer.autorange()\n"
            f"number = max(1, int(number * {self.seconds} / 5 / taken))\n"
            "import statistics\nprint(statistics.median(timer.repeat(5, number)) / number * 1e9)\n"
        )
        return float(self._run(sys.executable, "-c", code))

    def conduit(self, operation: str) -> float:
        """`conduit bench`: the ns/op of one result line."""
        name = "F$" if operation == "f" else "Calculation"
        printed = self._run(
            sys.executable, "-m", "conduit", "bench", f"-bench={name}", f"-benchtime={self.seconds}s", "."
        )
        match = re.search(r"([\d.]+) ns/op", printed)
        if match is None:
            raise SystemExit(f"harness_comparison: conduit bench printed no result:\n{printed}")
        return float(match[1])

    def pyperf(self, operation: str) -> float:
        """`Runner.bench_func`: the mean of all values of several processes."""
        out = self.folder / "pyperf.json"
        out.unlink(missing_ok=True)
        each = self.seconds / (PYPERF_PROCESSES * (PYPERF_VALUES + 1))
        code = PYPERF.replace(
            f'runner.bench_func("{"calculation" if operation == "f" else "f"}"', "(lambda *a: None)(0"
        )
        (self.folder / "with_pyperf.py").write_text(code)
        arguments = [
            f"-p{PYPERF_PROCESSES}",
            f"-n{PYPERF_VALUES}",
            "-w1",
            f"--min-time={each}",
            "-q",
            "-o",
            str(out),
        ]
        self._run(sys.executable, "with_pyperf.py", *arguments)
        runs = json.loads(out.read_text())["benchmarks"][0]["runs"]
        return statistics.mean(value for run in runs for value in run.get("values", ())) * 1e9

    def pytest_benchmark(self, operation: str) -> float:
        """The fixture `benchmark`: the mean of its rounds."""
        out = self.folder / "pytest.json"
        self._run(
            *[
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                f"test_operations.py::test_{operation}",
            ],
            *[f"--benchmark-json={out}", f"--benchmark-max-time={self.seconds}", "--benchmark-min-rounds=5"],
        )
        return float(json.loads(out.read_text())["benchmarks"][0]["stats"]["mean"]) * 1e9

    def _run(self, *command: str) -> str:
        answer = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        if answer.returncode != 0:
            raise SystemExit(
                f"harness_comparison: {' '.join(command)} failed:\n{answer.stdout}{answer.stderr}"
            )
        return answer.stdout


def measure(tools: Tools, operation: str, rounds: int) -> dict[str, tuple[list[float], float]]:
    """By tool: its numbers, one a round, and the median wall time of a run in seconds."""
    methods: dict[str, Callable[[str], float]] = {
        "timeit": tools.timeit,
        "conduit bench": tools.conduit,
        "pyperf": tools.pyperf,
        "pytest-benchmark": tools.pytest_benchmark,
    }
    numbers: dict[str, list[float]] = {name: [] for name in methods}
    walls: dict[str, list[float]] = {name: [] for name in methods}
    rng = random.Random(1)
    for turn in range(rounds):
        for name in rng.sample(list(methods), len(methods)):
            begin = time.perf_counter()
            numbers[name].append(methods[name](operation))
            walls[name].append(time.perf_counter() - begin)
        print(f"{operation}: round {turn + 1} of {rounds}", file=sys.stderr)
    return {name: (numbers[name], statistics.median(walls[name])) for name in methods}


def rows_of(measured: dict[str, tuple[list[float], float]]) -> list[dict[str, float | str]]:
    """One row a tool; times in ns, spreads as shares of the median."""
    reference, _ = measured["timeit"]
    rows: list[dict[str, float | str]] = []
    for name, (numbers, wall) in measured.items():
        low, middle, high = statistics.quantiles(numbers, n=4, method="inclusive")
        rows.append(
            {
                "tool": name,
                "median_ns": statistics.median(numbers),
                "least_ns": min(numbers),
                "least_over_timeit_ns": min(numbers) - min(reference),
                "median_by_timeit": statistics.median(numbers) / statistics.median(reference),
                "spread": max(numbers) / min(numbers) - 1,
                "middle_half": (high - low) / middle,
                "wall_s": wall,
            }
        )
    return rows


def loops_in_one_process(rounds: int = 300, n: int = 20_000) -> tuple[float, float]:
    """ns of `f()` in timeit's loop and in `for _ in b`, taking turns in one process; the least of each."""
    import timeit

    from conduit.bench import benchmark

    def f() -> None:
        pass

    def bench(b: Benchmark) -> None:
        for _ in b:
            f()

    timer = timeit.Timer("f()", globals={"f": f})
    pairs = [
        (timer.timeit(n) / n * 1e9, benchmark(bench, benchtime=f"{n}x", allocations=False).ns_per_op)
        for _ in range(rounds)
    ]
    return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)


def exactness(processes: int = 3) -> tuple[int, int]:
    """(known operations, how many of them `conduit bench` counts as by hand, in every process)."""
    from tests.native.operations import EXPECTED

    text = (
        "from tests.native.operations import EXPECTED\ndef bench_known(b):\n    for operation in EXPECTED:\n"
    )
    text += "        def one(b, operation=operation):\n            for _ in b:\n                operation()\n"
    text += "        b.run(operation.__name__, one)\n"
    seen: dict[str, set[tuple[int, int]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench_known.py").write_text(text)
        for _ in range(processes):
            command = [sys.executable, "-m", "conduit", "bench", "-benchmem", "-benchtime=1ms", folder]
            printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
            for name, size, allocations in re.findall(
                r"Known/(\w+)\S* .*?(\d+) B/op\s+(\d+) allocs/op", printed
            ):
                seen.setdefault(re.sub(r"-\d+$", "", name), set()).add((int(allocations), int(size)))
    right = sum(seen.get(operation.__name__) == {counts} for operation, counts in EXPECTED.items())
    return len(EXPECTED), right


def main(arguments: list[str]) -> int:
    """Runs the comparison and prints its table."""
    flags = FlagSet("usage: harness_comparison.py [flags]")
    flags.option("rounds", "runs of each tool", default=10, parse=int, metavar="N")
    flags.option("seconds", "time that each tool has to measure", default=1.0, parse=float, metavar="S")
    flags.switch("json", "print JSON")
    parsed = flags.parse(arguments)
    with tempfile.TemporaryDirectory() as folder:
        tools = Tools(Path(folder), parsed["seconds"])
        tables = {name: rows_of(measure(tools, name, parsed["rounds"])) for name in ("f", "calculation")}
    theirs, ours = loops_in_one_process()
    known, right = exactness()
    if parsed["json"]:
        print(
            json.dumps(
                {
                    **tables,
                    "one_process": {"timeit": theirs, "conduit": ours},
                    "exactness": {"known": known, "right": right},
                },
                indent=2,
            )
        )
        return 0
    for operation, rows in tables.items():
        print(
            f"{operation}()  least ns  over timeit  median ns  by timeit  quickest to slowest  middle half  wall s"
        )
        for row in rows:
            print(
                f"  {row['tool']:<17}{row['least_ns']:>9.1f}{row['least_over_timeit_ns']:>+9.1f}"
                f"{row['median_ns']:>12.1f}{row['median_by_timeit']:>9.3f}"
                f"{row['spread']:>10.1%}{row['middle_half']:>10.1%}{row['wall_s']:>9.1f}"
            )
    print(f"f() in one process, the least of 300 turns: timeit {theirs:.2f} ns, for _ in b {ours:.2f} ns")
    print(f"allocations: {right} of {known} known operations counted as by hand, the same in every process")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
