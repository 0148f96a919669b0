"""What interleaved batches in pairs of processes say of a difference: a floor, a typical difference, one verdict.

A pair of processes shares its stretch of time and its core, and its batches alternate: whatever the machine does, it
does to both. Every pair is one observation. Values inside a process are not independent and are never pooled.

There are two views of the same batches. The *floor* of a side is its quickest batch in all processes: noise only ever
makes code slower, so floors come close to what the code costs. One lucky process can move a floor, though. The
*typical* difference is the median over the pairs of each pair's own ratio (the median of its batches' ratios, each
with its neighbour in time). A spell of noise that hits few pairs leaves it alone. Whether it is more than chance says
the signed-rank test on the pairs: were both sides the same code, each pair could as well have come out the other way
round, since the order within a pair is random.

The sides differ where both views point the same way, together lie beyond the resolution, and the test says that this
is not chance; they are the same where their mean lies within it and neither is far outside. All else is unresolved, which is not "no difference": the
quickest runs and most runs tell different stories, or there is too little evidence.
"""

from __future__ import annotations

import math
from itertools import groupby
from statistics import NormalDist, median
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

State = Literal["different", "same", "unresolved"]

RESOLUTION = 0.025
"""Differences below this are the same: alignment and hash seeds move identical code by about as much."""
FAR_OUTSIDE = 1.6 * RESOLUTION
"""One view alone at this distance speaks against "the same": nearly opposite views have a small mean, too."""
CLEARLY_SAME = 0.01
CLEARLY_DIFFERENT = 0.1
MIN_PAIRS = 6
USUAL_PAIRS = 10
ENOUGH_PAIRS = 16
ALPHA = 0.04
_MAX_EXACT_PAIRS = 40  # pairs; beyond them the normal approximation is good to three places


class PairTimes(NamedTuple):
    """The batches of one pair of processes: nanoseconds an operation, old and new, in the order they were run."""

    old: tuple[float, ...]
    new: tuple[float, ...]

    def log_ratio(self) -> float:
        """The median of the logarithms of new by old, each batch with its neighbour in time."""
        return median(math.log(new / old) for old, new in zip(self.old, self.new, strict=True))


class PairedSummary(NamedTuple):
    """What the pairs of one benchmark say so far. Differences are shares of the old side (0.05: 5 % more).

    Floors and typical costs are nanoseconds. `typical_delta` is the median of the pairs' own ratios, less one: it is
    close to, but not, the ratio of the two typical costs, which are medians of the processes' medians.
    """

    pairs: int
    old_floor: float
    new_floor: float
    floor_delta: float
    old_typical: float
    new_typical: float
    typical_delta: float
    typical_p: float

    @property
    def delta(self) -> float:
        """The difference that is judged: the mean of both views."""
        return (self.floor_delta + self.typical_delta) / 2


def summarize_pairs(pairs: Sequence[PairTimes]) -> PairedSummary:
    """Compute both differences, and the p-value of the typical one; there has to be at least one pair."""
    old_floor, new_floor = min(min(pair.old) for pair in pairs), min(min(pair.new) for pair in pairs)
    ratios = [pair.log_ratio() for pair in pairs]
    return PairedSummary(
        pairs=len(pairs),
        old_floor=old_floor,
        new_floor=new_floor,
        floor_delta=new_floor / old_floor - 1,
        old_typical=median(median(pair.old) for pair in pairs),
        new_typical=median(median(pair.new) for pair in pairs),
        typical_delta=math.expm1(median(ratios)),
        typical_p=signed_rank_p(ratios),
    )


def signed_rank_p(differences: Sequence[float]) -> float:
    """Wilcoxon's signed-rank test, two-sided: how likely such a rank sum is if each sign is a coin's.

    Zeros are left out and ties share their ranks. Exact up to 40 differences, the normal approximation beyond.
    """
    ranks, positive = _doubled_ranks([difference for difference in differences if difference])
    if not ranks:
        return 1.0
    total = sum(ranks)
    least = min(positive, total - positive)
    if len(ranks) > _MAX_EXACT_PAIRS:
        spread = math.sqrt(sum(rank * rank for rank in ranks)) / 2
        return min(1.0, 2 * NormalDist().cdf((least + 1 - total / 2) / spread))
    ways = [1] + [0] * least  # ways[s]: how many choices of signs give the sum s
    for rank in ranks:
        for s in range(least, rank - 1, -1):
            ways[s] += ways[s - rank]
    return min(1.0, math.ldexp(float(sum(ways)), 1 - len(ranks)))


def _doubled_ranks(differences: Sequence[float]) -> tuple[list[int], int]:
    """Twice the rank of each by its size (whole numbers also with ties), and the sum of those of positive ones."""
    ranks: list[int] = []
    positive = 0
    for _, group in groupby(sorted(differences, key=abs), key=abs):
        tied = list(group)
        rank = 2 * len(ranks) + len(tied) + 1
        ranks += [rank] * len(tied)
        positive += rank * sum(difference > 0 for difference in tied)
    return ranks, positive


def decide(evidence: PairedSummary, family: int = 1) -> State:
    """The state of a benchmark, one of `family` that are decided together (Bonferroni's correction)."""
    if evidence.pairs < MIN_PAIRS:
        return "unresolved"
    floor, typical = evidence.floor_delta, evidence.typical_delta
    if abs(evidence.delta) > RESOLUTION:
        agree = floor * typical > 0 and min(abs(floor), abs(typical)) > RESOLUTION / 2
        return "different" if agree and evidence.typical_p * family <= ALPHA else "unresolved"
    return "same" if max(abs(floor), abs(typical)) <= FAR_OUTSIDE else "unresolved"


def needs_more_pairs(evidence: PairedSummary, family: int = 1) -> bool:
    """Whether more pairs could settle what these have not: the sampling goes on while this holds.

    Few pairs do where the difference is large, some more where there is hardly any; one near the resolution could
    still be the luck of few processes.
    """
    state = decide(evidence, family)
    if state == "unresolved":
        return True
    if evidence.pairs >= ENOUGH_PAIRS:
        return False
    if state == "different":
        return abs(evidence.delta) < CLEARLY_DIFFERENT
    return evidence.pairs < USUAL_PAIRS or abs(evidence.delta) > CLEARLY_SAME
