"""How small a step a series can show: the least change that its own noise would not hide.

A series whose points spread by 60 % shows no change of 5 %, which its empty list of steps does not say. The measured
values answer it: at many positions without a step, the later values are imagined to be larger, by as much as the test
of `steps` asks for.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from conduit.bench.statistics.samples import tails_without_ties
from conduit.history import steps as method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.history.steps import Step

AFTER = 8
"""The points within which a step is to be found."""

SHARE = 0.95
"""In how many of the positions it is."""

_MOST_POSITIONS = 48
_MARGIN = 1.3  # what the commit asks for beyond the test: found there or one beside it, by simulation


def smallest_visible_step(
    values: Sequence[float],
    found: Sequence[Step],
    *,
    p_limit: float = method.P_LIMIT,
    independent: bool = True,
) -> float:
    """Return the least increase (0.05 is 5 %) that is found within 8 points in 95 of 100 cases.

    `found` are the steps of the series; `independent` is as in `find_steps`. The result is 0 where the values never
    vary, and infinite where 8 points show no increase: there are fewer than 16 between two steps, or neighbours
    resemble one another too much.
    """
    if len(values) > 1 and method.is_exact(values):
        return 0.0
    borders = [step.position for step in found]
    factor = method.value_count_factor(values, borders, len(values), independent=independent)
    factor_if_obvious = method.obvious_count_factor(values, borders, len(values))
    limit, limit_if_obvious = p_limit ** (1 / factor), p_limit ** (1 / factor_if_obvious)
    edges = [0, *borders, len(values)]
    positions = [(low, at) for low, high in pairwise(edges) for at in range(low + AFTER, high - AFTER + 1)]
    if not positions:
        return math.inf
    stride = -(-len(positions) // _MOST_POSITIONS)
    needed = []
    for low, at in positions[::stride]:
        before, after = values[max(low, at - method.MAX_SIDE) : at], values[at : at + AFTER]
        obvious = max(
            _needed_increase(before, after, limit_if_obvious), method.increase_to_be_obvious(before, after)
        )
        needed.append(min(_needed_increase(before, after, limit), obvious))
    needed.sort()
    return max(_MARGIN * needed[math.ceil(SHARE * len(needed)) - 1], method.SMALLEST_STEP)


def _needed_increase(before: Sequence[float], after: Sequence[float], limit: float) -> float:
    """Return the share by which the later values must grow for a p-value of the limit; infinite if none suffices."""
    most = _most_inversions(len(before), len(after), limit)
    if most < 0:
        return math.inf
    ratios = sorted(old / new - 1 if new else math.inf for old in before for new in after)
    return ratios[len(ratios) - 1 - most]


@lru_cache(maxsize=512)
def _most_inversions(n_before: int, n_after: int, limit: float) -> int:
    """Return how many pairs may still be the wrong way round at a p-value of the limit; -1 if not even none may."""
    tails = tails_without_ties(n_before, n_after)
    most = -1
    while most + 1 < len(tails) and 2 * tails[most + 1] <= limit:
        most += 1
    return most
