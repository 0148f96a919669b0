"""`-traces`: every sample with its labels and its whole stack, in the profile's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile import loops
from conduit.profile.measurement import label
from conduit.report.division import quotient
from conduit.report.frames import FrameTable, detail_of
from conduit.report.header import profile_labels
from conduit.report.report import encoded_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.profile.label_sets import LabelSet
    from conduit.report.report import Report

_INDENT = b" " * 13
_SEPARATOR = "-----------+-------------------------------------------------------"


def print_traces(report: Report) -> bytes:
    """The report's text; recursion is shown in full, paths as the profile has them."""
    columns = report.profile.columns
    heads = _texts_of_locations(report)
    # A stack's first frame stands behind its value, every other one behind an indent.
    rest = [_INDENT + text for text in heads]
    labels = [encoded_lines([_SEPARATOR, *_label_lines(report, labels)]) for labels in columns.label_sets]
    amounts: dict[int, bytes] = {}
    before = []
    depths = map(int.__sub__, columns.starts[1:].tolist(), columns.starts.tolist())
    for depth, value, divisor, number in zip(
        depths, *report.values.columns_of(columns), columns.label_of, strict=True
    ):
        value = quotient(value, divisor)
        amount = amounts.get(value)
        if amount is None:
            amount = amounts[value] = f"{report.amount(value):>10}   ".encode()
        before.append(labels[number] + amount if depth else b"")
    stacks = loops.join_texts(columns.starts, columns.frames, heads, rest, before, [b""] * len(columns))
    return encoded_lines(["\n".join(profile_labels(report))]) + stacks + encoded_lines([_SEPARATOR])


def _texts_of_locations(report: Report) -> list[bytes]:
    """The lines of each location's frames, all but the first behind an indent."""
    options = report.options
    detail = detail_of(
        options.granularity, inlined=not options.noinlines, columns=options.showcolumns, object_files=False
    )
    table = FrameTable(report.profile, detail)
    names = [frame.printable_name for frame in table.frames]
    texts = []
    for location in report.profile.locations:
        *inlined, last = table.of_location[location]
        lines = [*(f"{names[number]} (inline)" for number in inlined), names[last]]
        texts.append(_INDENT.join(encoded_lines([line]) for line in lines))
    return texts


def _label_lines(report: Report, labels: LabelSet) -> Iterator[str]:
    yield from sorted(f"{key:>10}:  {' '.join(values)}" for key, values in labels.labels.items())
    yield from sorted(
        f"{key:>10}:  {' '.join(label(value, report.label_units.get(key, '')) for value in values)}"
        for key, values in labels.numeric_labels.items()
    )
