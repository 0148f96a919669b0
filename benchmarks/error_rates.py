"""How often comparisons are wrong: false alarms on identical code, and slowdowns found, at equal wall time.

Every trial compares two checkouts of a small project. They are the same (a false alarm is a difference that is
reported) or the new one does 3, 5 or 10 % more work (a detection is a difference in the right direction). Three
workloads of our own: `cpu` (calls, attributes, a dict), `alloc` (many objects, collector running) and `short` (some
100 ns). Three of real code, each checkout with a copy of the installed package: `packaging` reads requirements and
asks which versions they admit, `jinja2` renders a table, `h11` reads requests. Counts (B/op, allocs/op) are judged
beside the times of `against`: the same code must have no difference in them.
The methods, each given the same wall time for one comparison:

    against    conduit bench --against: batches in turn, in pairs of processes
    benchstat  two runs of conduit bench one after the other, compared by the U test (alpha 0.05)
    pytest     pytest-benchmark's compare with `--benchmark-compare-fail=mean:5%`
    pyperf     pyperf compare_to (t test)

The last two are run where they are installed. Trials are in random order, so that a run that is cut short
(`--minutes`) is balanced. Give the machine to it; it prints the load it ran under.

    python benchmarks/error_rates.py                                             # all of it: ten hours
    python benchmarks/error_rates.py --same 70 --slower 34 --beside 10 --others 0.3      # 40 minutes
    python benchmarks/error_rates.py --workloads packaging,jinja2,h11 --methods against --slowdowns 0,3,5
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import timeit
from collections import Counter, defaultdict
from pathlib import Path

METHODS = ("against", "benchstat", "pytest", "pyperf")
SLOWDOWNS = (0, 3, 5, 10)
SIZES = {"cpu": 200, "alloc": 200, "short": 0, "packaging": 100, "jinja2": 100, "h11": 100}
REAL = ("packaging", "jinja2", "h11")

WORKLOADS = {
    "cpu": """
class Node:
    __slots__ = ("key", "value")
    def __init__(self, key, value):
        self.key = key
        self.value = value
def unit(i, counts):
    node = Node(i & 31, i)
    counts[node.key] = counts.get(node.key, 0) + node.value
    return len(str(i)) + (i * 7) % 13
def work():
    counts = {}
    total = 0
    for i in range(SIZE):
        total += unit(i, counts)
    return total
""",
    "alloc": """
def work():
    return [{"id": i, "name": str(i), "parts": [i, (i, i + 1)]} for i in range(SIZE)]
""",
    "short": """
DATA = tuple(range(SIZE))
def work(count=DATA.count):
    return count(-1)
""",
    "packaging": """
from packaging.requirements import Requirement
VERSIONS = ["0.9", "1.4.2", "2.0rc1", "2.1.post3"]
TEXTS = [f"name-{i}[extra]>=1.{i % 7},!=1.4.*,<{2 + i % 5}; python_version >= '3.{8 + i % 4}'" for i in range(SIZE)]
def work():
    admitted = 0
    for text in TEXTS:
        admitted += len(list(Requirement(text).specifier.filter(VERSIONS)))
    return admitted
""",
    "jinja2": """
import jinja2
TEMPLATE = jinja2.Environment(autoescape=True).from_string(
    "{% for row in rows %}<tr class={{ loop.cycle('odd', 'even') }}>"
    "{% for key, value in row.items() %}<td>{{ key|upper }}={{ value }}</td>{% endfor %}</tr>{% endfor %}"
)
ROWS = [{"name": f"<{i}>", "price": i * 1.5, "tags": ["a", "b"]} for i in range(SIZE)]
def work():
    return TEMPLATE.render(rows=ROWS)
""",
    "h11": """
import h11
REQUEST = b"GET /orders/%d HTTP/1.1\\r\\nHost: shop.example\\r\\nAccept: */*\\r\\nCookie: a=b; c=d\\r\\n\\r\\n"
def work():
    read = 0
    for i in range(SIZE):
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(REQUEST % i)
        while (event := connection.next_event()) is not h11.NEED_DATA and type(event) is not h11.EndOfMessage:
            read += len(event.headers)
    return read
""",
}

BENCHMARK = """
from work import work
def bench_work(b):
    for _ in b:
        work()
"""
PYTEST_BENCHMARK = """
from work import work
def test_work(benchmark):
    benchmark(work)
