"""Verdicts over interleaved batches in pairs of processes: a floor, a typical difference, a decision.

The two processes of a pair share a stretch of time, a core and a hash seed, and their batches alternate, so that
whatever the machine does, it does to both. Each pair is one observation. Values inside a process are not independent
and are never pooled.

Two summaries of the same batches. The *floor* of a side is its fastest batch in all processes: noise only slows code
down, so floors approach the code's own cost, but one lucky process can move a floor. The *typical* difference is the
median over the pairs of each pair's ratio, which is the median of its batches' ratios, each with its neighbour in
time; a disturbance of a few pairs does not move it.

The sides differ if the typical difference is beyond the resolution, the floors differ in the same direction by at
least a quarter of it, and one of two tests rejects chance:

- the signed-rank test over pairs. Under the null hypothesis each pair's sign is random, because the order within a
  pair is randomised. With k pairs its p-value is at least 2^(1-k), so the number of pairs it needs grows with the
  number of benchmarks that are decided together (Bonferroni's correction).
- for large differences, Student's t test over the pairs' log ratios, from four pairs on and only if every pair and the
  floors differ by more than 10 % in the same direction. The test is repeated after each pair, so each repetition may
  use only half of the error that is left (alpha spending). Heavy-tailed noise makes the test conservative.

They are the same if the typical difference is within the resolution and the floors are not far outside. All else is
unresolved, which is not "no difference". `benchmarks/sequential_rule.py` simulates the error of the whole rule.

The floors have a veto only: over processes of identical code they scatter about five times as much as the median does.
"""

from __future__ import annotations

import math
from itertools import groupby
from statistics import NormalDist, fmean, median, stdev
from typing import TYPE_CHECKING, Literal, NamedTuple

from conduit.bench.statistics.samples import student_p

if TYPE_CHECKING:
    from collections.abc import Sequence

State = Literal["different", "same", "unresolved"]

RESOLUTION = 0.02
"""Smaller differences count as none: alignment and hash seeds move identical code by about as much."""
SAME_DIRECTION = RESOLUTION / 4
"""Floors that differ by less do not support a difference."""
FAR_OUTSIDE = 2 * RESOLUTION
"""Floors that differ by more contradict "the same"."""
CLEARLY_SAME = 0.01
CLEARLY_DIFFERENT = 0.1
MIN_PAIRS = 6
USUAL_PAIRS = 10
ENOUGH_PAIRS = 16
ALPHA = 0.02
MIN_EARLY_PAIRS = 4
LARGE = 0.10
EARLY_ALPHA = 0.01
NOISY = 0.05
"""Standard deviation of the pairs' log ratios above which more pairs help little: the machine is too noisy."""
_MAX_EXACT_PAIRS = 40  # the normal approximation is good to three digits beyond


class PairTimes(NamedTuple):
    """The batches of one pair of processes: nanoseconds per operation, old and new, in the order they were run."""

    old: tuple[float, ...]
    new: tuple[float, ...]

    def log_ratio(self) -> float:
        """Return the median of log(new / old) over the batches, each with its neighbour in time."""
        return median(math.log(new / old) for old, new in zip(self.old, self.new, strict=True))


class PairedSummary(NamedTuple):
    """The evidence of the pairs of one benchmark. Differences are shares of the old side (0.05: 5 % more).

    Floors and typical costs are nanoseconds. `typical_delta` is the median of the pairs' ratios minus one: close to,
    but not, the ratio of the two typical costs, which are medians of the processes' medians. `spread` is the standard
    deviation of the pairs' log ratios. `smallest_delta` is the smallest difference of any pair if all pairs have the
    same sign, else 0. `large_p` is the p-value of the t test.
    """

    pairs: int
    old_floor: float
    new_floor: float
    floor_delta: float
    old_typical: float
    new_typical: float
    typical_delta: float
    typical_p: float
    spread: float = 0.0
    smallest_delta: float = 0.0
    large_p: float = 1.0


def summarize_pairs(pairs: Sequence[PairTimes]) -> PairedSummary:
    """Compute both differences and their p-values from at least one pair."""
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
        spread=stdev(ratios) if len(ratios) > 1 else 0.0,
        smallest_delta=_smallest_delta(ratios),
        large_p=_t_test_p(ratios),
    )


def _smallest_delta(ratios: Sequence[float]) -> float:
    if min(ratios) > 0:
        return math.expm1(min(ratios))
    return math.expm1(max(ratios)) if max(ratios) < 0 else 0.0


