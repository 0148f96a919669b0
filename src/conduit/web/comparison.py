"""A profile compared with a base: the two sides apart, scaled to the same total on request, and what changed most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.profile.measurement import label, percentage
from conduit.profile.merge import difference, scale_values
from conduit.report.graph import sum_frames
from conduit.report.node_tags import BASE_LABEL

if TYPE_CHECKING:
    from conduit.profile.label_sets import LabelSet
    from conduit.profile.model import Profile
    from conduit.report.report import Report

MAX_ROWS = 300  # that changed most by what they took themselves, and as many by what they took in all


def has_base(profile: Profile) -> bool:
    """Whether samples are marked as the base's, so that before and after can be told apart."""
    return any(_is_base(labels) for labels in profile.columns.used_sets())


def _is_base(labels: LabelSet) -> bool:
    return "true" in labels.labels.get(BASE_LABEL, ())


def split(profile: Profile) -> tuple[Profile, Profile]:
    """The base's samples with their own, positive values, and the others."""
    columns = profile.columns
    mask = columns.mask_of(_is_base)
    others = bytes(not marked for marked in mask)
    before = scale_values(profile.replaced(columns=columns.selected(mask)), -1)
    return before, profile.replaced(columns=columns.selected(others))


def normalised(profile: Profile) -> Profile:
    """The same comparison with the newer side scaled so that each type of values adds up to the base's."""
    before, after = split(profile)
    made = difference(after, before, mark_base=True, normalize=True)
    return made.replaced(time_nanos=profile.time_nanos, duration_nanos=profile.duration_nanos)


def changes_document(report: Report) -> dict[str, Any]:
    """The functions whose amount changed most; totals of both sides, and whether they were made equal."""
    before, after = split(report.profile)
    sums: dict[str, list[int]] = {}
    for side, profile in enumerate((before, after)):
        for node in sum_frames(profile, report.table, report.values):
            row = sums.setdefault(node.name, [0, 0, 0, 0])
            row[side] += node.flat_value
            row[2 + side] += node.cum_value
    totals = [_total(profile, report) for profile in (before, after)]
    by_flat = sorted(sums, key=lambda name: (-abs(sums[name][1] - sums[name][0]), name))
    by_cum = sorted(sums, key=lambda name: (-abs(sums[name][3] - sums[name][2]), name))
    kept = {*by_flat[:MAX_ROWS], *by_cum[:MAX_ROWS]}
    return {
        "rows": [_row(report, name, sums[name]) for name in by_flat if name in kept],
        "count": len(sums),
        "before": _amount(report, totals[0]),
        "after": _amount(report, totals[1]),
        "change": _change(totals[0], totals[1]),
        "normalised": report.options.normalize,
    }


def _total(profile: Profile, report: Report) -> int:
    return sum(profile.columns.values[report.values.index])


def _amount(report: Report, value: int) -> str:
    return label(report.divided(value), report.sample_unit)


def _signed(report: Report, value: int) -> str:
    return ("+" if value > 0 else "") + _amount(report, value)


def _row(report: Report, name: str, sums: list[int]) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name}
    for key, before, after in (("flat", sums[0], sums[1]), ("cum", sums[2], sums[3])):
        row[key] = {
            "before": _amount(report, before),
            "after": _amount(report, after),
            "change": _signed(report, after - before),
            "percent": _change(before, after),
            "value": after - before,
        }
    return row


def _change(before: int, after: int) -> str:
    """How much more or less, as a share of before."""
    if before == after:
        return "0%"
    if not before:
        return "new"
    if not after:
        return "gone"
    return f"{'+' if after > before else '-'}{percentage(after - before, before).strip()}"
