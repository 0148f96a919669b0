"""Frames: the units by which a report sums samples.

The granularity determines which parts of a location make two frames different: the function's name, its file, the line,
the address. A `FrameTable` maps every location of a profile to its frames once, so walking a sample is one look-up for
each location.
"""

from __future__ import annotations

import posixpath
from array import array
from typing import TYPE_CHECKING, NamedTuple

from conduit.interruption import interruptible
from conduit.profile.model import base_name

if TYPE_CHECKING:
    from conduit.profile.model import Line, Location, Profile
    from conduit.report.options import Options


class Detail(NamedTuple):
    """The parts of a location that distinguish frames, and whether inlined frames count."""

    function: bool = False
    filename: bool = False
    line: bool = False
    column: bool = False
    address: bool = False
    object_file: bool = False
    inlined: bool = True


_FUNCTIONS = Detail(function=True)
_OF_GRANULARITY = {
    "": _FUNCTIONS,
    "functions": _FUNCTIONS,
    "filefunctions": Detail(function=True, filename=True),
    "files": Detail(filename=True),
    "lines": Detail(function=True, filename=True, line=True),
    "addresses": Detail(function=True, filename=True, line=True, column=True, address=True),
}


def detail_of(granularity: str, *, inlined: bool, columns: bool, object_files: bool) -> Detail:
    """Return the detail of a granularity. Addresses show their columns, unless inlined frames are omitted."""
    detail = _OF_GRANULARITY[granularity]
    with_columns = detail.line and (columns or (detail.column and inlined))
    return detail._replace(inlined=inlined, column=with_columns, object_file=object_files)


class Frame(NamedTuple):
    """A location at the report's granularity; parts that the granularity omits are empty or 0."""

    name: str = ""
    address: int = 0
    file: str = ""
    start_line: int = 0
    line: int = 0
    column: int = 0
    object_file: str = ""

    def components(self) -> list[str]:
        """Return the parts of the printed name: address, function, file and line; never empty."""
        parts = []
        if self.address:
            parts.append(f"{self.address:016x}")
        if self.name:
            parts.append(self.name)
        if self.line:
            column = f":{self.column}" if self.column else ""
            parts.append(f"{self.file}:{self.line}{column}")
        elif self.file:
            parts.append(self.file)
        elif self.name:
            pass
        elif self.object_file:
            parts.append(f"[{base_name(self.object_file)}]")
        else:
            parts.append("<unknown>")
        return parts

    @property
    def printable_name(self) -> str:
        """Return the name that reports show and sort by."""
        return " ".join(self.components())

    @property
    def of_function(self) -> Frame:
        """Return the frame of the whole function, without address and line."""
        return self._replace(address=0, line=0, column=0) if self.address or self.line else self

    @property
    def tie_break(self) -> str:
        """Return a text that gives frames with the same printed name a fixed order."""
        return f"{self.name}  {self.address} {self.file} {self.start_line} {self.line} {self.column} {self.object_file}"


def clean_path(path: str) -> str:
    """Return a path without `.`, `..` and doubled slashes; an empty one stays empty."""
    if not path:
        return ""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def trim_path(path: str, trim: str, source_path: str) -> str:
    """Return a source file's path without prefixes that only show where it was built.

    The `:`-separated prefixes of `trim`, and `/proc/self/cwd/`, are removed. If `trim` is empty and the path contains
    the base name of a directory of `source_path`, everything up to it is removed.
    """
    if not trim:
        for directory in source_path.split(":") if source_path else ():
            wanted = f"/{base_name(directory)}/"
            found = path.find(wanted)
            if found != -1:
                return path[found + len(wanted) :]
    prefixes = trim.split(":") if trim else []
    for prefix in (*prefixes, "/proc/self/cwd/./", "/proc/self/cwd/"):
        whole = prefix if prefix.endswith("/") else prefix + "/"
        if path.startswith(whole):
            return path[len(whole) :]
    return path


class FrameTable:
    """The frames of a profile at one level of detail.

    `frames[i]` has the printed name `names[i]`. `of_location[location]` are the indices of a location's frames,
    innermost first, like the location's lines; the last is that of the function that was on the stack, the others were
    inlined into it. `runs` are the same indices by the number of the location, as `loops.sum_stacks` takes them.
    `has_inlined` is whether any location has more than one. Paths are trimmed by `trim_path`, unless `trim` is None.
    """

    __slots__ = (
        "_detail",
        "_index",
        "_paths",
        "_source_path",
        "_trim",
        "frames",
        "has_inlined",
        "names",
        "of_location",
        "runs",
    )

    def __init__(
        self, profile: Profile, detail: Detail, trim: str | None = None, source_path: str = ""
    ) -> None:
        self._detail = detail
        self._trim = trim
        self._source_path = source_path
        self._paths: dict[str, str] = {}  # a profile has many locations in few files
        self._index: dict[Frame, int] = {}
        self.frames: list[Frame] = []
        self.names: list[str] = []
        self.of_location: dict[Location, tuple[int, ...]] = {}
        self.runs = starts, numbers = array("i", [0]), array("i")
        for location in interruptible(profile.locations):
            indices = self.of_location[location] = self._frames_of(location)
            numbers.extend(indices)
            starts.append(len(numbers))
        self.has_inlined = len(numbers) > len(profile.locations)

    def _frames_of(self, location: Location) -> tuple[int, ...]:
        lines = location.lines if self._detail.inlined else location.lines[-1:]
        if not lines:
            return (self._number(self._bare_frame(location)),)
        return tuple(self._number(self._frame(location, line)) for line in lines)

    def _number(self, frame: Frame) -> int:
        number = self._index.setdefault(frame, len(self.frames))
        if number == len(self.frames):
            self.frames.append(frame)
            self.names.append(frame.printable_name)
        return number

    def _bare_frame(self, location: Location) -> Frame:
        """Return the frame of a location without symbols: its address, if shown, and its binary."""
        address = location.address if self._detail.address else 0
        return Frame(address=address, object_file=location.mapping.filename if location.mapping else "")

    def _shown(self, path: str) -> str:
        shown = self._paths.get(path)
        if shown is None:
            trimmed = path if self._trim is None else trim_path(path, self._trim, self._source_path)
            shown = self._paths[path] = clean_path(trimmed)
        return shown

    def _frame(self, location: Location, line: Line) -> Frame:
        function, detail = line.function, self._detail
        if function is None:
            return self._bare_frame(location)
        name = function.name if detail.function else ""
        filename = self._shown(function.filename) if detail.filename else ""
        # A nameless function is known by where it starts and in which binary; in `-files` the file is enough.
        shows_origin = detail.object_file or (not name and (detail.function or not filename))
        return Frame(
            name=name,
            address=location.address if detail.address else 0,
            file=filename,
            start_line=function.start_line if shows_origin and detail.function else 0,
            line=line.line if detail.line else 0,
            column=line.column if detail.column else 0,
            object_file=location.mapping.filename if shows_origin and location.mapping else "",
        )


def detail_for(options: Options, *, object_files: bool = False) -> Detail:
    """Return the detail that the options want; with `object_files`, frames of different binaries are different."""
    return detail_of(
        options.granularity,
        inlined=not options.noinlines,
        columns=options.showcolumns,
        object_files=object_files,
    )


def table_of(profile: Profile, options: Options, *, object_files: bool) -> FrameTable:
    """Return the frames of a profile as the options want them; see `detail_for`."""
    detail = detail_for(options, object_files=object_files)
    return FrameTable(profile, detail, options.trim_path, options.source_path)
