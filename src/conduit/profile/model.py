"""The profile as objects: what `profile.proto` says, with table indices replaced by references.

Field meanings, units and ranges are those of github.com/google/pprof/proto/profile.proto. The classes are written out
instead of being dataclasses because `import dataclasses` alone takes a tenth of the time allowed for reading a small
profile. All of them compare by identity (two equal-looking locations are two locations until a merge says otherwise),
except `ValueType`, which is a plain value and never changed in place.

Integers keep the ranges of the format: ids and addresses are unsigned, values, lines and times signed, all
64 bits wide. Strings are never None: an absent one is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit.errors import MalformedProfileError
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.profile.columns import Columns

TIME_LABEL = "end_timestamp_ns"
"""The numeric label that several profilers give a sample for the time at which it was taken, since pprof has no field
for it."""

TIME_UNIT = {TIME_LABEL: "nanoseconds"}


def base_name(path: str) -> str:
    """Return the last part of a path; `.` for an empty one, `/` for the root."""
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


class ValueType(NamedTuple):
    """What a column of values counts (`cpu`, `alloc_space`) and its unit (`nanoseconds`, `bytes`, `count`)."""

    type: str = ""
    unit: str = ""


class Mapping:
    """A binary or script whose code was running; `id` is unique in the profile and not 0.

    `start`, `limit` and `offset` place it in memory and in its file (0 where that makes no sense). The
    four flags say which symbols its locations already carry.
    """

    __slots__ = (
        "build_id",
        "filename",
        "has_filenames",
        "has_functions",
        "has_inline_frames",
        "has_line_numbers",
        "id",
        "limit",
        "offset",
        "start",
        "unknown",
    )

    def __init__(
        self,
        id: int = 0,
        start: int = 0,
        limit: int = 0,
        offset: int = 0,
        filename: str = "",
        build_id: str = "",
        has_functions: bool = False,
        has_filenames: bool = False,
        has_line_numbers: bool = False,
        has_inline_frames: bool = False,
    ) -> None:
        self.id: int = id
        self.start: int = start
        self.limit: int = limit
        self.offset: int = offset
        self.filename: str = filename
        self.build_id: str = build_id
        self.has_functions: bool = has_functions
        self.has_filenames: bool = has_filenames
        self.has_line_numbers: bool = has_line_numbers
        self.has_inline_frames: bool = has_inline_frames
        self.unknown: bytes = b""

    def __repr__(self) -> str:
        return f"Mapping({self.id}, {self.start:#x}, {self.limit:#x}, {self.offset:#x}, {self.filename!r})"


class Function:
    """A function: `name` for people, `system_name` as the linker knows it, the file and line where it starts."""

    __slots__ = ("filename", "id", "name", "start_line", "system_name", "unknown")

    def __init__(
        self, id: int = 0, name: str = "", system_name: str = "", filename: str = "", start_line: int = 0
    ) -> None:
        self.id: int = id
        self.name: str = name
        self.system_name: str = system_name
        self.filename: str = filename
        self.start_line: int = start_line
        self.unknown: bytes = b""

    def with_name(self, name: str) -> Function:
        """Return the same function under another name."""
        other = Function(self.id, name, self.system_name, self.filename, self.start_line)
        other.unknown = self.unknown
        return other

    def __repr__(self) -> str:
        return f"Function({self.id}, {self.name!r}, file {self.filename!r}, line {self.start_line})"


class Line:
    """A place in a function's source; `function` is None only in a profile that `check_valid` refuses."""

    __slots__ = ("column", "function", "line", "unknown")

    def __init__(self, function: Function | None = None, line: int = 0, column: int = 0) -> None:
        self.function: Function | None = function
        self.line: int = line
        self.column: int = column
        self.unknown: bytes = b""

    def with_function(self, function: Function) -> Line:
        """Return the same place in another function."""
        other = Line(function, self.line, self.column)
        other.unknown = self.unknown
        return other

    def __repr__(self) -> str:
        name = self.function.name if self.function else None
        return f"Line({name!r}, {self.line}, {self.column})"