def _t_test_p(ratios: Sequence[float]) -> float:
    """Return the two-sided p-value of Student's t test that the mean is 0; 1 for a single pair."""
    if len(ratios) < 2:
        return 1.0
    spread = stdev(ratios)
    mean = fmean(ratios)
    if not spread:
        return 0.0 if mean else 1.0
    return student_p(abs(mean) / spread * math.sqrt(len(ratios)), len(ratios) - 1)


def signed_rank_p(differences: Sequence[float]) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test.

    Zeros are excluded and ties share their ranks. Exact up to 40 differences, the normal approximation beyond.
    """
    ranks, positive = _doubled_ranks([difference for difference in differences if difference])
    if not ranks:
        return 1.0
    total = sum(ranks)
    least = min(positive, total - positive)
    if len(ranks) > _MAX_EXACT_PAIRS:
        spread = math.sqrt(sum(rank * rank for rank in ranks)) / 2
        return min(1.0, 2 * NormalDist().cdf((least + 1 - total / 2) / spread))
    ways = [1] + [0] * least  # ways[s]: number of sign choices whose rank sum is s
    for rank in ranks:
        for s in range(least, rank - 1, -1):
            ways[s] += ways[s - rank]
    return min(1.0, math.ldexp(float(sum(ways)), 1 - len(ranks)))


def _doubled_ranks(differences: Sequence[float]) -> tuple[list[int], int]:
    """Return twice the rank of each difference by size (integers even with ties), and the sum for positive ones."""
    ranks: list[int] = []
    positive = 0
    for _, group in groupby(sorted(differences, key=abs), key=abs):
        tied = list(group)
        rank = 2 * len(ranks) + len(tied) + 1
        ranks += [rank] * len(tied)
        positive += rank * sum(difference > 0 for difference in tied)
    return ranks, positive


def decide(summary: PairedSummary, family: int = 1) -> State:
    """Return the state of a benchmark, one of `family` that are decided together (Bonferroni's correction)."""
    if _is_clearly_large(summary, family):
        return "different"
    if summary.pairs < MIN_PAIRS:
        return "unresolved"
    floor, typical = summary.floor_delta, summary.typical_delta
    if abs(typical) > RESOLUTION:
        is_likely = summary.typical_p * family <= ALPHA
        return "different" if is_likely and _agree(floor, typical) else "unresolved"
    return "same" if abs(floor) <= FAR_OUTSIDE else "unresolved"


def _agree(floor: float, typical: float) -> bool:
    return floor * typical > 0 and abs(floor) > SAME_DIRECTION


def _is_clearly_large(summary: PairedSummary, family: int) -> bool:
    repetition = summary.pairs - MIN_EARLY_PAIRS
    if repetition < 0 or summary.large_p * family > EARLY_ALPHA / 2 ** (repetition + 1):
        return False
    smallest, floor = summary.smallest_delta, summary.floor_delta
    return min(abs(smallest), abs(floor)) > LARGE and smallest * floor > 0


def needs_more_pairs(summary: PairedSummary, family: int = 1) -> bool:
    """Return whether to continue sampling.

    Few pairs are enough for a large difference, more for hardly any; a difference near the resolution could still be
    the luck of a few processes.
    """
    state = decide(summary, family)
    if state == "unresolved":
        return True
    if summary.pairs >= ENOUGH_PAIRS:
        return False
    if state == "different":
        return abs(summary.typical_delta) < CLEARLY_DIFFERENT
    return summary.pairs < USUAL_PAIRS or abs(summary.typical_delta) > CLEARLY_SAME


def fewest_pairs(family: int) -> int:
    """Return the number of pairs below which the signed-rank test cannot see a difference among `family`."""
    return max(MIN_PAIRS, 1 + math.ceil(math.log2(family / ALPHA)))


def missing_evidence(summary: PairedSummary, family: int = 1) -> str:
    """Return what an unresolved benchmark lacks: pairs, or a quiet machine."""
    fewest = fewest_pairs(family)
    if summary.spread > NOISY:
        return f"needs a quiet machine: pairs spread by ±{summary.spread:.0%}"
    if summary.pairs < fewest:
        return f"needs pairs: {summary.pairs} of at least {fewest}"
    floor, typical = summary.floor_delta, summary.typical_delta
    if not _agree(floor, typical):
        return f"needs a quiet machine: fastest {floor:+.1%}, typical {typical:+.1%}"
    return f"needs pairs: more than {summary.pairs}"
