"""Steps: where a series of measurements moved and stayed, told apart from noise.

Candidates come from seeded binary segmentation (Kovács, Bühlmann, Li and Munk, Biometrika 110, 2023): for intervals
of growing length, laid out in advance over the whole series, the split with the largest CUSUM statistic. A candidate
becomes a step when the values on its two sides, up to the neighbouring steps, differ by the exact Mann-Whitney U test
(see `conduit.bench.statistics.samples`). The U test asks for no normal distribution, so one outlier makes no step.

Neighbouring runs on a real machine resemble each other, which makes chance look like change. The p-value is weakened as
if there were correspondingly fewer values (Bayley and Hammersley, 1946), by the autocorrelations up to lag 6 with
Bartlett's weights (Newey and West, 1987). A step looks like autocorrelation: it is estimated between the steps, the
candidate being one of them. A short series says little of it: where its values are not known to be independent, some
autocorrelation is assumed until the values say otherwise. Values that never vary between steps (allocations,
instructions) need no test: each change is a step.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.statistics.samples import quantile, u_test

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

P_LIMIT = 2e-4
"""The largest p-value of a step: at most one false step in 1,000 points (benchmarks/history_errors.py)."""

SMALLEST_STEP = 0.01
"""Relative changes below this are not steps, unless the values never vary."""

SMALLEST_P = 1e-15
"""Smaller p-values are not told apart; 0 is kept for values that never vary."""

_MIN_SIDE = 4  # fewer values than this on a side prove nothing at P_LIMIT
MAX_SIDE = 50  # the nearest values decide, and the U test is exact up to here
_SHORTEST_INTERVAL = 12
_LONGEST_INTERVAL = 200
_DECAY = math.sqrt(0.5)  # each layer of intervals is shorter than the one above by this factor
_LAGS = 6  # up to here, neighbours may resemble one another; what lies farther apart
_FAR_LAG = 30  # up to here, says how far values differ that do not
_ALLOWANCE = 3.0  # by the root of the number of values: a sum of autocorrelations that is none
_ASSUMED = 1.0  # the sum of autocorrelations of values that are not known to be independent,
_ASSUMED_VALUES = 60  # which weighs as much as that of so many values
_NEAR = 250  # the values on either side whose autocorrelation counts
_FEWEST_DIFFERENCES = 8
_LEAST_SIZE_IF_OBVIOUS = 0.5  # drift makes no obvious steps
_OBVIOUS_SIDE = 6  # values on each side of an obvious step, and
_OBVIOUS_GAP = 2.0  # how many times their spread lies between the sides


class Step(NamedTuple):
    """A lasting change: `values[position]` is the first value of the new level."""

    position: int
    before: float  # median of the level before, in the unit of the values
    after: float
    delta: float  # after / before - 1
    low: float  # the interval of delta, at 95 %
    high: float
    p: float  # 0 where the values never vary
    points: int  # how many values the new level has
    holds: bool  # whether the next level, if there is one, does not return by more than half of the change


def find_steps(
    values: Sequence[float],
    *,
    p_limit: float = P_LIMIT,
    smallest: float = SMALLEST_STEP,
    independent: bool = True,
) -> list[Step]:
    """Return the steps of a series in order; empty for fewer than two values.

    Values are positive or zero, in the order of the commits. `independent` says that what the machine did is not in
    them, since each was measured in pairs with a reference. Raises `ValueError` for a value that is not finite.
    """
    if not all(math.isfinite(value) for value in values):
        raise ValueError("a series has to be of finite numbers")
    if len(values) < 2:
        return []
    borders = _changes(values) if is_exact(values) else _tested(values, p_limit, smallest, independent)
    return _steps(values, borders)


def is_exact(values: Sequence[float]) -> bool:
    """Return whether the values are levels: most neighbours are equal to the last digit."""
    equal = sum(a == b for a, b in pairwise(values))
    return equal * 2 >= len(values) - 1


def _changes(values: Sequence[float]) -> dict[int, float]:
    return {at: 0.0 for at in range(1, len(values)) if values[at] != values[at - 1]}


def _tested(values: Sequence[float], p_limit: float, smallest: float, independent: bool) -> dict[int, float]:
    """Return the accepted borders with their p-values, weakest removed until all hold."""
    obvious = _obvious_steps(values)
    borders: list[int] = []
    for split in _candidates(values):
        at = bisect_left(borders, split)
        low, high = (borders[at - 1] if at else 0), (borders[at] if at < len(borders) else len(values))
        if split in (low, high):
            continue
        best = _best_split(values, low, high, near=split)
        p = _p(values, low, best, high, 1.0, smallest)
        if p > p_limit:
            continue
        if p ** _size(values, [*borders, best], obvious, best, independent) <= p_limit:
            insort(borders, best)
    sizes = [_size(values, borders, obvious, at, independent) for at in borders]
    return _weakest_removed(values, dict(zip(borders, sizes, strict=True)), p_limit, smallest)


def _size(
    values: Sequence[float], borders: list[int], obvious: list[int], at: int, independent: bool
) -> float:
    """Return how many independent values one value around a border counts for."""
    if at in obvious:
        return obvious_count_factor(values, [*obvious, *borders], at)
    return value_count_factor(values, [*obvious, *borders], at, independent=independent)


def _weakest_removed(
    values: Sequence[float], sizes: dict[int, float], p_limit: float, smallest: float
) -> dict[int, float]:
    """Return border → p-value; `sizes` says for how many values one counts around each border."""
    borders = list(sizes)
    while borders:
        edges = [0, *borders, len(values)]
        ps = [
            _p(values, low, split, high, sizes[split], smallest)
            for low, split, high in zip(edges, edges[1:], edges[2:], strict=False)
        ]
        worst = max(range(len(ps)), key=ps.__getitem__)
        if ps[worst] <= p_limit:
            return dict(zip(borders, ps, strict=True))
        del borders[worst]
    return {}


def _candidates(values: Sequence[float]) -> list[int]:
    """Return the splits of the seeded intervals, strongest first, each once."""
    strengths: dict[int, float] = {}
    sums = _prefix_sums(values)
    for low, high in _seeded_intervals(len(values)):
        split, strength = _max_cusum(sums, low, high)
        if strength > strengths.get(split, 0.0):
            strengths[split] = strength
    return sorted(strengths, key=strengths.__getitem__, reverse=True)


def _seeded_intervals(n: int) -> Iterator[tuple[int, int]]:
    length = float(min(n, _LONGEST_INTERVAL))
    while True:
        size = math.ceil(length)
        count = max(1, math.ceil((n - size) / (length / 2)) + 1)
        for number in range(count):
            low = round(number * (n - size) / (count - 1)) if count > 1 else 0
            yield low, low + size
        if length <= _SHORTEST_INTERVAL:
            return
        length = max(length * _DECAY, float(min(n, _SHORTEST_INTERVAL)))


def _prefix_sums(values: Sequence[float]) -> list[float]:
    """Return sums of winsorised values: an outlier counts as much as the ends of the middle nine tenths around it."""
    limited = _winsorised(values)
    sums = [0.0]
    for value in limited:
        sums.append(sums[-1] + value)
    return sums


def _winsorised(values: Sequence[float], half: int = 10) -> list[float]:
    limited = []
    for at, value in enumerate(values):
        around = sorted(values[max(0, at - half) : at + half + 1])
        limited.append(min(max(value, quantile(around, 0.05)), quantile(around, 0.95)))
    return limited


def _max_cusum(sums: list[float], low: int, high: int) -> tuple[int, float]:
    """Return the split of [low, high) with the largest absolute CUSUM.

    The CUSUM is proportional to a t statistic of known variance.
    """
    n = high - low
    total = sums[high] - sums[low]
    best, strength = low + 1, -1.0
    for split in range(low + 1, high):
        left = split - low
        shift = abs((sums[split] - sums[low]) / left - (total - (sums[split] - sums[low])) / (n - left))
        cusum = shift * math.sqrt(left * (n - left) / n)
        if cusum > strength:
            best, strength = split, cusum
    return best, strength


def _best_split(values: Sequence[float], low: int, high: int, near: int, reach: int = 5) -> int:
    """Return the split near a candidate that divides the values best, by squared deviations from the sides' medians."""
    best, least = near, math.inf
    for split in range(max(low + 1, near - reach), min(high, near + reach + 1)):
        left, right = (
            values[max(low, split - MAX_SIDE) : split],
            values[split : min(high, split + MAX_SIDE)],
        )
        centers = median(left), median(right)
        around = range(max(low, near - reach), min(high, near + reach + 1))
        cost = sum(abs(values[at] - centers[at >= split]) for at in around)
        if cost < least:
            best, least = split, cost
    return best