class Location:
    """An instruction or a line of code on a stack.

    `lines` is innermost first: with inlining, lines[0] was inlined into lines[1] and so on, and the last one
    is the function that really was on the stack. Without symbols it is empty.
    """

    __slots__ = ("address", "id", "is_folded", "lines", "mapping", "unknown")

    def __init__(
        self,
        id: int = 0,
        mapping: Mapping | None = None,
        address: int = 0,
        lines: list[Line] | None = None,
        is_folded: bool = False,
    ) -> None:
        self.id: int = id
        self.mapping: Mapping | None = mapping
        self.address: int = address
        self.lines: list[Line] = [] if lines is None else lines
        self.is_folded: bool = is_folded
        self.unknown: bytes = b""

    def with_lines(self, lines: list[Line]) -> Location:
        """Return the same location with other lines."""
        other = Location(self.id, self.mapping, self.address, lines, self.is_folded)
        other.unknown = self.unknown
        return other

    def __repr__(self) -> str:
        return f"Location({self.id}, {self.address:#x}, {self.lines!r})"


class Sample:
    """One stack (leaf first) with one value for each of the profile's sample types, and its labels.

    `numeric_units[key]`, where present, is as long as `numeric_labels[key]`; an empty unit means none was given.
    """

    __slots__ = ("labels", "locations", "numeric_labels", "numeric_units", "unknown", "values")

    def __init__(
        self,
        locations: list[Location],
        values: list[int],
        labels: dict[str, list[str]] | None = None,
        numeric_labels: dict[str, list[int]] | None = None,
        numeric_units: dict[str, list[str]] | None = None,
    ) -> None:
        self.locations: list[Location] = locations
        self.values: list[int] = values
        self.labels: dict[str, list[str]] = {} if labels is None else labels
        self.numeric_labels: dict[str, list[int]] = {} if numeric_labels is None else numeric_labels
        self.numeric_units: dict[str, list[str]] = {} if numeric_units is None else numeric_units
        self.unknown: bytes = b""

    def replaced(
        self,
        locations: list[Location] | None = None,
        values: list[int] | None = None,
        labels: dict[str, list[str]] | None = None,
        numeric_labels: dict[str, list[int]] | None = None,
        numeric_units: dict[str, list[str]] | None = None,
    ) -> Sample:
        """Return a sample that differs in the given fields and shares the rest."""
        other = Sample(
            self.locations if locations is None else locations,
            self.values if values is None else values,
            self.labels if labels is None else labels,
            self.numeric_labels if numeric_labels is None else numeric_labels,
            self.numeric_units if numeric_units is None else numeric_units,
        )
        other.unknown = self.unknown
        return other

    def __repr__(self) -> str:
        return f"Sample({self.values}, {self.locations!r}, {self.labels!r}, {self.numeric_labels!r})"


