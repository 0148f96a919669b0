"""A profile compared with a base: the two sides apart, scaled to the same total on request, and what changed most."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any

from conduit.profile.measurement import label, percentage, quotient
from conduit.profile.merge import difference, scale_values
from conduit.report.graph import sum_frames
from conduit.report.node_tags import BASE_LABEL
from conduit.web.repeats import ALPHA

if TYPE_CHECKING:
    from conduit.profile.label_sets import LabelSet
    from conduit.profile.model import Profile
    from conduit.report.graph import Values
    from conduit.report.report import Report
    from conduit.web.repeats import RepeatedSums

MAX_ROWS = 300  # that changed most by what they took themselves, and as many by what they took in all


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


def changes_document(report: Report, repeated: RepeatedSums | None = None) -> dict[str, Any]:
    """Return the functions whose amount changed most; totals of both sides, and whether they were made equal.

    With `repeated`, amounts are the means of a profile, what moved beyond chance stands first, and `repeats` says how
    many profiles there are and what was tested.
    """
    sums, totals = (_sums_of_sides(report), totals_of(report)) if repeated is None else _means(repeated)
    by_flat = sorted(sums, key=lambda name: (-abs(sums[name][1] - sums[name][0]), name))
    by_cum = sorted(sums, key=lambda name: (-abs(sums[name][3] - sums[name][2]), name))
    kept = {*by_flat[:MAX_ROWS], *by_cum[:MAX_ROWS]}
    if repeated is not None:
        kept.update(name for name in sums if _moved(repeated.p_flat, name) or _moved(repeated.p_cum, name))
    rows = [_row(report, name, sums[name], repeated) for name in by_flat if name in kept]
    return {
        "rows": rows,
        "count": len(sums),
        "before": amount_text(report, totals[0]),
        "after": amount_text(report, totals[1]),
        "change": change_text(totals[0], totals[1]),
        "normalised": report.options.normalize,
        "repeats": None if repeated is None else _repeats(repeated),
    }


def _sums_of_sides(report: Report) -> dict[str, list[int]]:
    """Flat before and after, cumulative before and after, of each function."""
    sums: dict[str, list[int]] = {}
    for side, profile in enumerate(split(report.profile)):
        for node in sum_frames(profile, report.table, report.values):
            row = sums.setdefault(node.name, [0, 0, 0, 0])
            row[side] += node.flat_value
            row[2 + side] += node.cum_value
    return sums


def totals_of(report: Report) -> tuple[int, int]:
    """Return the sums of the samples of both sides, before and after."""
    before, after = (sum(profile.columns.values[report.values.index]) for profile in split(report.profile))
    return before, after


def bases_of(profile: Profile, values: Values) -> tuple[int, int]:
    """Return the totals before and after that shares of a side refer to, as `Report.total` is that of before."""
    columns = profile.columns
    is_base = columns.mask_of(_is_base)
    value, divisor = values.columns_of(columns)
    before, after = (
        quotient(sum(map(abs, compress(value, mask))), sum(compress(divisor, mask)))
        for mask in (is_base, bytes(not marked for marked in is_base))
    )
    return before, after


def _means(repeated: RepeatedSums) -> tuple[dict[str, list[int]], tuple[int, int]]:
    sums = {
        name: [*map(round, repeated.flat[name].means), *map(round, repeated.cum[name].means)]
        for name in repeated.flat
    }
    before, after = map(round, repeated.totals.means)
    return sums, (before, after)


def _moved(p_values: dict[str, float], name: str) -> bool:
    return p_values.get(name, 1.0) <= ALPHA


def _repeats(repeated: RepeatedSums) -> dict[str, Any]:
    tests = {"flat": repeated.p_flat, "cum": repeated.p_cum}
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


def _row(report: Report, name: str, sums: list[int], repeated: RepeatedSums | None) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name}
    for key, before, after in (("flat", sums[0], sums[1]), ("cum", sums[2], sums[3])):
        row[key] = {
            "before": amount_text(report, before),
            "after": amount_text(report, after),
            "change": _signed(report, after - before),
            "percent": change_text(before, after),
            "value": after - before,
        }
    if repeated is not None:
        for key, amounts, p_values in (
            ("flat", repeated.flat[name], repeated.p_flat),
            ("cum", repeated.cum[name], repeated.p_cum),
        ):
            p = p_values.get(name)
            row[key] |= {
                "p": None if p is None else format_p(p),
                "moved": _moved(p_values, name),
                "each": [[round(value) for value in side] for side in amounts],
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
    return f"{'+' if after > before else '-'}{percentage(after - before, before).strip()}"
