"""`conduit pprof -changes`: which functions changed most, and which of the changes may be chance.

Of several profiles a side, the functions that moved beyond chance are named; of a single one, the changes that rest on
too few samples.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conduit.control_characters import printable
from conduit.report.pipeline import prepare_report
from conduit.units import counted
from conduit.web.comparison import changes_document, normalised
from conduit.web.repeats import ALPHA, sum_repeats

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.fetch.inputs import Repeats
    from conduit.profile.model import Profile
    from conduit.report.options import Options

_SHOWN = 20
_FEWEST = 4  # profiles a side, from which on a difference can be told from chance


def print_changes(
    profile: Profile, options: Options, say: Callable[[str], None], repeats: Repeats | None, *, as_json: bool
) -> None:
    """Print the functions as a table, those that moved first; at most `options.nodecount` (0: all; -1: 20)."""
    key = "cum" if options.sort == "cum" else "flat"
    most = _SHOWN if options.nodecount < 0 else options.nodecount
    options = options.copy(granularity=options.granularity or "filefunctions", trim=False)
    shown = normalised(profile) if options.normalize else profile
    report = prepare_report(shown, "top", options, say)
    sampled = report
    if options.normalize:  # scaled samples are no counts
        sampled = prepare_report(profile, "top", options.copy(normalize=False), lambda _: None)
    document = changes_document(report, sum_repeats(*repeats, options) if repeats else None, sampled)
    if as_json:
        print(json.dumps(document, indent=2))
        return
    for line in _header(document, report.sample_type, key):
        print(printable(line))
    for line in _table(document, key, most):
        print(printable(line))


def _header(document: dict[str, Any], type: str, key: str) -> list[str]:
    kind = "with callees" if key == "cum" else "by themselves"
    scaled = ", after scaled to the total before" if document["normalised"] else ""
    totals = f"{document['before']} before, {document['after']} after ({document['change']}){scaled}"
    repeats = document["repeats"]
    if repeats is None:
        counted = any("noise" in row[key] for row in document["rows"])
        single = (
            "May be noise: so few samples may differ by chance (test at 5%). Runs differ as well, which a single "
            "profile of each side does not show"
            if counted
            else "A single profile on a side does not show which changes are chance"
        )
        return [
            f"Changes of {type}, functions {kind}: {totals}",
            f"{single}: give {_FEWEST} or more of each, -diff_base=OLD1,OLD2,... NEW1 NEW2 ...",
        ]
    return [
        f"Changes of {type}, functions {kind}, mean of a profile: {totals}",
        f"{repeats['before']} profiles before, {repeats['after']} after. " + moved_text(repeats, key),
    ]


def moved_text(repeats: dict[str, Any], key: str) -> str:
    """Return how many functions moved beyond chance, by which test."""
    if not repeats["canTell"]:
        return f"Too few to tell a change from chance: {_FEWEST} or more of each side are needed."
    moved, tested = repeats["moved"][key], repeats["tested"][key]
    functions = counted(tested, "function")
    needed = repeats["needed"][key]
    return (
        f"{moved:,} of {functions} tested moved beyond chance (U test, p adjusted for {functions}, p <= {ALPHA})."
        + (f" Few profiles: {needed} of each would show single ones." if needed else "")
    )


def _table(document: dict[str, Any], key: str, most: int) -> list[str]:
    rows = [row for row in document["rows"] if row[key]["value"]]
    if not rows:
        return ["No function changed."]
    rows.sort(key=lambda row: (not _is_sure(row[key]), -abs(row[key]["value"]), row["name"]))
    shown = rows[:most] if most else rows
    tested = document["repeats"] is not None
    marked = any(row[key].get("noise") for row in shown)
    cells = [
        ["before", "after", "change", "", *(["p", ""] if tested else [""] if marked else []), "function"],
        *([*_cells(row[key], tested=tested, marked=marked), row["name"]] for row in shown),
    ]
    widths = [max(map(len, column)) for column in list(zip(*cells, strict=True))[:-1]]
    lines = [
        "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in cells
    ]
    if len(shown) < len(rows):
        lines.append(f"{counted(len(rows) - len(shown), 'more function')} changed; -nodecount=0 shows all")
    return lines


def _is_sure(amounts: dict[str, Any]) -> bool:
    return bool(amounts["moved"] if "moved" in amounts else not amounts.get("noise"))


def _cells(amounts: dict[str, Any], *, tested: bool, marked: bool) -> list[str]:
    cells = [amounts["before"], amounts["after"], amounts["change"], amounts["percent"]]
    if tested:
        cells += [amounts["p"] or "-", "moved" if amounts["moved"] else "~"]
    elif marked:
        cells.append("may be noise" if amounts["noise"] else "")
    return cells
