"""Stacks for a flame graph: every sample as a path of sources from a common root, for the page to lay out.

The data are those of pprof's flame graph: a source is a function (or a line, or a file, as the granularity has
it) that may be inlined; each has names from long to short for boxes of any width, the places where it occurs
(its outermost one in a recursive stack), its own value, and a colour number from its package's name.
"""

from __future__ import annotations

import re
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING

from conduit.profile.measurement import scale
from conduit.report.formats.dot import shorten_name
from conduit.report.frames import Detail, clean_path, detail_of, trim_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.profile.model import Function, Line, Location
    from conduit.report.report import Report

_COLORS = 1048576
_SEPARATORS = re.compile(r"::|\.")
_PATH_SEPARATOR = re.compile("/")
# A Go package: all up to the first dot after the last slash; the same rule serves dotted names.
_PACKAGE = re.compile(r"^((?:.*/)?[\w\d_]+)(\.|::)([^/]*)$", re.ASCII)


class Source:
    """One kind of box. `places` are (stack, position) pairs; `display` holds its names, longest first."""

    __slots__ = ("color", "display", "file_name", "full_name", "inlined", "own", "places", "unique_name")

    def __init__(
        self, full_name: str, display: list[str], file_name: str = "", inlined: bool = False
    ) -> None:
        self.full_name = full_name
        self.display = display
        self.file_name = file_name
        self.unique_name = ""
        self.inlined = inlined
        self.places: list[tuple[int, int]] = []
        self.own = 0
        self.color = 0


class Stack:
    """One sample: its value and its sources (indices), the root first."""

    __slots__ = ("sources", "value")

    def __init__(self, value: int, sources: list[int]) -> None:
        self.value = value
        self.sources = sources


class Flame:
    """All stacks of a report. A value times `scale` is in `unit` (empty where the unit is a count)."""

    __slots__ = ("scale", "sources", "stacks", "total", "type", "unit")

    def __init__(self, total: int, scale: float, type: str, unit: str) -> None:
        self.total = total
        self.scale = scale
        self.type = type
        self.unit = unit
        self.stacks: list[Stack] = []
        self.sources = [Source("root", ["root"])]


def begin_flame(report: Report) -> tuple[Flame, list[list[int]]]:
    """A flame graph without its stacks, and every sample's sources below the root, the caller first."""
    factor, unit = scale(1, report.sample_unit, "default")
    if report.ratio > 0:
        factor *= report.ratio
    flame = Flame(report.total, factor, report.sample_type, "" if unit == "default" else unit)
    numbers = _Sources(report, flame.sources)
    known: dict[Location, tuple[int, ...]] = {}
    for sample in report.profile.samples:
        # Sources are numbered as the stacks are read from the root.
        for location in reversed(sample.locations):
            if location not in known:
                known[location] = tuple(numbers.of(location.lines))
    find = known.__getitem__
    samples = report.profile.samples
    return flame, [list(chain.from_iterable(map(find, reversed(sample.locations)))) for sample in samples]


def compute_flame(report: Report) -> Flame:
    """The stacks of a report, one for each sample in the profile's order."""
    flame, paths = begin_flame(report)
    for sample, path in zip(report.profile.samples, paths, strict=True):
        value, _ = report.values.of(sample)
        flame.stacks.append(Stack(value, [0, *path]))
    for number, stack in enumerate(flame.stacks):
        flame.sources[stack.sources[-1]].own += stack.value
        seen: set[int] = set()
        for position, source in enumerate(stack.sources):
            if source not in seen:
                seen.add(source)
                flame.sources[source].places.append((number, position))
    return flame


class _Sources:
    """Numbers the sources as they are met."""

    def __init__(self, report: Report, sources: list[Source]) -> None:
        options = report.options
        self._detail: Detail = detail_of(
            options.granularity,
            inlined=not options.noinlines,
            columns=options.showcolumns,
            object_files=False,
        )
        self._trim, self._source_path = options.trim_path, options.source_path
        self._sources = sources
        self._numbers: dict[tuple[str, str, int, int, bool], int] = {}
        self._names: set[str] = set()
        self._unknown = 0

    def of(self, lines: list[Line]) -> Iterator[int]:
        """The source numbers of a location's lines, the caller first."""
        if not self._detail.inlined:
            lines = lines[-1:]
        for place in range(len(lines) - 1, -1, -1):
            yield self._number(lines[place], inlined=place != len(lines) - 1)

    def _number(self, line: Line, inlined: bool) -> int:
        function, detail = line.function, self._detail
        if function is None:
            self._unknown += 1
            name, file = f"?{self._unknown}?", ""
        else:
            name = function.name if detail.function else ""
            file = function.filename if detail.filename else ""
        number = line.line if detail.line else 0
        column = line.column if detail.column else 0
        key = (name, file, number, column, inlined)
        known = self._numbers.get(key)
        if known is None:
            known = self._numbers[key] = len(self._sources)
            self._sources.append(self._source(key, function))
        return known

    def _source(self, key: tuple[str, str, int, int, bool], function: Function | None) -> Source:
        name, file, line, column, inlined = key
        file = trim_path(file, self._trim, self._source_path)
        place = f":{line}:{column}" if column else f":{line}" if line else ""
        full_name = (name or file) + place
        source = Source(full_name, _display(full_name, is_file=not name), file, inlined)
        source.color = _color(_package(name) if name else _directory(file))
        # A second source of the same name gets another one, so that a click finds the right one.
        source.unique_name = full_name
        if full_name in self._names:
            source.unique_name += f"#{function.id if function else 0}"
        self._names.add(full_name)
        return source


def _display(name: str, *, is_file: bool) -> list[str]:
    if is_file:
        return _suffixes(clean_path(name), _PATH_SEPARATOR) if name else [""]
    return _suffixes(shorten_name(name), _SEPARATORS)


def _suffixes(name: str, separator: re.Pattern[str]) -> list[str]:
    """The name, and what is left of it after each separator."""
    rest = [name[match.end() :] for match in separator.finditer(name)]
    return [name, *(suffix for suffix in rest if suffix)]


def _package(name: str) -> str:
    match = _PACKAGE.match(name)
    return match[1] if match else ""


def _directory(path: str) -> str:
    head, slash, _ = path.rpartition("/")
    return clean_path(head) or ("/" if slash else ".")


def _color(key: str) -> int:
    digest = sha256(key.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:4], "little") % _COLORS
