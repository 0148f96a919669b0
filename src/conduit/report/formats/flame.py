"""The frames of a flame graph, which its boxes stand for.

A `Source` is a function (or a line or file, depending on the granularity), possibly inlined. Sources are numbered in
the order in which pprof's flame graph meets them, reading each stack from the root; number 0 is the root itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit.interruption import interruptible
from conduit.profile import loops
from conduit.profile.measurement import scale
from conduit.report.frames import Detail, detail_for, trim_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.profile.model import Line
    from conduit.report.report import Report


class Source(NamedTuple):
    """A frame that boxes stand for.

    `start_line` is where its function begins, 0 if that is unknown, or if it is of several functions or of no whole
    one.
    """

    full_name: str
    file_name: str = ""
    inlined: bool = False
    start_line: int = 0


class Flame:
    """The sources of a report. A value times `scale` is in `unit` (empty if the unit is a count).

    `sources_of[location]` are the numbers of a location's lines, the caller first; empty if the location is on no
    stack.
    """

    __slots__ = ("scale", "sources", "sources_of", "total", "type", "unit")

    def __init__(self, report: Report) -> None:
        factor, unit = scale(1, report.sample_unit, "default")
        self.total: int = report.total
        self.scale: float = factor * report.ratio if report.ratio > 0 else factor
        self.type: str = report.sample_type
        self.unit: str = "" if unit == "default" else unit
        self.sources: list[Source] = [Source("root")]
        numbers = _Sources(report, self.sources)
        columns, locations = report.columns, report.profile.locations
        self.sources_of: list[list[int]] = [[] for _ in locations]
        used = loops.first_uses(columns.bounds, columns.frames, len(locations), True)
        for index in interruptible(memoryview(used).cast("I")):
            self.sources_of[index] = list(numbers.of(locations[index].lines))


class _Sources:
    """Numbers sources in the order in which they are met."""

    def __init__(self, report: Report, sources: list[Source]) -> None:
        options = report.options
        self._detail: Detail = detail_for(options)
        self._trim, self._source_path = options.trim_path, options.source_path
        self._sources = sources
        self._numbers: dict[tuple[str, str, int, int, bool], int] = {}
        self._unknown = 0

    def of(self, lines: list[Line]) -> Iterator[int]:
        """Yield the source numbers of a location's lines, the caller first."""
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
        begins = function.start_line if function is not None and name and file and not number else 0
        known = self._numbers.get(key)
        if known is None:
            known = self._numbers[key] = len(self._sources)
            self._sources.append(self._source(key)._replace(start_line=begins))
        elif self._sources[known].start_line != begins:
            self._sources[known] = self._sources[known]._replace(start_line=0)
        return known

    def _source(self, key: tuple[str, str, int, int, bool]) -> Source:
        name, file, line, column, inlined = key
        file = trim_path(file, self._trim, self._source_path)
        place = f":{line}:{column}" if column else f":{line}" if line else ""
        return Source((name or file) + place, file, inlined)
