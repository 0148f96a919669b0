"""`-collapsed`: one line a stack, `root;caller;leaf value`, as flame graph scripts and most viewers read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.report.frames import frames_of_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.report.report import Report


def compute_collapsed(report: Report) -> dict[tuple[str, ...], int]:
    """The value of every distinct stack of frame names, root first, in the order of first appearance.

    Values are in the profile's own unit, divided by `divide_by`; stacks that cancel out are left out.
    """
    names = [_plain(frame.printable_name) for frame in report.table.frames]
    stacks: dict[tuple[str, ...], int] = {}
    for sample, value, _ in report.values.weighted(report.profile.samples):
        numbers = frames_of_stack(report.table, sample.locations)
        path = tuple(names[number] for number in reversed(numbers))
        stacks[path] = stacks.get(path, 0) + value
    return {path: report.divided(value) for path, value in stacks.items() if value and path}


def _plain(name: str) -> str:
    """A name without what the format gives a meaning to."""
    return name.replace(";", ":").replace("\n", " ")


def print_collapsed(report: Report) -> Iterator[str]:
    """The report's lines, in alphabetical order so that two of them can be compared by `diff`."""
    yield from sorted(f"{';'.join(path)} {value}" for path, value in compute_collapsed(report).items())
