"""For samples whose innermost frames belong to a library: the line of the program that led to them.

Time is spent and memory allocated inside libraries, on behalf of a line of the program: the innermost frame that is
neither a library's nor the standard library's. The search ends at a call from an event loop or a server: the frames
outside of it started the program's code, but did not request the work.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from conduit.report.ownership import PROJECT, owner_of

if TYPE_CHECKING:
    from conduit.profile.model import Location, Profile, Sample

# Of the standard library, what calls a program's code again and again: event loops and servers.
_DISPATCHERS = re.compile(r"/(?:asyncio/(?:base_)?events|asyncio/runners|socketserver|wsgiref/handlers)\.py$")
_STARTED_SCRIPTS = re.compile(r"/bin/[^/.]+$")  # what installers make of entry points: `…/bin/uvicorn`

_WITHIN = re.compile(
    r"\.<(?:locals|lambda|\w+comp|genexpr|module)>.*"
)  # of the name, what the line's function encloses


class Line(NamedTuple):
    """A line of source code; `file` is empty and `line` 0 where a profile does not say them."""

    function: str
    file: str
    line: int


def values_by_program_line(profile: Profile, index: int) -> list[tuple[Line, int]]:
    """Return the sums of one sample type by the line of the program that led there, the largest first.

    A line's own lambdas and comprehensions are part of it. Samples that no line of the program led to are in none of
    the sums.
    """
    origin_of = OriginFinder()
    sums: dict[Line, int] = defaultdict(int)
    for sample in profile.samples:
        led = origin_of(sample)
        if led:
            sums[led[1]] += sample.values[index]
    merged: dict[tuple[str, int, str], tuple[Line, int]] = {}
    for line, value in sums.items():
        place = (line.file, line.line, _WITHIN.sub("", line.function))
        other, sum_before = merged.get(place, (line, 0))
        outer = min(line, other, key=lambda one: (len(one.function), not one.function.endswith("<module>")))
        merged[place] = (outer, sum_before + value)
    return sorted(merged.values(), key=lambda row: (-row[1], row[0]))


class OriginFinder:
    """Finds the frame of a stack that is the program's own."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}

    def __call__(self, sample: Sample) -> tuple[int, Line] | None:
        """Return the frame's index, the leaf's being 0, and its line; None where no frame is the program's."""
        for index, location in enumerate(sample.locations):
            line = line_of(location)
            kind = self._kind(line)
            if kind == _DISPATCHER:
                return None
            if kind == PROJECT:
                return index, line
        return None

    def _kind(self, line: Line) -> str:
        kind = self._kinds.get(line.file)
        if kind is None:
            kind = self._kinds[line.file] = _kind_of(line.function, line.file)
        return kind


_DISPATCHER = "dispatcher"


def _kind_of(function: str, file: str) -> str:
    if _DISPATCHERS.search(file):
        return _DISPATCHER
    return "started" if _STARTED_SCRIPTS.search(file) else owner_of(function, file)[0]


def line_of(location: Location) -> Line:
    """Return the innermost line of a location; its address stands for a function without a name."""
    if not location.lines or location.lines[0].function is None:
        return Line(f"0x{location.address:x}", "", 0)
    line = location.lines[0]
    function = line.function
    assert function is not None
    return Line(function.name, function.filename, line.line)
