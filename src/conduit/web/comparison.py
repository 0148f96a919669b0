"""A profile compared with a base: the two sides apart, scaled to the same total on request, and what changed most."""

from __future__ import annotations

import math
from itertools import compress
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from conduit.profile.columns import Values
from conduit.profile.measurement import label, percentage, quotient
from conduit.profile.merge import difference, scale_values
from conduit.report.node_tags import BASE_LABEL
from conduit.web.repeats import ALPHA, KEYS, mixes_code, sum_functions

if TYPE_CHECKING:
    from conduit.profile.columns import LabelSet
    from conduit.profile.model import Profile
    from conduit.report.report import Report
    from conduit.web.repeats import RepeatedSums

MAX_ROWS = 300  # that changed most by what they took themselves, and as many by each other key
_SMALLEST_SHOWN = 0.0001  # of a change; a smaller one would be printed with an exponent
_EXACT = 1000  # samples; of more, the binomial distribution is as good as normal


def has_base(profile: Profile) -> bool:
    """Return whether samples are marked as the base's, so that before and after can be told apart."""
    return any(_is_base(labels) for labels in profile.columns.used_sets())


def _is_base(labels: LabelSet) -> bool:
    return "true" in labels.labels.get(BASE_LABEL, ())


def split(profile: Profile) -> tuple[Profile, Profile]:
    """Return the base's samples with their own, positive values, and the others."""
    columns = profile.columns
    mask = columns.mask_of(_is_base)
    others = bytes(not marked for marked in mask)
    before = scale_values(profile.replaced(columns=columns.selected(mask)), -1)
    return before, profile.replaced(columns=columns.selected(others))


def normalised(profile: Profile) -> Profile:
    """Return the same comparison with the newer side scaled so that each type of values adds up to the base's."""
    before, after = split(profile)
    made = difference(after, before, mark_base=True, normalize=True)
    return made.replaced(time_nanos=profile.time_nanos, duration_nanos=profile.duration_nanos)


def changes_document(
    report: Report, repeated: RepeatedSums | None = None, sampled: Report | None = None
) -> dict[str, Any]:
    """Return the functions whose amount changed most; totals of both sides, and whether they were made equal.

    A function's amounts are its own (`flat`), those with its callees (`cum`), and, where the profile has both the
    project's code and others', its own with those of the others' code that it called (`code`), for the project's
    functions; `keys` are those that there are. `sampled` is the same report before totals were made equal: from it
    come the samples of each amount, where the profile counts them, and whether they are too few to tell a change from
    sampling error.

    With `repeated`, amounts are the means of a profile, what moved beyond chance stands first, and `repeats` says how
    many profiles there are and what was tested.
    """
    sums, totals = (_sums_of_sides(report), totals_of(report)) if repeated is None else _means(repeated)
    keys = [key for key in KEYS if key != "code" or mixes_code(report.profile, report.table)]
    ordered = {key: sorted(sums, key=lambda name: (-abs(sums[name].change(key)), name)) for key in keys}
    kept = {name for names in ordered.values() for name in names[:MAX_ROWS]}
    if repeated is not None:
        kept.update(name for name in sums if any(_moved(repeated.p_values[key], name) for key in keys))
    weights = None if repeated is not None or sampled is None else _Weights.of(sampled, totals)
    rows = [
        _row(report, name, sums[name], repeated, weights, keys) for name in ordered["flat"] if name in kept
    ]
    return {
        "keys": keys,
        "rows": rows,
        "count": len(sums),
        "before": amount_text(report, totals[0]),
        "after": amount_text(report, totals[1]),
        "change": change_text(totals[0], totals[1]),
        "normalised": report.options.normalize,
        "repeats": None if repeated is None else _repeats(repeated, keys),
    }


class Sides:
    """Amounts of one function before and after, by key; `function` is its name without its file."""

    __slots__ = ("amounts", "function")

    def __init__(self, function: str) -> None:
        self.function = function
        self.amounts: dict[str, list[int]] = {key: [0, 0] for key in KEYS}

    def change(self, key: str) -> int:
        """Return the amount after less the amount before."""
        before, after = self.amounts[key]
        return after - before


def _sums_of_sides(report: Report, values: Values | None = None) -> dict[str, Sides]:
    sums: dict[str, Sides] = {}
    for side, profile in enumerate(split(report.profile)):
        chosen = (values or report.values).of(profile.columns)
        for name, (function, amounts) in sum_functions(report.table, chosen).items():
            found = sums.setdefault(name, Sides(function))
            for key, amount in zip(KEYS, amounts, strict=True):
                found.amounts[key][side] += amount
    return sums


class _Weights:
    """How many samples the amounts stand for.

    `share` is the part of all samples that would be of after if nothing had changed.
    """

    def __init__(self, counts: dict[str, Sides], share: float) -> None:
        self.counts, self.share = counts, share

    @classmethod
    def of(cls, report: Report, totals: tuple[int, int]) -> _Weights | None:
        """Return the weights of a report that is shown with these totals; None if samples are not counted."""
        counted = sample_counts(report)
        if counted is None:
            return None
        index, unit = counted
        counts = _sums_of_sides(report, Values(report.columns, index))
        for sides in counts.values():
            for pair in sides.amounts.values():
                pair[:] = [round(value / unit) for value in pair]
        before, after = (
            total * unit / (sum(profile.columns.values[index]) or unit)
            for total, profile in zip(totals, split(report.profile), strict=True)
        )
        return cls(counts, before / (before + after) if before > 0 and after > 0 else 0.5)


