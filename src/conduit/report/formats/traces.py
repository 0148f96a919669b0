"""`-traces`: every sample with its labels and its whole stack, in the profile's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile.measurement import label
from conduit.report.division import quotient
from conduit.report.frames import FrameTable, detail_of
from conduit.report.header import profile_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.profile.model import Sample
    from conduit.report.report import Report

_SEPARATOR = "-----------+-------------------------------------------------------"


def print_traces(report: Report) -> Iterator[str]:
    """The report's lines; recursion is shown in full, paths as the profile has them."""
    options = report.options
    detail = detail_of(
        options.granularity, inlined=not options.noinlines, columns=options.showcolumns, object_files=False
    )
    table = FrameTable(report.profile, detail)
    names = [frame.printable_name for frame in table.frames]
    yield "\n".join(profile_labels(report))
    for sample in report.profile.samples:
        stack = [
            names[number] + (" (inline)" if place != len(numbers) - 1 else "")
            for location in sample.locations
            for numbers in (table.of_location[location],)
            for place, number in enumerate(numbers)
        ]
        if not stack:
            continue
        yield _SEPARATOR
        yield from _label_lines(report, sample)
        value, divisor = report.values.of(sample)
        yield f"{report.amount(quotient(value, divisor)):>10}   {stack[0]}"
        yield from (f"             {name}" for name in stack[1:])
    yield _SEPARATOR


def _label_lines(report: Report, sample: Sample) -> Iterator[str]:
    yield from sorted(f"{key:>10}:  {' '.join(values)}" for key, values in sample.labels.items())
    yield from sorted(
        f"{key:>10}:  {' '.join(label(value, report.label_units.get(key, '')) for value in values)}"
        for key, values in sample.numeric_labels.items()
    )