def _p(values: Sequence[float], low: int, split: int, high: int, size: float, smallest: float) -> float:
    """Return the p-value of a border between two levels; 1 if it is too small a change or has too few values."""
    left = sorted(values[max(low, split - MAX_SIDE) : split])
    right = sorted(values[split : min(high, split + MAX_SIDE)])
    if len(left) < _MIN_SIDE or len(right) < _MIN_SIDE:
        return 1.0
    before, after = quantile(left, 0.5), quantile(right, 0.5)
    if abs(after - before) < smallest * abs(before):
        return 1.0
    p = u_test(left, right)
    # With `size` times as many values, the logarithm of a p-value is `size` times as large.
    return 1.0 if p is None else max(p**size, SMALLEST_P)


def value_count_factor(
    values: Sequence[float], borders: Sequence[int], around: int, *, independent: bool = True
) -> float:
    """Return how many independent values one value counts for (0 to 1), by the autocorrelations near a position.

    Neighbours differ less than values far apart where the series is autocorrelated. Medians of differences are used,
    which outliers do not move, and none across a border; what so many values show by chance counts as none.
    """
    start, end = max(0, around - _NEAR), min(len(values), around + _NEAR)
    edges = [start, *sorted({border for border in borders if start < border < end}), end]
    total = _autocorrelations([values[low:high] for low, high in pairwise(edges)], end - start)
    if not independent:
        count = end - start
        total = (count * total + _ASSUMED_VALUES * _ASSUMED) / (count + _ASSUMED_VALUES)
    return 1 / (1 + 2 * total)


