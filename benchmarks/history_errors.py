"""Errors of `conduit history`'s steps on recorded noise: false steps in identical code, and how soon a step is found.

    python benchmarks/history_errors.py record FILE [PAIRS]    records this machine's noise, a second or two a pair
    python benchmarks/history_errors.py [FILE] [SERIES]        measures the errors; FILE: benchmarks/history_noise.json

A recording is of identical code: three benchmarks, in pairs of processes as `conduit history run` measures a commit
and its reference. Six pairs in a row are a point of a series: of the pairs' ratios (as `history run` keeps them), or of
one side's times alone (as `bench -save` would). Longer series are stretches of the recording of ten points each, drawn
at random and laid end to end, so that drift and bursts within a stretch stay as they were.
"""

from __future__ import annotations

import json
import math
import random
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from conduit.history.steps import find_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.history.steps import Step

    Pair = tuple[float, float]  # nanoseconds of the two sides of a pair: identical code
    Find = Callable[[Sequence[float]], list[Step]]

PAIRS_A_POINT = 6
POINTS_A_STRETCH = 10
POINTS = 500
SHORT = 40
BEFORE = 60
AFTER = 8
CHANGES = (0.03, 0.05, 0.10, 0.20)
DEFAULT_FILE = Path(__file__).with_name("history_noise.json")
BENCHMARKS = """
import json, re

ROWS = [{"id": number, "name": f"name {number}", "tags": ["a", "b"] * 3} for number in range(20)]
TEXT = json.dumps(ROWS)
WORDS = re.compile(r"[a-z]+ (\\d+)")

def bench_encode(b):
    for _ in b:
        json.dumps(ROWS)

def bench_search(b):
    for _ in b:
        WORDS.findall(TEXT)

def bench_objects(b):
    for _ in b:
        {number: [object() for _ in range(4)] for number in range(100)}
"""


def record(path: Path, pairs: int) -> None:
    """Record pairs of identical code; what is recorded so far is in the file after every tenth pair."""
    from conduit.bench.against.interleaved import Plan, Sampling
    from conduit.bench.against.worktree import current_checkout

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "pyproject.toml").write_text("")
        (root / "bench_noise.py").write_text(BENCHMARKS)
        checkout = current_checkout(root)
        sampling = Sampling(checkout, checkout, Plan(("bench_noise.py",), counts=()), lambda text: None)
        for number in range(1, pairs + 1):
            sampling.add_pair()
            if number % 10 == 0 or number == pairs:
                document = {
                    measured.name.partition(":")[2]: [
                        [float(f"{median(side):.6g}") for side in (pair.old, pair.new)]
                        for pair in measured.pairs
                    ]
                    for measured in sampling.result.benchmarks
                }
                path.write_text(json.dumps(document, separators=(",", ":")) + "\n")
                print(f"{number} of {pairs} pairs", file=sys.stderr, flush=True)


def paired_point(pairs: Sequence[Pair]) -> float:
    """Return the cost of a commit by its reference's, from the pairs' ratios."""
    return math.exp(median(math.log(new / old) for old, new in pairs))


def single_point(pairs: Sequence[Pair]) -> float:
    """Return the cost of a commit from one side alone."""
    return median(new for _, new in pairs)


def series_of(
    pairs: Sequence[Pair], point: Callable[[Sequence[Pair]], float], count: int, rng: random.Random
) -> list[float]:
    """Return a series of `count` points from stretches of a recording."""
    stretch = PAIRS_A_POINT * POINTS_A_STRETCH
    values: list[float] = []
    while len(values) < count:
        start = rng.randrange(len(pairs) - stretch + 1)
        part = pairs[start : start + stretch]
        values += [point(part[at : at + PAIRS_A_POINT]) for at in range(0, stretch, PAIRS_A_POINT)]
    # A stretch that is drawn twice has equal values, which measurements have not.
    values = [value * (1 + rng.uniform(-1e-9, 1e-9)) for value in values]
    return values[:count]


def false_steps(make: Callable[[int], list[float]], find: Find, points: int, series: int) -> float:
    """Return the steps found in a thousand points of identical code."""
    return sum(len(find(make(points))) for _ in range(series)) * 1000 / (series * points)


def found_share(make: Callable[[int], list[float]], find: Find, change: float, series: int) -> float:
    """Return how often a step after 60 points is found, at its place or one beside it, within 8 points."""
    found = 0
    for _ in range(series):
        values = make(BEFORE + AFTER)
        values[BEFORE:] = [value * (1 + change) for value in values[BEFORE:]]
        found += any(abs(step.position - BEFORE) <= 1 and step.delta > 0 for step in find(values))
    return found / series


def main() -> None:
    """Record, or measure and print the table."""
    words = sys.argv[1:]
    if words[:1] == ["record"]:
        record(Path(words[1]), int(words[2]) if words[2:] else 900)
        return
    path = Path(words[0]) if words else DEFAULT_FILE
    series = int(words[1]) if words[1:] else 100
    recording: dict[str, list[Pair]] = json.loads(path.read_text())
    print(
        f"| points | benchmark | spread | false per 1,000, series of {POINTS} | of {BEFORE + AFTER} | of {SHORT} | "
        + " | ".join(f"+{c:.0%} found" for c in CHANGES)
        + " |"
    )
    print("|---|---|" + "--:|" * (len(CHANGES) + 4))
    for kind, point in (("of pairs", paired_point), ("of one side", single_point)):
        find = partial(find_steps, independent=point is paired_point)
        for name, pairs in recording.items():
            rng = random.Random(1)

            make = partial(series_of, pairs, point, rng=rng)
            values = sorted(make(POINTS))
            center = values[len(values) // 2]
            spread = (values[len(values) * 84 // 100] - values[len(values) * 16 // 100]) / 2 / center
            shares = [f"{found_share(make, find, change, 4 * series):.1%}" for change in CHANGES]
            false = [
                f"{false_steps(make, find, count, series * times):.2f}"
                for count, times in ((POINTS, 1), (BEFORE + AFTER, 4), (SHORT, 4))
            ]
            print(f"| {kind} | {name} | {spread:.1%} | {' | '.join([*false, *shares])} |", flush=True)


if __name__ == "__main__":
    main()
