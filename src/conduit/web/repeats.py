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
from conduit.interruption import interruptible
from conduit.profile import loops
from conduit.profile.columns import runs_of
from conduit.report.errors import ReportError
from conduit.report.graph import sum_frames
from conduit.report.ownership import PROJECT, owner_of
from conduit.report.pipeline import prepare_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.profile.columns import Values
    from conduit.profile.model import Profile
    from conduit.report.frames import Frame, FrameTable
    from conduit.report.options import Options

ALPHA = 0.05  # of the adjusted p-value
SMALLEST_SHARE = 0.005  # of the mean totals; what has less is not tested

KEYS = ("flat", "cum", "code")
"""The amounts of a function: its own, with its callees, and its own with those of others' code that it called."""

# Of each function, by its name with its file: its name alone, and its amounts in the order of `KEYS`.
Sums = dict[str, tuple[str, tuple[int, int, int]]]


class Amounts(NamedTuple):
    """The amounts of one function, or their totals: one a profile, in the unit of the sample type."""

    before: list[float]
    after: list[float]

    @property
    def means(self) -> tuple[float, float]:
        """The mean of a profile, before and after."""
        return math.fsum(self.before) / len(self.before), math.fsum(self.after) / len(self.after)


class RepeatedSums(NamedTuple):
    """What each function took in each profile, by key; `totals` of the profiles.

    `p_values` holds, by key, the adjusted p-values of the functions that were tested; `functions` their names alone.
    """

    amounts: dict[str, dict[str, Amounts]]
    totals: Amounts
    p_values: dict[str, dict[str, float]]
    functions: dict[str, str]

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
    functions = {name: found[0] for side in sides for sums, _ in side for name, found in sums.items()}
    nothing = ("", (0, 0, 0))
    amounts = {
        key: {
            name: Amounts(
                *(
                    [
                        sums.get(name, nothing)[1][number] * ratio
                        for (sums, _), ratio in zip(side, ratios, strict=True)
                    ]
                    for side, ratios in zip(sides, scales, strict=True)
                )
            )
            for name in functions
        }
        for number, key in enumerate(KEYS)
    }
    tested = {key: _tested(each, totals) for key, each in amounts.items()}
    return RepeatedSums(amounts, totals, tested, functions)


def _sums(profile: Profile, options: Options) -> tuple[Sums, int]:
    try:
        report = prepare_report(profile, "top", options, lambda _: None)
    except ReportError:  # the filters leave nothing of this one
        return {}, 0
    sums = sum_functions(report.table, report.values)
    return sums, sum(report.columns.values[report.values.index])


def sum_functions(table: FrameTable, values: Values) -> Sums:
    """Return what each function took: itself, with its callees, and itself with the others' code that it called.

    The last is 0 for a function that is not the project's: its samples are those of the innermost caller that is.
    """
    own = _sums_of_code(table, values)
    sums: Sums = {}
    for node in sum_frames(table, values):
        _, (flat, cum, code) = sums.get(node.name, ("", (0, 0, 0)))
        amounts = flat + node.flat_value, cum + node.cum_value, code + own.get(node.frame, 0)
        sums[node.name] = node.frame.name or node.frame.file, amounts
    return sums


def _sums_of_code(table: FrameTable, values: Values) -> dict[Frame, int]:
    mine = [owner_of(frame.name, frame.file)[0] == PROJECT for frame in interruptible(table.frames)]
    rows = (
        [number for number in numbers if mine[number]]
        for numbers in interruptible(table.of_location.values())
    )
    # With the other frames left out of each stack, its first one is the innermost of the project.
    stacks = (values.columns.bounds, values.columns.frames)
    flat, _ = loops.sum_stacks(*stacks, values.amounts, values.divisors, *runs_of(rows), len(table.frames))
    return {frame: amount for frame, amount in zip(table.frames, flat, strict=True) if amount}


def mixes_code(profile: Profile, table: FrameTable) -> bool:
    """Return whether the profile's stacks have functions of the project and others."""
    used = {number for location in profile.locations for number in table.of_location[location]}
    owners = {owner_of(table.frames[number].name, table.frames[number].file)[0] == PROJECT for number in used}
    return len(owners) > 1


def _tested(amounts: dict[str, Amounts], totals: Amounts) -> dict[str, float]:
    least = SMALLEST_SHARE * sum(map(abs, totals.means))
    tested = {name: each for name, each in amounts.items() if sum(map(abs, each.means)) >= least > 0}
    p_values = [_p_value(each) for each in tested.values()]
    return dict(zip(tested, adjust_p_values(p_values), strict=True))


def _p_value(amounts: Amounts) -> float:
    p = u_test(sort_values([*amounts.before]), sort_values([*amounts.after]))
    return 1.0 if p is None else p
