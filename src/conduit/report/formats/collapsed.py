"""`-collapsed`: a line for each stack, `root;caller;leaf value`, which flame graph scripts and most viewers read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile import loops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.report.report import Report

NO_STACK = (
    "[no stack]"  # what samples without frames are put down to: the lines add up to the profile's total
)


def compute_collapsed(report: Report) -> dict[str, int]:
    """Return {stack: value} for every distinct stack of frame names (`root;leaf`), in the order of first appearance.

    Values are in the profile's own unit, divided by `divide_by`; stacks whose values cancel out are omitted.
    """
    columns, table = report.columns, report.table
    names = list(map(_plain, table.names))
    texts = [
        ";".join([names[number] for number in reversed(table.of_location[location])])
        for location in report.profile.locations
    ]
    groups, firsts = loops.group_stacks(columns.bounds, columns.frames, bytes(4 * len(columns)))
    sums = [0] * (memoryview(firsts).nbytes // 4)
    for value, group in zip(columns.values[report.values.index], memoryview(groups).cast("I"), strict=True):
        sums[group] += value
    stacks: dict[str, int] = {}
    for first, value in zip(memoryview(firsts).cast("I"), sums, strict=True):
        path = ";".join(map(texts.__getitem__, reversed(columns.stack(first)))) or NO_STACK
        stacks[path] = stacks.get(path, 0) + value
    return {path: report.divided(value) for path, value in stacks.items() if value}


def _plain(name: str) -> str:
    """Return a name without the characters that have a meaning in the format."""
    return name.replace(";", ":").replace("\n", " ")


def print_collapsed(report: Report) -> Iterator[str]:
    """Yield the lines of the report, in alphabetical order so that `diff` can compare two reports."""
    yield from sorted(f"{path} {value}" for path, value in compute_collapsed(report).items())