"""
PYPERF = """
import pyperf
from work import work
pyperf.Runner().bench_func("work", work)
"""


def size_for(workload: str, percent: int, short_sizes: dict[int, int]) -> int:
    return short_sizes[percent] if workload == "short" else round(SIZES[workload] * (1 + percent / 100))


def find_short_sizes() -> dict[int, int]:
    """Lengths for the short workload: some 100 ns, and that much more, from a line through two measured costs."""

    def cost(size: int) -> float:
        count = tuple(range(size)).count
        return min(timeit.repeat(lambda: count(-1), number=20_000, repeat=25)) / 20_000 * 1e9

    few, many = cost(10), cost(210)
    slope = (many - few) / 200
    base = few - 10 * slope
    first = max(round((120 - base) / slope), 20)
    total = base + first * slope
    return {percent: first + round(total * percent / 100 / slope) for percent in SLOWDOWNS}


def write_project(folder: Path, workload: str, size: int) -> Path:
    (folder / "benchmarks").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("")
    (folder / "work.py").write_text(f"SIZE = {size}\n" + WORKLOADS[workload])
    (folder / "benchmarks" / "bench_work.py").write_text(BENCHMARK)
    (folder / "test_work.py").write_text(PYTEST_BENCHMARK)
    (folder / "perf_work.py").write_text(PYPERF)
    if workload in REAL:
        found = importlib.util.find_spec(workload)
        assert found is not None and found.origin is not None, f"the package {workload} is not installed"
        shutil.copytree(Path(found.origin).parent, folder / workload)
    return folder


def run(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    ).stdout


# The verdicts on counts, for each workload, where the code is the same and where it is slower.
COUNTS: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)


def collector(workload: str) -> str:
    return "on" if workload == "alloc" else "off"


def with_against(old: Path, new: Path, workload: str, seconds: float) -> float:
    """The reported difference as a share; 0 where none is reported, NaN where the row is unresolved."""
    arguments = ["--against", f"{old}/", "--against-env=shared", f"--budget={seconds}s", "--format=json"]
    output = run([sys.executable, "-m", "conduit", "bench", *arguments, f"--gc={collector(workload)}"], new)
    rows = json.loads(output)["rows"]
    row = next(row for row in rows if row["unit"] == "sec/op")
    code = "same" if (old / "work.py").read_text() == (new / "work.py").read_text() else "slower"
    COUNTS[workload, code].update(each["state"] for each in rows if each["unit"] != "sec/op")
    deltas = {"different": float(row["delta"]), "same": 0.0}
    return deltas.get(row["state"], math.nan)


def with_benchstat(old: Path, new: Path, workload: str, seconds: float) -> float:
    count = 10
    each = max(seconds / 2 / count / 2, 0.01)  # ramping up takes about as long as the run that counts
    texts = []
    for folder in (old, new):
        command = ["bench", f"-count={count}", f"-benchtime={each:.3f}s", f"--gc={collector(workload)}"]
        texts.append(run([sys.executable, "-m", "conduit", *command], folder))
    with tempfile.TemporaryDirectory() as place:
        for name, text in zip(("old", "new"), texts, strict=True):
            (Path(place) / name).write_text(text)
        output = run(
            [sys.executable, "-m", "conduit", "benchstat", "-format=json", "old", "new"], Path(place)
        )
    row = next(row for row in json.loads(output)["rows"] if row["unit"] == "sec/op")
    return float(row["delta"]) if row["significant"] else 0.0


def with_pytest(old: Path, new: Path, workload: str, seconds: float) -> float:
    means = []
    for index, folder in enumerate((old, new)):
        target = folder / f"result{index}.json"
        flags = [
            "-q",
            "-p",
            "no:cacheprovider",
            f"--benchmark-json={target}",
            f"--benchmark-max-time={seconds / 2 - 0.7}",
        ]
        run([sys.executable, "-m", "pytest", *flags, "--benchmark-min-rounds=5", "test_work.py"], folder)
        means.append(json.loads(target.read_text())["benchmarks"][0]["stats"]["mean"])
    difference = means[1] / means[0] - 1
    return difference if abs(difference) > 0.05 else 0.0


def with_pyperf(old: Path, new: Path, workload: str, seconds: float) -> float:
    for index, folder in enumerate((old, new)):
        flags = [
            "-q",
            "-p",
            "4",
            "-n",
            "4",
            "-w",
            "1",
            f"--min-time={seconds / 2 / 4 / 6:.3f}",
            "-o",
            f"result{index}.json",
        ]
        run([sys.executable, "perf_work.py", *flags], folder)
    files = [str(old / "result0.json"), str(new / "result1.json")]
    said = run([sys.executable, "-m", "pyperf", "compare_to", *files], new)
    return 0.05 if "slower" in said else -0.05 if "faster" in said else 0.0


RUNNERS = {"against": with_against, "benchstat": with_benchstat, "pytest": with_pytest, "pyperf": with_pyperf}


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a proportion."""
    if not trials:
        return 0.0, 1.0
    z = 1.96
    share = hits / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--same", type=int, default=200, help="comparisons of identical code, a method and workload"
    )
    parser.add_argument(
        "--slower", type=int, default=100, help="comparisons for 5 %% slower code, a method and workload"
    )
    parser.add_argument(
        "--beside", type=int, default=50, help="comparisons for each other slowdown, a method and workload"
    )
    parser.add_argument(
        "--others", type=float, default=1.0, help="the share of these that other methods than `against` get"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="wall time of one comparison")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="stop after this time, with what there is"
    )
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--slowdowns", default=",".join(map(str, SLOWDOWNS)))
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    modules = {"pytest": "pytest_benchmark", "pyperf": "pyperf"}
    methods = [
        m for m in options.methods.split(",") if m not in modules or importlib.util.find_spec(modules[m])
    ]
    short_sizes = find_short_sizes()

    def wanted(percent: int) -> int:
        trials: int = {0: options.same, 5: options.slower}.get(percent, options.beside)
        return trials

    trials = [
        (method, workload, percent)
        for method in methods
        for workload in options.workloads.split(",")
        for percent in map(int, options.slowdowns.split(","))
        for _ in range(round(wanted(percent) * (1.0 if method == "against" else options.others)))
    ]
    random.Random(options.seed).shuffle(trials)
    outcomes: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    walls: dict[str, list[float]] = defaultdict(list)
    load = [os.getloadavg()[0]]
    end = time.monotonic() + options.minutes * 60
    try:
        for method, workload, percent in trials:
            if time.monotonic() > end:
                break
            with tempfile.TemporaryDirectory() as place:
                old = write_project(Path(place) / "old", workload, size_for(workload, 0, short_sizes))
                new = write_project(Path(place) / "new", workload, size_for(workload, percent, short_sizes))
                began = time.monotonic()
                outcomes[method, workload, percent].append(
                    RUNNERS[method](old, new, workload, options.seconds)
                )
                walls[method].append(time.monotonic() - began)
            load.append(os.getloadavg()[0])
    except KeyboardInterrupt:
        print("interrupted; what there is:", file=sys.stderr)
    report(outcomes, walls, load)
    return 0