def sample_counts(report: Report) -> tuple[int, int] | None:
    """Return the column from which samples are counted and the value of one sample, None if the profile has none."""
    profile = report.profile
    for index, kind in enumerate(profile.sample_types):
        if (kind.type, kind.unit) == ("samples", "count"):
            return index, 1
    kind = profile.sample_types[report.values.index]
    if profile.period > 0 and profile.period_type == kind:
        return report.values.index, profile.period
    return None


def is_noise(before: int, after: int, share: float) -> bool:
    """Return whether the change between two numbers of samples may be sampling error (two-sided, `ALPHA`).

    If nothing changed, each of the samples is one of after with probability `share`: the binomial test.
    """
    count = before + after
    if not 0 < share < 1 or not count:
        return True
    if count > _EXACT:
        spread = math.sqrt(count * share * (1 - share))
        return abs(after - count * share) < NormalDist().inv_cdf(1 - ALPHA / 2) * spread
    below = range(after + 1) if after <= count * share else range(after, count + 1)
    tail = math.fsum(math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in below)
    return 2 * tail > ALPHA


def totals_of(report: Report) -> tuple[int, int]:
    """Return the sums of the samples of both sides, before and after."""
    before, after = (sum(profile.columns.values[report.values.index]) for profile in split(report.profile))
    return before, after


def bases_of(profile: Profile, values: Values) -> tuple[int, int]:
    """Return the totals before and after that shares of a side refer to, as `Report.total` is that of before."""
    columns = profile.columns
    is_base = columns.mask_of(_is_base)
    values = values.of(columns)
    before, after = (
        quotient(sum(map(abs, compress(values.amounts, mask))), sum(compress(values.divisors, mask)))
        for mask in (is_base, bytes(not marked for marked in is_base))
    )
    return before, after


def _means(repeated: RepeatedSums) -> tuple[dict[str, Sides], tuple[int, int]]:
    sums = {name: Sides(function) for name, function in repeated.functions.items()}
    for key, amounts in repeated.amounts.items():
        for name, each in amounts.items():
            sums[name].amounts[key] = [*map(round, each.means)]
    before, after = map(round, repeated.totals.means)
    return sums, (before, after)


def _moved(p_values: dict[str, float], name: str) -> bool:
    return p_values.get(name, 1.0) <= ALPHA


def _repeats(repeated: RepeatedSums, keys: list[str]) -> dict[str, Any]:
    tests = {key: repeated.p_values[key] for key in keys}
    return {
        "before": len(repeated.totals.before),
        "after": len(repeated.totals.after),
        "tested": {key: len(p_values) for key, p_values in tests.items()},
        "moved": {key: sum(p <= ALPHA for p in p_values.values()) for key, p_values in tests.items()},
        "canTell": repeated.can_tell,
        "needed": {key: repeated.needed(len(p_values)) for key, p_values in tests.items()},
    }


def amount_text(report: Report, value: int) -> str:
    """Return an amount in the unit that suits it."""
    return label(report.divided(value), report.sample_unit)


def _signed(report: Report, value: int) -> str:
    return ("+" if value > 0 else "") + amount_text(report, value)


def _row(
    report: Report,
    name: str,
    sums: Sides,
    repeated: RepeatedSums | None,
    weights: _Weights | None,
    keys: list[str],
) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "function": sums.function}
    for key in keys:
        before, after = sums.amounts[key]
        row[key] = {
            "before": amount_text(report, before),
            "after": amount_text(report, after),
            "change": _signed(report, after - before),
            "percent": change_text(before, after),
            "value": after - before,
        }
        if weights is not None:
            samples = weights.counts[name].amounts[key] if name in weights.counts else [0, 0]
            row[key] |= {"samples": samples, "noise": is_noise(samples[0], samples[1], weights.share)}
        if repeated is not None:
            p = repeated.p_values[key].get(name)
            row[key] |= {
                "p": None if p is None else format_p(p),
                "moved": _moved(repeated.p_values[key], name),
                "each": [[round(value) for value in side] for side in repeated.amounts[key][name]],
            }
    return row


def format_p(p: float) -> str:
    """Return an adjusted p-value as `benchstat` prints one; never 0, which no test of so few profiles could show."""
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"


def change_text(before: int, after: int) -> str:
    """Return the change as a share of before; `new` or `gone` if one side has none."""
    if before == after:
        return "0%"
    if not before:
        return "new"
    if not after:
        return "gone"
    sign = "+" if after > before else "-"
    if abs(after - before) < _SMALLEST_SHOWN * abs(before):
        return f"{sign}<{_SMALLEST_SHOWN:.2%}"
    return f"{sign}{percentage(after - before, before).strip()}"
