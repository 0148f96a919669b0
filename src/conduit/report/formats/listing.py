"""`-list`: the source of the matching functions, each line with its values; `-disasm` reports an error.

`-disasm` prints pprof's error message for a profile without a binary, because Python code has no machine code to list.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from conduit.interruption import interruptible
from conduit.profile import loops
from conduit.profile.columns import runs_of
from conduit.report.errors import NoMatchError
from conduit.report.source_files import SourceFiles, SourceUnavailableError, is_notebook_cell
from conduit.report.trimming import whole_graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conduit.report.graph import Node
    from conduit.report.report import Report

_MARGIN = (
    5  # lines shown after the last one with samples, and before the first if the function's start is unknown
)
_MAX_PYTHONS = 100  # mappings of a profile that are looked at for recorded Pythons


class ListedLine(NamedTuple):
    """A source line with its values; 0 if it has no samples. `text` is empty where the source is not available."""

    number: int
    text: str
    flat: int
    cum: int


class Listing(NamedTuple):
    """One function in one file. `cum` counts a sample once, even if the function recurs in it.

    `lines` is empty if the source is not available; `error` then has the reason, and `numbered` the lines that have
    samples, without their text. `moved` says which samples are at other lines than the recorded ones, if any are.
    """

    function: str
    file: str
    flat: int
    cum: int
    lines: list[ListedLine]
    error: str
    numbered: Sequence[ListedLine] = ()
    moved: str = ""


def compute_listings(report: Report) -> list[Listing]:
    """Return the listings of all functions whose name matches, by name and then by file.

    A function without a source file has one listing with an empty `file`. Raise `NoMatchError` if no function matches.
    """
    matches = report.matches
    assert matches is not None, "a listing needs a regular expression"
    by_name: dict[str, list[Node]] = {}
    for node in interruptible(whole_graph(report)):
        if matches(node.frame.name):
            by_name.setdefault(node.frame.name, []).append(node)
    if not by_name:
        raise NoMatchError(f"no matches found for regexp: {report.argument}")
    cums = _cums(report, set(by_name))
    files = SourceFiles(
        report.options.source_path,
        report.options.trim_path,
        anywhere=report.options.source_anywhere,
        pythons=[mapping.filename for mapping in report.profile.mappings[:_MAX_PYTHONS]],
    )
    return [
        listing
        for name in interruptible(sorted(by_name))
        for listing in _of_function(name, by_name[name], cums, files)
    ]


def _cums(report: Report, names: set[str]) -> dict[tuple[str, str], int]:
    """Return the value of the samples that contain each function (name, file), each sample once."""
    table, profile = report.table, report.profile
    keys: dict[tuple[str, str], int] = {}
    key_of = [
        keys.setdefault((frame.name, frame.file), len(keys)) if frame.name in names else -1
        for frame in interruptible(table.frames)
    ]
    rows = (
        dict.fromkeys(key_of[number] for number in table.of_location[location] if key_of[number] >= 0)
        for location in interruptible(profile.locations)
    )
    columns, values = report.columns, report.values
    _, cums = loops.sum_stacks(
        columns.bounds,
        columns.frames,
        values.amounts,
        values.divisors,
        *runs_of(map(list, rows)),
        len(keys),
    )
    return dict(zip(keys, cums, strict=True))


def _of_function(
    name: str, nodes: list[Node], cums: dict[tuple[str, str], int], files: SourceFiles
) -> Iterator[Listing]:
    by_file: dict[str, list[Node]] = {}
    for node in nodes:
        if node.frame.file:
            by_file.setdefault(node.frame.file, []).append(node)
    if not by_file:
        yield Listing(name, "", 0, 0, [], f"No source information for {name}")
    for file in sorted(by_file):
        flat = sum(node.flat for node in by_file[file])
        listing = Listing(name, file, flat, cums.get((name, file), 0), [], "")
        yield _annotated(listing, files, by_file[file])


def _annotated(listing: Listing, files: SourceFiles, nodes: list[Node]) -> Listing:
    """Return the listing with the lines that the nodes of its function have."""
    if min(_start(node) for node in nodes) > max(node.frame.line for node in nodes) + _MARGIN:
        return listing  # lines before the function's start: nothing to show, and so nothing to miss
    try:
        source = files.lines(listing.file)
    except SourceUnavailableError as error:
        flat, cum = _sums(nodes, {})
        numbers = sorted(number for number in cum if number > 0)
        numbered = [ListedLine(number, "", flat[number], cum[number]) for number in numbers]
        return listing._replace(error=str(error), numbered=numbered)
    moves = _moves(listing.function, nodes, source)
    flat, cum = _sums(nodes, moves)
    first = min(_start(node) + moves.get(node.frame.start_line, 0) for node in nodes)
    lines = [
        ListedLine(number, source[number - 1], flat.get(number, 0), cum.get(number, 0))
        for number in range(first, min(max(cum) + _MARGIN, len(source)) + 1)
    ]
    return listing._replace(lines=lines, moved=_told(moves))


def _start(node: Node) -> int:
    return max(1, node.frame.start_line or node.frame.line - _MARGIN)


def _sums(nodes: list[Node], moves: Mapping[int, int]) -> tuple[dict[int, int], dict[int, int]]:
    flat: dict[int, int] = {}
    cum: dict[int, int] = {}
    for node in nodes:
        line = node.frame.line + moves.get(node.frame.start_line, 0)
        flat[line] = flat.get(line, 0) + node.flat
        cum[line] = cum.get(line, 0) + node.cum
    return flat, cum


def _moves(function: str, nodes: list[Node], source: Sequence[str]) -> dict[int, int]:
    """Return by how many lines samples are moved, by the start of the function when they were recorded.

    In two versions of a file, a Python function may start at different lines, and the text of one of them is here. The
    samples of the other are shown at the same distance from the start. Nothing is moved where more than one of the
    starts is a definition of the function here (a property's getter and setter have one name).
    """
    starts = {node.frame.start_line for node in nodes if node.frame.start_line > 0}
    if len(starts) < 2:
        return {}
    name = function.rpartition(".")[2]
    here = [start for start in starts if _is_definition(source, start, name)]
    return {start: here[0] - start for start in starts if start != here[0]} if len(here) == 1 else {}


def _is_definition(source: Sequence[str], start: int, name: str) -> bool:
    """Return whether the definition of a Python function, or a decorator before it, is at a line."""
    definition = re.compile(rf"\s*(async\s+)?def\s+{re.escape(name)}\b")
    if start <= len(source) and source[start - 1].lstrip().startswith("@"):
        while start < len(source) and not re.match(r"\s*(async\s+)?def\b|\s*class\b", source[start - 1]):
            start += 1
    return start <= len(source) and definition.match(source[start - 1]) is not None


def _told(moves: Mapping[int, int]) -> str:
    return "; ".join(
        f"samples of the version in which the function started at line {start} are moved by {move:+d} lines"
        for start, move in sorted(moves.items())
    )


def print_listing(report: Report) -> Iterator[str]:
    """Yield the lines of the report."""
    listings = compute_listings(report)
    yield f"Total: {report.amount(report.total)}"
    for listing in listings:
        if not listing.file:
            yield listing.error
            continue
        yield f"ROUTINE ======================== {listing.function} in {listing.file}"
        yield (
            f"{report.amount(listing.flat):>10} {report.amount(listing.cum):>10} (flat, cum)"
            f" {report.share(listing.cum)} of Total"
        )
        if listing.error:
            yield f" Error: {listing.error}"
        if listing.moved:
            yield f" Note: {listing.moved}"
        # The number of a cell's line is enough to find it in the notebook.
        for line in listing.lines or (listing.numbered if is_notebook_cell(listing.file) else ()):
            flat, cum = report.amount_or_dot(line.flat), report.amount_or_dot(line.cum)
            yield f"{flat:>10} {cum:>10} {line.number:6d}:{line.text}"


def print_disassembly(report: Report) -> bytes:
    """Alway raise `NoMatchError`: Conduit does not read machine code."""
    raise NoMatchError(f"no matches found for regexp {report.argument}")