def report(
    outcomes: dict[tuple[str, str, int], list[float]], walls: dict[str, list[float]], load: list[float]
) -> None:
    print(f"load average {min(load):.1f} to {max(load):.1f} on {os.cpu_count()} processors")
    for method, seconds in walls.items():
        print(f"{method}: {sum(seconds) / len(seconds):.1f} s of wall time a comparison")
    print(
        f"\n{'method':<10} {'workload':<9} {'slower':>6}  {'reported':>9}  {'share':>6}  {'95 % interval':<15} unresolved"
    )
    together: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for (method, _, percent), deltas in outcomes.items():
        together[method, "all", percent] += deltas
    for (method, workload, percent), deltas in [*sorted(outcomes.items()), *sorted(together.items())]:
        unresolved = sum(map(math.isnan, deltas))
        hits = sum(delta > 0 for delta in deltas) if percent else sum(abs(delta) > 0 for delta in deltas)
        low, high = wilson(hits, len(deltas))
        name = f"+{percent} %" if percent else "same"
        interval = f"{low:.1%} to {high:.1%}"
        share = f"{hits / len(deltas):.1%}"
        print(
            f"{method:<10} {workload:<9} {name:>6}  {hits:>4}/{len(deltas):<4}  {share:>6}  {interval:<15} {unresolved}"
        )
    for (workload, code), states in sorted(COUNTS.items()):
        print(
            f"counts of {workload}, {code}: {', '.join(f'{n} {state}' for state, n in states.most_common())}"
        )


if __name__ == "__main__":
    sys.exit(main())
