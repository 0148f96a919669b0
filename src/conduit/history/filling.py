"""Which commit of a range to measure next: first coarsely over the whole range, then where something moved.

The coarse pass visits every N-th commit in the order of a bisection (both ends, the middle, the quarters, …), so that
it covers the range evenly whenever it is stopped. Then each stretch whose two ends differ is halved until the ends are
neighbours. Ends differ where Welch's t test on the logarithms of their pairs says so, or where a count does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean, variance
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.statistics.samples import student_p

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

USUAL_POINTS = 32
"""The coarse pass of `-step auto` measures about so many commits."""

SMALLEST_MOVE = 0.01
_P_LIMIT = 0.005


class Measurement(NamedTuple):
    """One commit: the logarithm of each pair's ratio to the reference by benchmark, and counts by (benchmark, unit)."""

    log_ratios: Mapping[str, Sequence[float]]
    counts: Mapping[tuple[str, str], Sequence[float]] = {}


class Move(NamedTuple):
    """What differs between two measured commits: positions, the benchmark and unit that differ most, new / old - 1."""

    before: int
    after: int
    benchmark: str
    unit: str
    delta: float


@dataclass(slots=True)
class Schedule:
    """The state of a range of `count` commits; `step` of None chooses the spacing and refines.

    `measured` and `gaps` are positions in the range, filled in by the caller.
    """

    count: int
    step: int | None = None
    measured: dict[int, Measurement] = field(default_factory=dict)
    gaps: set[int] = field(default_factory=set)

    @property
    def spacing(self) -> int:
        """The distance between the commits of the coarse pass."""
        return self.step or max(1, math.ceil((self.count - 1) / USUAL_POINTS))

    def next(self) -> int | None:
        """Return the position to measure next; None where nothing is left."""
        coarse = self.coarse_left()
        if coarse:
            return coarse[0]
        if self.step is None:
            for move in self.moves():
                position = self._middle(move)
                if position is not None:
                    return position
        return None

    def coarse_left(self) -> list[int]:
        """Return the positions of the coarse pass that are not done, in their order."""
        return [at for at in _bisection_order(self.count, self.spacing) if not self._is_done(at)]

    def expected_left(self) -> int:
        """Return how many commits are still to be measured, if nothing else turns out to have moved."""
        refined = sum(math.ceil(math.log2(len(self._between(move)) + 1)) for move in self.moves())
        return len(self.coarse_left()) + (refined if self.step is None else 0)

    def moves(self) -> list[Move]:
        """Return the neighbouring measured commits that differ, the largest difference first."""
        largest = [max(found, key=_size) for found in self.all_moves()]
        return sorted(largest, key=_size, reverse=True)

    def all_moves(self) -> list[list[Move]]:
        """Return all that differs between measured neighbours, in the order of the commits."""
        ends = pairwise(sorted(self.measured))
        found = [_moves(before, after, self.measured[before], self.measured[after]) for before, after in ends]
        return [moves for moves in found if moves]

    def _middle(self, move: Move) -> int | None:
        middle = (move.before + move.after) / 2
        return min(self._between(move), key=lambda at: abs(at - middle), default=None)

    def _between(self, move: Move) -> list[int]:
        return [at for at in range(move.before + 1, move.after) if not self._is_done(at)]

    def _is_done(self, at: int) -> bool:
        return at in self.measured or at in self.gaps


def _bisection_order(count: int, spacing: int) -> Iterator[int]:
    """Position at multiples of a spacing, and the last one: end first, then the middles of the stretches between."""
    grid = sorted({*range(0, count, spacing), count - 1})
    yield grid[-1]
    if len(grid) > 1:
        yield grid[0]
    stretches = [(0, len(grid) - 1)]
    while stretches:
        following = []
        for low, high in stretches:
            if high - low > 1:
                middle = (low + high) // 2
                yield grid[middle]
                following += [(low, middle), (middle, high)]
        stretches = following


def _size(move: Move) -> float:
    return abs(math.log1p(move.delta)) if move.delta > -1 else math.inf


def _moves(before: int, after: int, old: Measurement, new: Measurement) -> list[Move]:
    moves = [
        Move(before, after, name, "sec/op", math.expm1(fmean(new.log_ratios[name]) - fmean(ratios)))
        for name, ratios in old.log_ratios.items()
        if name in new.log_ratios and _differs(ratios, new.log_ratios[name])
    ]
    for (name, unit), values in old.counts.items():
        others = new.counts.get((name, unit))
        if others and _count_differs(values, others):
            delta = fmean(others) / fmean(values) - 1 if fmean(values) else math.inf
            moves.append(Move(before, after, name, unit, delta))
    return moves


def _differs(old: Sequence[float], new: Sequence[float]) -> bool:
    """Return whether two samples differ by Welch's t test, for differences that are not negligible."""
    if min(len(old), len(new)) < 2 or abs(fmean(new) - fmean(old)) < SMALLEST_MOVE:
        return False
    old_part, new_part = variance(old) / len(old), variance(new) / len(new)
    if not old_part + new_part:
        return True
    t = abs(fmean(new) - fmean(old)) / math.sqrt(old_part + new_part)
    freedom = (old_part + new_part) ** 2 / (old_part**2 / (len(old) - 1) + new_part**2 / (len(new) - 1))
    return student_p(t, int(freedom)) <= _P_LIMIT


def _count_differs(old: Sequence[float], new: Sequence[float]) -> bool:
    """Return whether counts lie apart: the ranges over several processes do not overlap, by more than is negligible."""
    gap = max(min(new) - max(old), min(old) - max(new))
    return gap > SMALLEST_MOVE * max(min(old), 1.0)
