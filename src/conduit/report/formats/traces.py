"""`-traces`: every sample with its labels and its complete stack, in the profile's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile import loops
from conduit.profile.columns import LabelTable
from conduit.profile.measurement import label, quotient
from conduit.report.frames import FrameTable, detail_for
from conduit.report.report import encoded_lines, profile_labels

if TYPE_CHECKING:
    from conduit.report.report import Report

_INDENT = b" " * 13
_SEPARATOR = "-----------+-------------------------------------------------------"


def print_traces(report: Report) -> bytes:
    """Return the text of the report; recursion is shown in full, paths are those of the profile."""
    columns = report.columns
    heads = _texts_of_locations(report)
    # A stack's first frame stands behind its value, every other one behind an indent.
    rest = [_INDENT + text for text in heads]
    labels = _label_lines(report, LabelTable.of(columns.label_sets))
    amounts: dict[int, bytes] = {}
    before = []
    depths = map(int.__sub__, columns.stops.tolist(), columns.starts.tolist())
    for depth, value, divisor, number in zip(
        depths, report.values.amounts, report.values.divisors, columns.label_of, strict=True
    ):
        value = quotient(value, divisor)
        amount = amounts.get(value)
        if amount is None:
            amount = amounts[value] = f"{report.amount(value):>10}   ".encode()
        before.append(labels[number] + amount if depth else b"")
    # Joined with the stacks, because a copy of all that text takes as long as a tenth of the report.
    start, end = encoded_lines(["\n".join(profile_labels(report))]), encoded_lines([_SEPARATOR])
    if not before:
        return start + end
    before[0] = start + before[0]
    after = [b""] * (len(before) - 1) + [end]
    return loops.join_texts(columns.bounds, columns.frames, heads, rest, before, after)


def _texts_of_locations(report: Report) -> list[bytes]:
    """Return the lines of each location's frames, all but the first indented."""
    options = report.options
    table = FrameTable(report.profile, detail_for(options))
    names = table.names
    texts = []
    for location in report.profile.locations:
        *inlined, last = table.of_location[location]
        lines = [*(f"{names[number]} (inline)" for number in inlined), names[last]]
        texts.append(_INDENT.join(encoded_lines([line]) for line in lines))
    return texts


def _label_lines(report: Report, table: LabelTable) -> list[bytes]:
    """Return for each set of labels the separator and a line for each label."""
    units = report.label_units

    def number_text(key: str, number: int, _: str | None) -> bytes:
        return label(number, units.get(key, "")).encode()

    marks = encoded_lines([_SEPARATOR]), b"", b"\n", b"", b"\n"
    return loops.join_labels(table.runs, table.rows, table.strings, marks, _head_of, number_text)


def _head_of(key: str) -> bytes:
    return f"{key:>10}:  ".encode("utf-8", "surrogateescape")
