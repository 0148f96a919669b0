"""Which functions really changed, if there are several profiles of each side: a test for each function.

A profile is one measurement of each function. The amounts before and after are compared by the Mann-Whitney U test, as
`benchstat` compares benchmarks, and the p-values are adjusted for the number of functions tested. A function with less
than `SMALLEST_SHARE` of the total is not tested: its amounts are mostly sampling error, and each additional test
weakens the others.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.statistics.multiple import adjust_p_values
from conduit.bench.statistics.samples import sort_values, u_test
from conduit.report.errors import ReportError
from conduit.report.graph import sum_frames
from conduit.report.pipeline import prepare_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.profile.model import Profile
    from conduit.report.options import Options

ALPHA = 0.05  # of the adjusted p-value
SMALLEST_SHARE = 0.005  # of the mean totals; what has less is not tested

# The flat and the cumulative amount of each function.
Sums = dict[str, tuple[int, int]]


class Amounts(NamedTuple):
    """The amounts of one function, or their totals: one a profile, in the unit of the sample type."""

    before: list[float]
    after: list[float]

    @property
    def means(self) -> tuple[float, float]:
        """The mean of a profile, before and after."""
        return math.fsum(self.before) / len(self.before), math.fsum(self.after) / len(self.after)


class RepeatedSums(NamedTuple):
    """What each function took in each profile: itself (`flat`) and with its callees (`cum`); `totals` of the profiles.

    `p_flat` and `p_cum` hold the adjusted p-values of the functions that were tested.
    """

    flat: dict[str, Amounts]
    cum: dict[str, Amounts]
    totals: Amounts
    p_flat: dict[str, float]
    p_cum: dict[str, float]

    @property
    def can_tell(self) -> bool:
        """Whether there are profiles enough for any difference to be told from chance."""
        return _smallest_p(*map(len, self.totals)) <= ALPHA

    def needed(self, tested: int) -> int:
        """Return how many profiles a side would tell one changed function from chance.

        `tested` functions are compared. 0 where there are enough profiles.
        """
        if _smallest_p(*map(len, self.totals)) * tested <= ALPHA:
            return 0
        return next(count for count in itertools.count(1) if _smallest_p(count, count) * tested <= ALPHA)


def _smallest_p(before: int, after: int) -> float:
    """Return the p-value of the U test where all amounts before lie below, or above, all after."""
    return 2 / math.comb(before + after, before)


def sum_repeats(before: Sequence[Profile], after: Sequence[Profile], options: Options) -> RepeatedSums:
    """Sum each profile under the same options and test each function.

    With `options.normalize` every profile is scaled to the mean total before: a change is then one of the share.
    """
    sides = [[_sums(profile, options) for profile in profiles] for profiles in (before, after)]
    totals = Amounts(*([float(total) for _, total in side] for side in sides))
    scales = [[1.0] * len(side) for side in sides]
    if options.normalize:
        target = totals.means[0]
        scales = [[target / total if total else 0.0 for total in side] for side in totals]
        totals = Amounts(*([target if total else 0.0 for total in side] for side in totals))
    names = {name: None for side in sides for sums, _ in side for name in sums}
    flat, cum = (
        {
            name: Amounts(
                *(
                    [
                        sums.get(name, (0, 0))[key] * ratio
                        for (sums, _), ratio in zip(side, ratios, strict=True)
                    ]
                    for side, ratios in zip(sides, scales, strict=True)
                )
            )
            for name in names
        }
        for key in (0, 1)
    )
    return RepeatedSums(flat, cum, totals, _tested(flat, totals), _tested(cum, totals))


def _sums(profile: Profile, options: Options) -> tuple[Sums, int]:
    try:
        report = prepare_report(profile, "top", options, lambda _: None)
    except ReportError:  # the filters leave nothing of this one
        return {}, 0
    sums: Sums = {}
    for node in sum_frames(report.profile, report.table, report.values):
        flat, cum = sums.get(node.name, (0, 0))
        sums[node.name] = flat + node.flat_value, cum + node.cum_value
    return sums, sum(report.profile.columns.values[report.values.index])


def _tested(amounts: dict[str, Amounts], totals: Amounts) -> dict[str, float]:
    least = SMALLEST_SHARE * sum(map(abs, totals.means))
    tested = {name: each for name, each in amounts.items() if sum(map(abs, each.means)) >= least > 0}
    p_values = [_p_value(each) for each in tested.values()]
    return dict(zip(tested, adjust_p_values(p_values), strict=True))


def _p_value(amounts: Amounts) -> float:
    p = u_test(sort_values([*amounts.before]), sort_values([*amounts.after]))
    return 1.0 if p is None else p
