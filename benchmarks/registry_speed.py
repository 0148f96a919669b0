"""How fast the registry is, as ratios measured in one run, beside what it aims at and what should alarm.

    python -m benchmarks.registry_speed [-large] [-gate] [-json]

Every time is CPU time of the thread, the minimum over interleaved rounds, divided by a yardstick of the same run: a bare
`d[key]`, `orjson.loads` of the same bytes, the start of a bare Python, or a formula in microseconds. `-large` adds the
documents of 5,000 rich and 50,000 plain resources; `-gate` ends with status 1 when a ratio is over its alarm; `-json`
prints the rows as JSON. Ratios are steadier than times, but a machine with other work still moves them by a tenth.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.documents import chain_document, plain_document, rich_document, small_document
from conduit.errors import NotFoundError
from conduit.metadata import Registry, decode

if TYPE_CHECKING:
    from collections.abc import Callable

UNROLLED = 20


class Row(NamedTuple):
    """One figure: what was measured, in which unit, and what it should be."""

    figure: str
    unit: str
    target: float
    alarm: float
    measured: float

    @property
    def verdict(self) -> str:
        """Where the figure stands between target and alarm."""
        if self.measured <= self.target:
            return "reached"
        return "over target" if self.measured <= self.alarm else "ALARM"


def main(arguments: list[str]) -> int:
    flags = {argument.lstrip("-") for argument in arguments}
    if unknown := flags - {"large", "gate", "json"}:
        print(
            f"registry_speed: unknown flag {sorted(unknown)[0]!r}; there are -large, -gate and -json",
            file=sys.stderr,
        )
        return 2
    rows = [*hot_rows(), *cold_rows(), *load_rows("large" in flags), *memory_rows(), *start_rows()]
    if "json" in flags:
        print(json.dumps([{**row._asdict(), "verdict": row.verdict} for row in rows], indent=2))
    else:
        _print(rows)
    return int("gate" in flags and any(row.verdict == "ALARM" for row in rows))


def _print(rows: list[Row]) -> None:
    width = max(len(row.figure) for row in rows)
    print(f"{'figure':<{width}}  {'target':>9}  {'alarm':>9}  {'measured':>9}  unit")
    for row in rows:
        numbers = f"{row.target:>9.4g}  {row.alarm:>9.4g}  {row.measured:>9.4g}"
        print(f"{row.figure:<{width}}  {numbers}  {row.unit:<28} {row.verdict}")


# --- the clock


def least_times(statements: dict[str, tuple[str, dict[str, Any]]], rounds: int = 40) -> dict[str, float]:
    """Seconds of CPU that each statement takes, the least over rounds in which all of them take turns."""
    loops = {name: _loop(statement, names) for name, (statement, names) in statements.items()}
    counts = {name: _calibrated(loop) for name, loop in loops.items()}
    least = dict.fromkeys(loops, float("inf"))
    gc.collect()
    for _ in range(rounds):
        for name, loop in loops.items():
            count = counts[name]
            least[name] = min(least[name], loop(count) / (count * UNROLLED))
    return least


def _loop(statement: str, names: dict[str, Any]) -> Callable[[int], float]:
    """A function of a count that runs the statement 20 times as often and returns the CPU seconds that it took."""
    lines = ["def run(count, clock):", *[f"    {name} = __names[{name!r}]" for name in names]]
    lines += ["    start = clock()", "    for _ in range(count):"]
    lines += [f"        {line}" for line in statement.splitlines()] * UNROLLED
    lines += ["    return clock() - start"]
    scope: dict[str, Any] = {"__names": names}
    exec("\n".join(lines), scope)
    run = scope["run"]
    return lambda count: run(count, time.thread_time)


def _calibrated(loop: Callable[[int], float], seconds: float = 0.002) -> int:
    count = 1
    while loop(count) < seconds:
        count *= 2
    return count


def least_seconds(functions: dict[str, Callable[[], Any]], rounds: int, calls: int = 1) -> dict[str, float]:
    """Like `least_times`, for calls long enough to be timed by themselves; results are dropped outside the clock."""
    least = dict.fromkeys(functions, float("inf"))
    gc.collect()
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.thread_time()
            results = [function() for _ in range(calls)]
            least[name] = min(least[name], (time.thread_time() - start) / calls)
            del results
    return least


# --- queries that are warm


def hot_rows() -> list[Row]:
    """Queries whose answers are known, on the small document, against a bare `d[key]`."""
    registry = Registry.from_json(small_document()).warm()
    names = {
        "r": registry,
        "s": registry.document,
        "d": dict(registry.document.by_name),
        "NotFound": NotFoundError,
    }
    cases = {
        "resource(name)": ("r.resource('Post')", 3.6, 4.5),
        "document.by_name[name]": ("s.by_name['Post']", 1.3, 1.6),
        "document.schema": ("s.schema", 0.45, 0.6),
        "routes()": ("r.routes()", 6.8, 8),
        "routes(method)": ("r.routes(method='GET')", 6.8, 8),
        "routes(resource)": ("r.routes(resource='Post')", 6.8, 8),
        "routes(path)": ("r.routes(path='/posts')", 6.8, 8),
        "routes(method, resource)": ("r.routes(method='GET', resource='Post')", 6.8, 8),
        "routes(method, path)": ("r.routes(method='GET', path='/posts')", 6.8, 8),
        "routes(path, resource)": ("r.routes(path='/posts', resource='Post')", 6.8, 8),
        "patterns()": ("r.patterns()", 3.8, 5),
        "patterns(category)": ("r.patterns('hook')", 3.8, 5),
        "relationships_to(name)": ("r.relationships_to('User')", 3.8, 5),
        "fields_by_type(type)": ("r.fields_by_type('uuid')", 3.8, 5),
        "resources_matching(glob)": ("r.resources_matching('P*')", 3.8, 5),
        "dependencies(name), kept": ("r.dependencies('Post')", 6.5, 8),
        "dependencies(name, depth=3), kept": ("r.dependencies('Post', depth=3)", 6.5, 8),
        "dependencies(name, reverse), kept": ("r.dependencies('Post', reverse=True)", 6.5, 8),
        "dependencies(name, types), kept": ("r.dependencies('Post', types=('belongs_to',))", 11, 14),
        "get(name), there": ("r.get('Post')", 4.5, 6),
        "get(name), not there": ("r.get('Pots')", 4.5, 6),
        "resource(name), not there": ("try: r.resource('Pots')\nexcept NotFound: pass", 45, 70),
    }
    for statement, _, _ in cases.values():
        exec(statement, dict(names))
    statements = {figure: (statement, names) for figure, (statement, _, _) in cases.items()}
    times = least_times({"d[key]": ("d['Post']", names), **statements})
    return [
        Row(figure, "times d[key]", target, alarm, times[figure] / times["d[key]"])
        for figure, (_, target, alarm) in cases.items()
    ]


# --- queries that are cold


def cold_rows() -> list[Row]:
    """`dependencies` without a kept answer: once the nodes concerned are known, and as the first question of all."""
    rows = []
    documents = {
        "small": (small_document(), "Post"),
        "chain 50": (chain_document(50), "Resource49"),
        "chain 10,000": (chain_document(10_000), "Resource9999"),
        "plain 1,000": (plain_document(1_000), "Resource500"),
        "rich 1,000": (rich_document(1_000), "Order500"),
    }
    for label, (data, name) in documents.items():
        name = name if label != "rich 1,000" else decode(data).resources[500].name
        for depth in (1, 3):
            size, again = _again(data, name, depth, False)
            rows.append(_cold_row(f"dependencies, depth {depth}, {label}: cold", again, size, 2.0, 0.12))
            if (
                label != "rich 1,000"
            ):  # where middleware is used, the first question looks at all relationships
                first = _first(data, name, depth)
                rows.append(
                    _cold_row(f"dependencies, depth {depth}, {label}: first of all", first, size, 4.0, 0.6)
                )
    data = plain_document(1_000)
    size, again = _again(data, "Resource0", 1, True)
    rows.append(_cold_row("dependencies, reverse hub, plain 1,000: cold", again, size, 2.0, 0.12))
    return rows


def _cold_row(figure: str, seconds: float, size: int, fixed_us: float, each_us: float) -> Row:
    allowed = fixed_us + each_us * size
    return Row(figure, f"of {fixed_us:g} + {each_us:g} x {size} µs", 1, 2, seconds * 1e6 / allowed)


def _again(data: bytes, name: str, depth: int, reverse: bool) -> tuple[int, float]:
    """The size of an answer, and the time to find it anew in a graph whose nodes are there."""
    document = Registry.from_json(data).document
    answer = document.compute_dependencies(name, depth, reverse, None)
    kept = document._backward if reverse else document._forward
    least = float("inf")
    for _ in range(2_000 if len(answer.edges) < 100 else 50):
        kept.clear()
        document._entries = 0
        start = time.thread_time()
        document.compute_dependencies(name, depth, reverse, None)
        least = min(least, time.thread_time() - start)
    return len(answer.nodes) + len(answer.edges), least


def _first(data: bytes, name: str, depth: int) -> float:
    """The time of the first question to a document whose graph has no nodes yet."""
    registry = Registry.from_json(data)
    least = float("inf")
    for _ in range(300):
        registry.document._graph = None
        registry.document._forward.clear()
        start = time.thread_time()
        registry.dependencies(name, depth)
        least = min(least, time.thread_time() - start)
    return least


# --- loading


def load_rows(large: bool) -> list[Row]:
    """`Registry.from_json` against `orjson.loads` of the same bytes, the collector as an application has it."""
    import orjson  # not on every Python that the tests of this module's questions run on

    documents = {
        "plain 50": (plain_document(50), 400),
        "plain 5,000": (plain_document(5_000), 12),
        "rich 50": (rich_document(50), 100),
        "rich 500": (rich_document(500), 12),
    }
    if large:
        documents["rich 5,000"] = (rich_document(5_000), 5)
        documents["plain 50,000"] = (plain_document(50_000), 5)
    rows = []
    for label, (data, rounds) in documents.items():
        times = least_seconds(
            {
                "orjson": lambda data=data: orjson.loads(data),
                "decode": lambda data=data: decode(data),
                "names": lambda data=data: Registry.from_json(data),
                "five": lambda data=data: five_indexes(Registry.from_json(data)),
                "all": lambda data=data: all_indexes(Registry.from_json(data)),
                "warm": lambda data=data: Registry.from_json(data).warm(),
            },
            rounds,
            calls=5 if label.endswith(" 50") else 1,  # so that each finds its own data in the caches
        )
        unit = "times orjson.loads"
        target, alarm = (0.65, 0.8) if label.startswith("plain") else (0.5, 0.7)
        rows.append(Row(f"decode, {label}", unit, target, alarm, times["decode"] / times["orjson"]))
        for step, target, alarm in (("names", 0.75, 0.9), ("five", 1.15, 1.4), ("all", 1.85, 2.2)):
            figure = {
                "names": "and names",
                "five": "and the origin's five indexes",
                "all": "and all indexes",
            }[step]
            rows.append(
                Row(f"load {label}: decode {figure}", unit, target, alarm, times[step] / times["orjson"])
            )
        warm = (times["warm"] - times["names"]) / times["names"]
        rows.append(Row(f"warm() with warnings, {label}", "times the load", 2, 2.5, warm))
        if label in ("plain 5,000", "plain 50,000"):
            each = times["names"] / len(Registry.from_json(data).resources())
            rows.append(Row(f"load {label}: a resource", "µs", 20, 40, each * 1e6))
    return rows


def five_indexes(registry: Registry) -> Registry:
    """What the original indexes on loading: names, routes by method and by path, patterns, relationships."""
    registry.routes(method="GET")
    registry.routes(path="/")
    registry.patterns("hook")
    registry.relationships_to("Resource0")
    return registry


def all_indexes(registry: Registry) -> Registry:
    """Every index and the whole graph; the warnings are no index."""
    registry.document.warm()
    return registry


# --- memory


def memory_rows() -> list[Row]:
    """What a registry keeps: bytes and objects a resource, time of a full collection, allocations of warm queries."""
    rows = []
    for label, data, size_target, tracked_target in (
        ("plain 50", plain_document(50), 3_200, 4),
        ("plain 5,000", plain_document(5_000), 3_300, 0.3),
        ("rich 500", rich_document(500), 22_500, 3),
    ):
        count = len(decode(data).resources)
        size, tracked = _kept(data)
        rows.append(
            Row(f"memory, {label}", "bytes a resource", size_target, size_target * 1.15, size / count)
        )
        rows.append(
            Row(
                f"tracked objects, {label}", "a resource", tracked_target, 2 * tracked_target, tracked / count
            )
        )
    registry = Registry.from_json(rich_document(1_000))
    with_registry = min(_collection() for _ in range(9))
    del registry
    without = min(_collection() for _ in range(9))
    rows.append(
        Row(
            "full collection with rich 1,000 alive",
            "ms more than without",
            1,
            5,
            (with_registry - without) * 1e3,
        )
    )
    rows.append(
        Row("allocated blocks over 10,000 warm rounds of all queries", "blocks", 2, 2, allocated_blocks())
    )
    return rows


def _kept(data: bytes) -> tuple[int, int]:
    Registry.from_json(data)
    gc.collect()
    before = len(gc.get_objects())
    tracemalloc.start()
    registry = Registry.from_json(data)
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    tracked = len(gc.get_objects()) - before
    assert registry.resources()
    return size, tracked


def _collection() -> float:
    start = time.thread_time()
    gc.collect()
    return time.thread_time() - start


def allocated_blocks() -> int:
    """How many blocks more are allocated after 10,000 rounds of every warm query than before."""
    registry = Registry.from_json(small_document()).warm()
    ask_everything(registry, 10)
    gc.collect()
    before = sys.getallocatedblocks()
    ask_everything(registry, 10_000)
    return sys.getallocatedblocks() - before


def ask_everything(registry: Registry, rounds: int) -> None:
    """Every query that can be answered from what is there, over and over."""
    types = ("belongs_to",)
    for _ in range(rounds):
        registry.resource("Post")
        registry.get("Nobody")
        registry.resources()
        registry.schema()
        registry.routes()
        registry.routes("GET")
        registry.routes("GET", "/posts")
        registry.routes("GET", None, "Post")
        registry.routes(None, "/posts", "Post")
        registry.patterns("hook")
        registry.pattern("uuid-generation")
        registry.relationships_to("User")
        registry.relationships_from("Post")
        registry.fields_by_type("uuid")
        registry.resources_matching("P*")
        registry.resources_matching("nothing*")
        registry.dependencies("Post")
        registry.dependencies("Post", 3)
        registry.dependencies("User", 0, True)
        registry.dependencies("Post", 1, False, types)
        registry.dependency_depth("Post")
        registry.count_dependents("User")
        registry.cycles()
        registry.impact("User")
        registry.conventions()


# --- starting


def start_rows() -> list[Row]:
    """A process that imports the registry, loads 50 resources and answers, and the command that does it.

    Importing msgspec alone is most of it, and a third more where typing_extensions is installed beside it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metadata.json"
        path.write_bytes(plain_document(50))
        program = f"import conduit; conduit.load({str(path)!r}).resource('Resource7')"
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "msgspec": [sys.executable, "-c", "import msgspec"],
            "library": [sys.executable, "-c", program],
            "command": [
                sys.executable,
                "-m",
                "conduit",
                "introspect",
                "resource",
                "Resource7",
                "--metadata",
                str(path),
            ],
        }
        least = dict.fromkeys(commands, float("inf"))
        works = {name: _cpu_of(command)[1] == 0 for name, command in commands.items()}
        for _ in range(20):
            for name, command in commands.items():
                if works[name]:
                    least[name] = min(least[name], _cpu_of(command)[0])
    names = {"library": "start, load 50 resources and answer", "command": "conduit introspect resource NAME"}
    rows = [Row("start, msgspec alone", "times python -c pass", 2.8, 4.5, least["msgspec"] / least["python"])]
    return rows + [
        Row(figure, "times python -c pass", 3.3, 4.5, least[name] / least["python"])
        for name, figure in names.items()
        if works[name]
    ]


def _cpu_of(command: list[str]) -> tuple[float, int]:
    """The CPU seconds of a process and its exit status; it may keep compiled modules, as an installed program does."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