class Profile:
    """A profile: its samples, and the tables that they refer to.

    `time_nanos` is when it was made (nanoseconds since 1970, UTC), `duration_nanos` how long that took,
    `period` the distance between two samples in the unit of `period_type`; 0 means unknown. `drop_frames` and
    `keep_frames` are regular expressions on whole function names. `unknown` in a record holds fields that
    this reader does not know, as they were; `encode` writes them back.

    The samples are given as objects, or as `columns`.
    """

    __slots__ = (
        "_content",
        "comments",
        "default_sample_type",
        "doc_url",
        "drop_frames",
        "duration_nanos",
        "functions",
        "keep_frames",
        "locations",
        "mappings",
        "period",
        "period_type",
        "sample_types",
        "time_nanos",
        "unknown",
    )

    def __init__(
        self,
        sample_types: list[ValueType] | None = None,
        samples: list[Sample] | None = None,
        mappings: list[Mapping] | None = None,
        locations: list[Location] | None = None,
        functions: list[Function] | None = None,
        default_sample_type: str = "",
        drop_frames: str = "",
        keep_frames: str = "",
        time_nanos: int = 0,
        duration_nanos: int = 0,
        period_type: ValueType | None = None,
        period: int = 0,
        comments: list[str] | None = None,
        doc_url: str = "",
        columns: Columns | None = None,
    ) -> None:
        self.sample_types: list[ValueType] = [] if sample_types is None else sample_types
        # Columns until the samples are asked for: objects may be changed, and so are the truth from then on.
        self._content: list[Sample] | Columns = [] if samples is None else samples
        if columns is not None:
            self._content = columns
        self.mappings: list[Mapping] = [] if mappings is None else mappings
        self.locations: list[Location] = [] if locations is None else locations
        self.functions: list[Function] = [] if functions is None else functions
        self.default_sample_type: str = default_sample_type
        self.drop_frames: str = drop_frames
        self.keep_frames: str = keep_frames
        self.time_nanos: int = time_nanos
        self.duration_nanos: int = duration_nanos
        self.period_type: ValueType | None = period_type
        self.period: int = period
        self.comments: list[str] = [] if comments is None else comments
        self.doc_url: str = doc_url
        self.unknown: bytes = b""

    def __repr__(self) -> str:
        types = " ".join(f"{kind.type}/{kind.unit}" for kind in self.sample_types)
        return (
            f"<Profile of {types or 'nothing'}: {counted(self.sample_count, 'sample')}, "
            f"{counted(len(self.functions), 'function')}>"
        )

    @property
    def samples(self) -> list[Sample]:
        """The samples as objects. Those of a decoded profile are made when they are first asked for."""
        content = self._content
        if not isinstance(content, list):
            content = self._content = _samples_of(content, self.locations)
        return content

    @samples.setter
    def samples(self, samples: list[Sample]) -> None:
        self._content = samples

    @property
    def columns(self) -> Columns:
        """The samples as columns; made anew each time where the profile has them as objects.

        Raises `ValueError` for a value that does not fit into 64 bits, and for a stack with a location that is not one
        of the profile's.
        """
        content = self._content
        return _columns_of(self, content) if isinstance(content, list) else content

    @property
    def sample_count(self) -> int:
        """How many samples there are, counted without making them."""
        return len(self._content)

    @property
    def program(self) -> str:
        """The file name of the program, whose mapping is the first; empty where the profile does not name it."""
        path = self.mappings[0].filename if self.mappings else ""
        return base_name(path) if path else ""

    def in_columns(self) -> Profile:
        """Return the profile with its samples as columns, itself if it has them."""
        return self.replaced(columns=self.columns) if isinstance(self._content, list) else self

    def replaced(self, **fields: object) -> Profile:
        """Return a profile that differs in the given fields and shares everything else, lists included.

        Columns hold indices: where they stay as they are, `locations` must have the same order.
        """
        other = Profile.__new__(Profile)
        for name in Profile.__slots__:
            setattr(other, name, fields[name] if name in fields else getattr(self, name))
        if "samples" in fields:
            other._content = fields["samples"]  # type: ignore[assignment]
        elif "columns" in fields:
            other._content = fields["columns"]  # type: ignore[assignment]
        return other

    def check_valid(self) -> None:
        """Raise `MalformedProfileError` unless every reference leads to an entry of the profile's own tables.

        Checked are: one value for each sample type, ids that are unique and not 0, and that samples, locations
        and lines refer to entries of the tables. The messages are those of google/pprof's `CheckValid`.
        """
        fault = self.find_fault()
        if fault is not None:
            raise MalformedProfileError(f"malformed profile: {fault.reason}")

    def find_fault(self) -> Fault | None:
        """Return the first contradiction in a profile, or None if it is valid.

        Contradictions are looked for in the order of the original.
        """
        return (
            self._sample_fault()
            or _id_fault(self.mappings, "mapping", "ID")
            or _id_fault(self.functions, "function", "ID")
            or _id_fault(self.locations, "location", "id")
            or self._reference_fault()
        )

    def _sample_fault(self) -> Fault | None:
        expected = len(self.sample_types)
        if not isinstance(self._content, list):
            return None  # only whole samples are read into columns
        if not expected and self.samples:
            return Fault("missing sample type information", "samples", 0)
        for index, sample in enumerate(self.samples):
            if len(sample.values) != expected:
                reason = f"mismatch: sample has {len(sample.values)} values vs. {expected} types"
                return Fault(reason, "samples", index)
            if None in sample.locations:
                return Fault("sample has nil location", "samples", index)
        return None

    def _reference_fault(self) -> Fault | None:
        mappings = {mapping.id: mapping for mapping in self.mappings}
        functions = {function.id: function for function in self.functions}
        for index, location in enumerate(self.locations):
            mapping = location.mapping
            if mapping is not None and mappings.get(mapping.id) is not mapping:
                return Fault(f"inconsistent mapping: {mapping.id}", "locations", index)
            for line in location.lines:
                function = line.function
                if function is None:
                    reason = f"location id: {location.id} has a line with nil function"
                    return Fault(reason, "locations", index)
                if functions.get(function.id) is not function:
                    return Fault(f"inconsistent function: {function.id}", "locations", index)
        return None


