"""The table of functions next to the flame graph: flat and cum of each, each sample counted once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.interruption import interruptible
from conduit.report.frames import clean_path
from conduit.report.trimming import whole_graph

if TYPE_CHECKING:
    from conduit.report.formats.flame import Flame
    from conduit.report.report import Report

MAX_ROWS = 1000  # the heaviest by what they took themselves, and as many by what they took in all


def function_rows(report: Report, flame: Flame) -> list[tuple[int, int, int]]:
    """Return rows of (number of the source, flat, cum), heaviest first; `report` has the flame graph's granularity.

    The sums are those of `-top`, of the whole profile, also where the picture leaves boxes out.
    """
    numbers: dict[tuple[str, str], int] = {}
    inlined: list[tuple[tuple[str, str], int]] = []  # functions that were only ever inlined
    for number, source in enumerate(interruptible(flame.sources)):
        key = (source.full_name, clean_path(source.file_name))
        if number and source.inlined:
            inlined.append((key, number))
        elif number:
            numbers.setdefault(key, number)
    for key, number in inlined:
        numbers.setdefault(key, number)
    rows: list[tuple[int, int, int]] = []
    for node in interruptible(whole_graph(report)):
        frame = node.frame
        place = (f":{frame.line}:{frame.column}" if frame.column else f":{frame.line}") if frame.line else ""
        found = numbers.get(((frame.name or frame.file) + place, frame.file))
        if found is not None:
            rows.append((found, node.flat_value, node.cum_value))
    by_flat = sorted(rows, key=lambda row: (-abs(row[1]), -abs(row[2]), row[0]))
    by_cum = sorted(rows, key=lambda row: (-abs(row[2]), row[0]))
    kept = {row[0] for row in (*by_flat[:MAX_ROWS], *by_cum[:MAX_ROWS])}
    return [row for row in by_flat if row[0] in kept]
