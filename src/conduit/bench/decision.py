"""What interleaved batches in pairs of processes say of a difference: a floor verdict and a typical one.

Noise on a machine only ever makes code slower, so the quickest batch of each process, and the quickest process of
each side, come close to what the code costs: the *floors*. The evidence that two floors differ is how many
processes of the quicker side have their quickest batch below *every* batch of the other. If both sides were the
same code, each pair of processes could as well have come out the other way round, and k such processes have the
probability 2 · 2^-k, whatever the noise looks like. The order within a pair is random so that this holds. Values
inside a process are not independent and are never pooled.

Floors do not see what happens to most runs (caches, the collector, waiting): the *typical* difference is that of
the medians of the processes' medians, with the U test on those. Where the two contradict each other, or where the
floors differ but too few processes say so, the row is unresolved; that is not "no difference".
"""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

from conduit.bench.samples import u_test

if TYPE_CHECKING:
    from collections.abc import Sequence

State = Literal["different", "same", "unresolved"]

RESOLUTION = 0.025
"""Floors closer than this are the same: below it, alignment and hash seeds move floors of identical code."""
CLEARLY_SAME = 0.015
FEWEST_PAIRS = 6
ENOUGH_PAIRS = 16
ALPHA = 0.04


class PairTimes(NamedTuple):
    """The batches of one pair of processes: nanoseconds an operation, old and new, in the order they were run."""

    old: tuple[float, ...]
    new: tuple[float, ...]


class Evidence(NamedTuple):
    """What the pairs of one benchmark say so far. Differences are shares of the old side (0.05: 5 % more)."""

    pairs: int
    old_floor: float
    new_floor: float
    floor_delta: float
    floor_p: float
    old_typical: float
    new_typical: float
    typical_delta: float
    typical_p: float


def weigh(pairs: Sequence[PairTimes]) -> Evidence:
    """Computes both differences with their p-values; there has to be at least one pair."""
    old_minima = [min(pair.old) for pair in pairs]
    new_minima = [min(pair.new) for pair in pairs]
    old_medians = [median(pair.old) for pair in pairs]
    new_medians = [median(pair.new) for pair in pairs]
    old_floor, new_floor = min(old_minima), min(new_minima)
    old_typical, new_typical = median(old_medians), median(new_medians)
    p = u_test(sorted(old_medians), sorted(new_medians))
    return Evidence(
        pairs=len(pairs),
        old_floor=old_floor,
        new_floor=new_floor,
        floor_delta=new_floor / old_floor - 1,
        floor_p=floor_p(old_minima, new_minima),
        old_typical=old_typical,
        new_typical=new_typical,
        typical_delta=new_typical / old_typical - 1,
        typical_p=1.0 if p is None else p,
    )


def floor_p(old_minima: Sequence[float], new_minima: Sequence[float]) -> float:
    """The probability that, of equal sides, one has this many processes below all of the other's."""
    low, high = sorted((old_minima, new_minima), key=min)
    below = sum(value < min(high) for value in low)
    return min(1.0, 2.0 * math.ldexp(1.0, -below))


def decide(evidence: Evidence, family: int = 1) -> State:
    """The state of a benchmark, one of `family` that are decided together (Bonferroni's correction)."""
    floor = _floor_state(evidence, family)
    typical = _typical_state(evidence, family)
    if floor == "different":
        contradicted = typical == "different" and (evidence.floor_delta > 0) != (evidence.typical_delta > 0)
        return "unresolved" if contradicted else "different"
    if floor == "same":
        # The floors agree, most runs do not: something that the quickest runs are spared.
        apart = typical == "different" and abs(evidence.typical_delta) > 2 * RESOLUTION
        return "unresolved" if apart else "same"
    return "unresolved"


def _floor_state(evidence: Evidence, family: int) -> State:
    if evidence.pairs < FEWEST_PAIRS:
        return "unresolved"
    if abs(evidence.floor_delta) <= RESOLUTION:
        return "same"
    return "different" if evidence.floor_p * family <= ALPHA else "unresolved"


def _typical_state(evidence: Evidence, family: int) -> State:
    return "different" if evidence.typical_p * family <= ALPHA else "same"


def wants_more(evidence: Evidence, family: int = 1) -> bool:
    """Whether more pairs could settle what these have not: the sampling goes on while this holds."""
    if evidence.pairs < FEWEST_PAIRS:
        return True
    state = decide(evidence, family)
    if state == "unresolved":
        return True
    if state == "different":
        # A large difference needs few pairs; one near the resolution could still be the luck of few processes.
        return abs(evidence.floor_delta) < 4 * RESOLUTION and evidence.pairs < ENOUGH_PAIRS
    return abs(evidence.floor_delta) > CLEARLY_SAME and evidence.pairs < ENOUGH_PAIRS
