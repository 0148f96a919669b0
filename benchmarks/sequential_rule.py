"""Error of the rule of `conduit bench --against`, simulated: false differences in identical code, and pairs until a decision.

    python benchmarks/sequential_rule.py [RUNS]

A benchmark's pairs are drawn from a model of a machine; after each pair the rule decides whether to go on, up to 40
pairs, as the command does. Everything is random numbers, no time is measured.
"""

from __future__ import annotations

import math
import random
import sys
from statistics import median
from typing import TYPE_CHECKING

from conduit.bench.statistics.paired import PairTimes, decide, needs_more_pairs, summarize_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

BATCHES = 20
MOST_PAIRS = 40
FAMILIES = (1, 10, 50)
CHANGES = (0.03, 0.05, 0.10, 0.30, -0.71)


def quiet(rng: random.Random) -> tuple[float, float]:
    """Each process is slower by up to 1 %, for its layout in memory."""
    return 0.01 * rng.random(), 0.002


def layouts(rng: random.Random) -> tuple[float, float]:
    """Each process is slower by a normal 3 %, batches by a tenth of that."""
    return rng.gauss(0, 0.03), 0.003


def spells(rng: random.Random) -> tuple[float, float]:
    """One process in five is slower by up to 50 %, batches by 5 %."""
    return (0.5 * rng.random() if rng.random() < 0.2 else 0.01 * rng.random()), 0.05


def heavy(rng: random.Random) -> tuple[float, float]:
    """Processes differ by Student's t with two degrees of freedom: no variance, rare enormous values."""
    t = rng.gauss(0, 1) / math.sqrt(rng.expovariate(1))
    return 0.02 * t, 0.01


MODELS: dict[str, Callable[[random.Random], tuple[float, float]]] = {
    "quiet": quiet,
    "layouts": layouts,
    "spells": spells,
    "heavy tails": heavy,
}


def _pair(
    model: Callable[[random.Random], tuple[float, float]], change: float, rng: random.Random
) -> PairTimes:
    def side(cost: float) -> tuple[float, ...]:
        level, noise = model(rng)
        cost *= math.exp(level)
        return tuple(cost * (1 + noise * abs(rng.gauss(0, 1))) for _ in range(BATCHES))

    return PairTimes(side(100.0), side(100.0 * (1 + change)))


def simulate(
    model: Callable[[random.Random], tuple[float, float]], change: float, family: int, rng: random.Random
) -> tuple[str, int]:
    """Return the decision of one benchmark among `family`, and its number of pairs."""
    pairs: list[PairTimes] = []
    while len(pairs) < MOST_PAIRS:
        pairs.append(_pair(model, change, rng))
        summary = summarize_pairs(pairs)
        if not needs_more_pairs(summary, family):
            break
    return decide(summary, family), len(pairs)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rng = random.Random(1)
    print("| machine | benchmarks | identical code: different | unresolved |", end="")
    print("".join(f" {change:+.0%}: found, median pairs |" for change in CHANGES))
    print("|:--|--:|--:|--:|" + "--:|" * len(CHANGES))
    for name, model in MODELS.items():
        for family in FAMILIES:
            null = [simulate(model, 0.0, family, rng)[0] for _ in range(runs)]
            cells = [f"{null.count(state) / runs:.2%}" for state in ("different", "unresolved")]
            for change in CHANGES:
                found = [simulate(model, change, family, rng) for _ in range(max(runs // 5, 1))]
                right = sum(state == "different" for state, _ in found) / len(found)
                cells.append(f"{right:.0%}, {median(pairs for _, pairs in found):.0f}")
            print(f"| {name} | {family} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