def obvious_count_factor(values: Sequence[float], borders: Sequence[int], around: int) -> float:
    """Return as `value_count_factor` how many independent values one counts for around an obvious step."""
    return max(value_count_factor(values, borders, around), _LEAST_SIZE_IF_OBVIOUS)


def _autocorrelations(levels: Sequence[Sequence[float]], count: int) -> float:
    """Return the weighted sum of the autocorrelations of `count` values, less what may be chance; never negative."""
    most = min(_LAGS, count // 6)
    apart = [
        one for lag in range(most + 1, min(_FAR_LAG, count // 2) + 1) for one in _differences(levels, lag)
    ]
    far = median(apart) if len(apart) >= _FEWEST_DIFFERENCES else 0.0
    if not far:
        return 0.0
    total = -_ALLOWANCE / math.sqrt(count)
    for lag in range(1, most + 1):
        near = median(_differences(levels, lag) or [far])
        total += (1 - lag / (most + 1)) * (1 - (near / far) ** 2)
    return max(total, 0.0)


def _obvious_steps(values: Sequence[float]) -> list[int]:
    """Return where the level moves by far more than the values on either side spread; drift and noise never do."""
    found = []
    for split in range(_OBVIOUS_SIDE, len(values) - _OBVIOUS_SIDE + 1):
        left, right = values[split - _OBVIOUS_SIDE : split], values[split : split + _OBVIOUS_SIDE]
        if min(right) > max(left):
            gap = min(right) - max(left)
        elif min(left) > max(right):
            gap = min(left) - max(right)
        else:
            continue
        spread = max(max(left) - min(left), max(right) - min(right))
        if gap > _OBVIOUS_GAP * spread * (1 + 1e-9):  # where both are equal, rounding does not decide
            found.append(split)
    return found


def increase_to_be_obvious(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the share by which the later values must grow to make an obvious step; infinite if none suffices."""
    left, right = before[-_OBVIOUS_SIDE:], after[:_OBVIOUS_SIDE]
    # The spread of the later values grows with them.
    below = min(right) - _OBVIOUS_GAP * (max(right) - min(right))
    if below <= 0:
        return math.inf
    highest = max(left) + _OBVIOUS_GAP * (max(left) - min(left))
    return max(highest / min(right), max(left) / below) - 1


def _differences(levels: Sequence[Sequence[float]], lag: int) -> list[float]:
    """Return how far values `lag` apart differ, where both are of one level."""
    return [abs(late - early) for level in levels for early, late in zip(level, level[lag:], strict=False)]


def _steps(values: Sequence[float], borders: dict[int, float]) -> list[Step]:
    edges = [0, *borders, len(values)]
    levels = [sorted(values[low:high]) for low, high in pairwise(edges)]
    centers = [quantile(level, 0.5) for level in levels]
    steps = []
    for number, (position, p) in enumerate(borders.items()):
        before, after = centers[number], centers[number + 1]
        delta = after / before - 1 if before else math.copysign(math.inf, after - before)
        low, high = _interval(levels[number], levels[number + 1], delta)
        back = centers[number + 2] if number + 2 < len(centers) else after
        holds = abs(back - before) >= abs(after - before) / 2 and (back - before) * (after - before) > 0
        steps.append(Step(position, before, after, delta, low, high, p, len(levels[number + 1]), holds))
    return steps


def _interval(old: list[float], new: list[float], delta: float) -> tuple[float, float]:
    """Return the Hodges-Lehmann interval of new / old - 1 at 95 %: order statistics of all ratios."""
    old, new = old[:: len(old) // MAX_SIDE + 1], new[:: len(new) // MAX_SIDE + 1]
    if not old[0] > 0:
        return delta, delta
    ratios = sorted(b / a - 1 for a in old for b in new)
    n, m = len(old), len(new)
    out = round(n * m / 2 - 1.96 * math.sqrt(n * m * (n + m + 1) / 12))
    if out < 1:
        return ratios[0], ratios[-1]
    return ratios[out - 1], ratios[-out]