def _samples_of(columns: Columns, locations: list[Location]) -> list[Sample]:
    """Return the samples as objects, each with lists of its own."""
    from conduit.profile import loops

    stacks = loops.list_stacks(columns.bounds, columns.frames, locations)
    rows = zip(*columns.values, strict=True) if columns.values else (() for _ in stacks)
    samples = []
    for stack, row, number in zip(stacks, rows, columns.label_of, strict=True):
        labels = columns.label_sets[number]
        sample = Sample(
            stack,
            list(row),
            {key: list(texts) for key, texts in labels.labels.items()},
            {key: list(numbers) for key, numbers in labels.numeric_labels.items()},
            {key: list(units) for key, units in labels.numeric_units.items()},
        )
        sample.unknown = labels.unknown
        samples.append(sample)
    return samples


def _columns_of(profile: Profile, samples: list[Sample]) -> Columns:
    from conduit.profile.columns import ColumnsBuilder, LabelSet

    index_of = {location: number for number, location in enumerate(profile.locations)}
    builder = ColumnsBuilder(len(profile.sample_types))
    for sample in samples:
        labels = LabelSet(sample.labels, sample.numeric_labels, sample.numeric_units, sample.unknown)
        try:
            stack = [index_of[location] for location in sample.locations]
            builder.add(stack, sample.values, (labels.key, labels.unknown), labels.copy)
        except KeyError as error:
            raise ValueError(f"a stack has {error}, which is not among the profile's locations") from None
        except OverflowError:
            raise ValueError(
                f"one of the numbers {sample.values} does not fit into the 64 bits that a profile has for it"
            ) from None
    return builder.build()


class Fault:
    """A contradiction in a profile: the original's words for it, and the table and index of the record that has it."""

    __slots__ = ("index", "reason", "table")

    def __init__(self, reason: str, table: str, index: int) -> None:
        self.reason: str = reason
        self.table: str = table
        self.index: int = index


def _id_fault(entries: Sequence[Mapping | Function | Location], kind: str, word: str) -> Fault | None:
    seen: set[int] = set()
    for index, entry in enumerate(entries):
        if entry.id == 0:
            return Fault(f"found {kind} with reserved {word}=0", f"{kind}s", index)
        if entry.id in seen:
            return Fault(f"multiple {kind}s with same id: {entry.id}", f"{kind}s", index)
        seen.add(entry.id)
    return None
