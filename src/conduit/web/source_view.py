"""Source lines with their costs for the page: the heaviest functions, some at a time.

Which functions stand on a page is decided by sums alone; source files are read only for those. Of functions whose file
is not on this machine, the profile's line numbers are listed; why the text is missing is said once, not for each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from conduit.interruption import interruptible
from conduit.report.errors import NoMatchError
from conduit.report.formats.listing import ListedLine, compute_listings
from conduit.report.trimming import whole_graph
from conduit.units import counted

if TYPE_CHECKING:
    from conduit.report.formats.listing import Listing
    from conduit.report.report import Report

PAGE = 20  # functions
FILE_PAGE = 150  # in a file, which has one page only
OTHER_TYPE_PAGE = 25  # in a file, of each sample type that is not shown first: the same lines again
_LONG = 400  # lines; a listing of more has only those near samples
_HEAD, _AROUND = 5, 20  # of these, the first ones, and the lines before and after each with samples
_NAMED = 8  # of those without a file, how many are named
_DEFINITION = re.compile(r"\s*(?:(?:async\s+)?def|class)\b")


def source_document(report: Report, functions: Report, first: int, page: int = PAGE) -> dict[str, Any]:
    """Return the listings of `page` functions from number `first` on, heaviest first.

    The heaviest are those that took most themselves, then by total. `functions` is the same profile summed by
    function. Raises `NoMatchError` where the report's expression matches no function of the profile.
    """
    assert report.matches is not None
    sums: dict[str, tuple[int, int]] = {}
    for node in interruptible(whole_graph(functions)):
        if report.matches(node.frame.name):
            weight = (abs(node.flat_value), abs(node.cum_value))
            sums[node.frame.name] = max(sums.get(node.frame.name, weight), weight)
    if not sums and not any(
        report.matches(function.name) for function in interruptible(report.profile.functions)
    ):
        raise NoMatchError(f"no matches found for regexp: {report.argument}")
    names = sorted(sums, key=lambda name: (-sums[name][0], -sums[name][1], name))
    listings = _listings(report, frozenset(names[first : first + page]))
    return {
        "functions": [
            _document(report, listing) for listing in listings if listing.lines or listing.numbered
        ],
        "missing": _missing(report, [listing for listing in listings if listing.error]),
        "count": len(names),
        "first": first,
        "page": page,
    }


def lines_document(report: Report) -> dict[str, Any]:
    """Return the listings of the functions that match the report's expression.

    Each has its error if its file is not here. There are none where no line has samples, or none that changed.
    """
    try:
        listings = sorted(compute_listings(report), key=lambda listing: -abs(listing.cum))
    except NoMatchError:
        listings = []
    return {
        "functions": [{**_document(report, listing), "error": listing.error} for listing in listings[:PAGE]]
    }


def _listings(report: Report, names: frozenset[str]) -> list[Listing]:
    try:
        listings = compute_listings(report.matching(names.__contains__))
        return sorted(listings, key=lambda listing: (-abs(listing.flat), -abs(listing.cum)))
    except NoMatchError:
        return []  # they are in the profile, but have no value of this sample type


def _missing(report: Report, listings: list[Listing]) -> dict[str, Any] | None:
    if not listings:
        return None
    named = [
        {
            "name": listing.function,
            "file": listing.file or "no file",
            "percent": report.share(listing.cum).strip(),
        }
        for listing in listings[:_NAMED]
    ]
    return {"count": len(listings), "named": named, "reason": listings[0].error}


def _document(report: Report, listing: Listing) -> dict[str, Any]:
    whole = abs(report.total) or 1
    return {
        "name": listing.function,
        "file": listing.file or "no file",
        "flat": report.amount(listing.flat),
        "cum": report.amount(listing.cum),
        "percent": report.share(listing.cum).strip(),
        "textMissing": bool(listing.error),
        "moved": listing.moved,
        "lines": [
            {
                "number": line.number,
                "text": line.text,
                "flat": report.amount_or_dot(line.flat),
                "cum": report.amount_or_dot(line.cum),
                "share": abs(line.cum) / whole,
                "shrank": line.cum < 0,  # in a difference
            }
            if isinstance(line, ListedLine)
            else {
                "number": "…",
                "text": f"({counted(line, 'line')} without samples)",
                "flat": "",
                "cum": "",
                "share": 0.0,
            }
            for line in _without_gaps(_to_end(listing.lines) or [*listing.numbered])
        ],
    }


def _to_end(lines: list[ListedLine]) -> list[ListedLine]:
    """Return a listing without the lines that follow the function's last one; others than Python's stay as they are.

    Behind the last line with samples, the function ends where a line is indented as its `def` is, or less.
    """
    if not lines or not lines[0].text.lstrip().startswith(("@", "def ", "async ", "class ")):
        return lines
    start = next((at for at, line in enumerate(lines) if _DEFINITION.match(line.text)), len(lines))
    sampled = max((at for at, line in enumerate(lines) if line.flat or line.cum), default=0)
    indented = _indentation(lines[0].text)
    end = len(lines)
    for at in range(max(start, sampled) + 1, len(lines)):
        text = lines[at].text
        # A signature's closing bracket stands below its `def`.
        if text.strip() and _indentation(text) <= indented and text.lstrip()[0] not in ")]}#":
            end = at
            break
    while end > 1 and end > sampled + 1 and not lines[end - 1].text.strip():
        end -= 1
    return lines[:end]


def _indentation(text: str) -> int:
    return len(text) - len(text.lstrip())


def _without_gaps(lines: list[ListedLine]) -> list[ListedLine | int]:
    """Return the lines; of a long listing, in the place of lines far from any sample, their number.

    The body of a module or class that was run is its whole file, and a page may list a hundred of them.
    """
    if len(lines) <= _LONG:
        return list(lines)
    kept = set(range(_HEAD))
    for at, line in enumerate(lines):
        if line.flat or line.cum:
            kept.update(range(max(0, at - _AROUND), min(len(lines), at + _AROUND + 1)))
    shown: list[ListedLine | int] = []
    before = -1
    for at in [*sorted(kept), len(lines)]:
        if at > before + 1:
            shown.append(at - before - 1)
        if at < len(lines):
            shown.append(lines[at])
        before = at
    return shown
