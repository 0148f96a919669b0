"""Counts of both sides (allocations, bytecodes), taken in several pairs of processes.

Each pair has a hash seed of its own, the same for both sides. A count that was the same in all processes of its side
is exact, and any difference counts. A count that varies is a distribution: its pairs are judged like times.
"""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.statistics.paired import ALPHA, MIN_PAIRS, RESOLUTION, fewest_pairs, signed_rank_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.bench.statistics.paired import State

MIN_PROCESSES = 3
"""A count from fewer pairs of processes is not called exact."""
USUAL_PROCESSES = 5
"""After this many pairs without variation a count is not taken again."""


REPEATABLE = 0.005
"""Instructions that differ by more than this share between processes of one side give no verdict."""
LEAST_CHANGE = 0.002
"""A smaller share of instructions is no difference: where the loader puts a library can cost half of it."""


class CountSummary(NamedTuple):
    """One unit's counts. `delta` is a share of the old side, infinite from zero; `p` is None for exact counts."""

    pairs: int
    old: float
    new: float
    delta: float
    is_exact: bool
    p: float | None
    old_range: tuple[float, float]
    new_range: tuple[float, float]


def summarize_counts(pairs: Sequence[tuple[float, float]]) -> CountSummary:
    """Summarise (old, new) counts per pair of processes; at least one pair."""
    olds, news = [old for old, _ in pairs], [new for _, new in pairs]
    old_range, new_range = (min(olds), max(olds)), (min(news), max(news))
    if not varies(pairs):
        delta = _delta(olds[0], news[0])
        is_exact = len(pairs) >= MIN_PROCESSES
        return CountSummary(len(pairs), olds[0], news[0], delta, is_exact, None, old_range, new_range)
    delta = median(_delta(old, new) for old, new in pairs)
    p = signed_rank_p([new - old for old, new in pairs])
    return CountSummary(len(pairs), median(olds), median(news), delta, False, p, old_range, new_range)


def varies(pairs: Sequence[tuple[float, float]]) -> bool:
    """Return whether the counts of either side differ between processes."""
    return len({old for old, _ in pairs}) > 1 or len({new for _, new in pairs}) > 1


def _delta(old: float, new: float) -> float:
    return 0.0 if old == new else new / old - 1 if old else math.inf


def decide_counts(summary: CountSummary, family: int = 1) -> State:
    """Return the state of a unit; `family` is the number of varying counts that are decided together."""
    if summary.p is None:
        if not summary.delta:
            return "same"
        return "different" if summary.is_exact else "unresolved"
    if abs(summary.delta) > RESOLUTION:
        return "different" if summary.p * family <= ALPHA else "unresolved"
    return "same" if summary.pairs >= MIN_PAIRS else "unresolved"


def missing_counts(summary: CountSummary, family: int = 1) -> str:
    """Return what an unresolved count lacks."""
    fewest = MIN_PROCESSES if summary.p is None else fewest_pairs(family)
    if summary.pairs < fewest:
        return f"needs pairs: {summary.pairs} of at least {fewest}"
    return f"varies between processes: needs more than {summary.pairs} pairs"


def decide_instructions(summary: CountSummary) -> State:
    """Return the state of processor instructions: the sides have to differ by more than processes of one side do."""
    spread = spread_of(summary)
    if spread > REPEATABLE:
        return "unresolved"
    return "different" if abs(summary.delta) > max(LEAST_CHANGE, 2 * spread) else "same"


def spread_of(summary: CountSummary) -> float:
    """Return the larger share by which the processes of one side differ."""
    return max(_delta(*summary.old_range), _delta(*summary.new_range))
