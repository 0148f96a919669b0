"""Excerpts of the source files that a document names, for the page as one file: bounded in size, without secrets.

Each location of the page's data gets the definition that starts there, or some lines around it. Resources and handlers
of routes come first; when the budget is used up, the remaining locations have none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from conduit.errors import ConduitError
from conduit.sources.collector.redaction import CodeRedactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAX_CHARACTERS = 1_500_000
_MAX_LINES = 80
"""Of one definition; a longer one is cut there, and its further locations have excerpts of their own."""
_AROUND = (2, 6)
_MAX_WIDTH = 400
_DEFINITION = re.compile(r"\s*(?:class|def|async\s+def)\b")


def source_excerpts(
    data: Mapping[str, Any], read: Callable[[int], str], most: int = MAX_CHARACTERS
) -> dict[str, Any]:
    """Return `excerpts`, the texts by the number of their file as `[first line, text]` in order, and `left_out`.

    `data`: of `page_data`. `read(number)` returns the text of a file and raises `ConduitError` where it cannot.
    `left_out` counts the locations whose file could be read, but for which no room was left in `most` characters.
    """
    lines = _Lines(read)
    redactor = CodeRedactor()
    ranges: dict[int, list[tuple[int, int]]] = defaultdict(list)
    room, left_out = most, 0
    for file, line in dict.fromkeys(_locations(data)):
        text = lines.of(file)
        if not 0 < line <= len(text) or _covered(ranges[file], line):
            continue
        first, last = _range(text, line)
        size = sum(min(len(each), _MAX_WIDTH) + 1 for each in text[first - 1 : last])
        if size > room:
            left_out += 1
            continue
        room -= size
        ranges[file].append((first, last))
    excerpts = {
        str(file): [[first, _text(lines.of(file), first, last, redactor)] for first, last in _merged(found)]
        for file, found in ranges.items()
        if found
    }
    return {"excerpts": excerpts, "left_out": left_out}


class _Lines:
    """The lines of files, each file read once; none of a file that cannot be read."""

    def __init__(self, read: Callable[[int], str]) -> None:
        self._read = read
        self._known: dict[int, list[str]] = {}

    def of(self, file: int) -> list[str]:
        if file not in self._known:
            try:
                self._known[file] = self._read(file).splitlines()
            except ConduitError:
                self._known[file] = []
        return self._known[file]


def _locations(data: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Yield (file, line) of all records, those that a reader asks for first at the beginning."""
    resources, tasks = data["resources"], data["tasks"]
    yield from _of_records(resources)
    yield from _of_routes(data["routes"])
    yield from _of_records(tasks)
    for kind in ("hooks", "validations", "relations", "fields"):
        for resource in resources:
            yield from _of_records(resource.get(kind, ()))
    for chain in data["routes"].get("chain", {"values": ()})["values"]:
        yield from _of_records(chain)


def _of_records(records: Any) -> Iterator[tuple[int, int]]:
    for record in records:
        if "file" in record and "line" in record:
            yield record["file"], record["line"]


def _of_routes(routes: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    files = routes.get("file")
    if files is None:
        return
    for at, line in zip(files["at"], routes["line"], strict=True):
        if line and files["values"][at]:
            yield files["values"][at][0], line


def _covered(ranges: list[tuple[int, int]], line: int) -> bool:
    return any(first <= line <= last for first, last in ranges)


def _range(lines: list[str], line: int) -> tuple[int, int]:
    """Return the first and last line, from 1, of the definition that starts at `line`, or of some lines around it."""
    start = line
    while start <= len(lines) and lines[start - 1].lstrip().startswith("@") and start - line < _MAX_LINES:
        start += 1  # a location may be that of the first decorator
    if start > len(lines) or not _DEFINITION.match(lines[start - 1]):
        return max(1, line - _AROUND[0]), min(len(lines), line + _AROUND[1])
    first = line
    while first > 1 and lines[first - 2].lstrip().startswith("@"):
        first -= 1
    return first, min(_end(lines, start), first + _MAX_LINES - 1)


def _end(lines: list[str], start: int) -> int:
    """Return the last line of the block whose head is at `start`: before the next line that is not indented more."""
    indent = _indent(lines[start - 1])
    last, in_head = start, True
    for number in range(start + 1, len(lines) + 1):
        text = lines[number - 1]
        if not text.strip():
            continue
        is_inside = _indent(text) > indent
        # The head of a long signature ends with a line like `) -> None:` at its own indentation.
        if not is_inside and not (in_head and text.lstrip()[0] in ")]"):
            break
        in_head = in_head and not text.rstrip().endswith(":")
        last = number
    return last


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the ranges in order, those that overlap or touch as one."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def _text(lines: list[str], first: int, last: int, redactor: CodeRedactor) -> str:
    shown = redactor.text("\n".join(lines[first - 1 : last])).split("\n")
    return "\n".join(each if len(each) <= _MAX_WIDTH else each[: _MAX_WIDTH - 1] + "…" for each in shown)
