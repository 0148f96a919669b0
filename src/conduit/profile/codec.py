"""Profiles to bytes and back: `profile.proto` in the protobuf wire format, usually behind gzip.

`decode` reads in three passes. The first walks the top level and notes where each message is, since the format does
not prescribe an order of the fields (Go's runtime writes the samples before the strings). The second reads the
messages and turns indices into strings and references; the extension does both where it can. The third looks for
contradictions (`Profile.find_fault`). Data that the first two passes reject may be in one of the older formats, which
`legacy` reads. If that fails as well, the bytes are not a profile.

`encode` numbers the strings in order of first use, the empty one first, and writes fields in the order of their
numbers; ids are written as they are. Nothing here depends on the clock: the same profile gives the same bytes.
"""

from __future__ import annotations

import gc
import zlib
from array import array
from functools import partial
from typing import TYPE_CHECKING

from conduit.errors import MalformedProfileError
from conduit.profile import loops
from conduit.profile.columns import Columns, ColumnsBuilder, LabelSet, LabelTable, make_label_set
from conduit.profile.limits import DEFAULT_LIMITS
from conduit.profile.model import Fault, Function, Line, Location, Mapping, Profile, ValueType
from conduit.profile.samples import SampleReader, UnusualError
from conduit.profile.wire import (
    DELIMITED,
    VARINT,
    WireError,
    count_packed,
    expect_kind,
    read_fields,
    read_numbers,
    read_packed,
    to_bits,
    to_signed,
    write_delimited,
    write_number,
    write_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    Record = TypeVar("Record")
    LocationRow = tuple[int, int, int, bool, list[tuple[int, int, int]]]

from conduit.profile.limits import Limits

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_CHUNK = 1 << 20
_MAX_COLUMNS = 64
_LARGE = 4 << 20
_MASK64 = (1 << 64) - 1
_COMMENT = 13
_SIGNED = (9, 10, 12)  # the numbers of the top level with a sign: time, duration and period


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Profile:
    """Read a profile: gzip or not, `profile.proto` or one of the legacy formats.

    Raises `MalformedProfileError`, with google/pprof's words for the fault, when the bytes are no profile, the profile
    contradicts itself, or it exceeds one of the `limits`. Strings that are not UTF-8 keep their bytes as surrogates.
    """
    if data[:2] == _GZIP_MAGIC:
        data = decompress(data, limits.size_bytes)
    if len(data) > limits.size_bytes:
        raise _too_large("bytes", limits.size_bytes)
    if not data:
        raise MalformedProfileError("parsing profile: empty input file", 0)
    decoder = _Decoder(data, limits)
    # Millions of records are made and none is dropped: looking for cyclic garbage between them takes half as long
    # again.
    collects = gc.isenabled()
    gc.disable()
    try:
        profile = decoder.decode()
    except WireError as problem:
        return _decode_legacy(data, limits, problem)
    finally:
        if collects:
            gc.enable()
    fault = decoder.sample_fault or profile.find_fault()
    if fault is not None:
        raise MalformedProfileError(f"malformed profile: {fault.reason}", decoder.offset_of(fault))
    return profile


def _decode_legacy(data: bytes, limits: Limits, problem: WireError) -> Profile:
    """Read data that is no `profile.proto`, for the reason given, as one of the older formats."""
    from conduit.profile.legacy import decode_legacy
    from conduit.profile.legacy_stacks import MalformedError, UnrecognizedError

    try:
        return decode_legacy(data, limits)
    except UnrecognizedError:
        message, offset = "unrecognized profile format", problem.offset
    except MalformedError as error:
        message, offset = str(error), 0
    raise MalformedProfileError(f"parsing profile: {message}", offset, problem.detail)


def decompress(data: bytes, most: int) -> bytes:
    """Decompress one or several gzip members; raise `MalformedProfileError` with the offset in `data`."""
    member = zlib.decompressobj(_GZIP_WINDOW)
    try:
        # At once, which is usual: in pieces, the rest of the input is copied for each of them.
        document = member.decompress(data, most + 1)
    except zlib.error:
        return _decompress_in_pieces(data, most)
    if len(document) > most:
        raise _too_large("bytes", most)
    return document if member.eof and not member.unused_data else _decompress_in_pieces(data, most)


def _decompress_in_pieces(data: bytes, most: int) -> bytes:
    """Decompress several members, or find where a fault is: its offset is that of the piece."""
    parts: list[bytes] = []
    size = 0
    rest = data
    while rest:
        if rest[:2] != _GZIP_MAGIC:
            raise _bad_gzip("gzip: invalid header", len(data) - len(rest))
        member = zlib.decompressobj(_GZIP_WINDOW)
        while not member.eof:
            before = len(rest)
            try:
                part = member.decompress(rest, _CHUNK)
            except zlib.error as fault:
                raise _bad_gzip(f"gzip: {fault}", len(data) - before) from None
            rest = member.unused_data if member.eof else member.unconsumed_tail
            if not part and not member.eof and len(rest) in (0, before):
                raise _bad_gzip("unexpected EOF", len(data))
            size += len(part)
            if size > most:
                raise _too_large("bytes", most)
            parts.append(part)
    return b"".join(parts)


def _bad_gzip(reason: str, offset: int) -> MalformedProfileError:
    return MalformedProfileError(f"decompressing profile: {reason}", offset)


def _too_large(what: str, limit: int, offset: int | None = None) -> MalformedProfileError:
    return MalformedProfileError(
        f"profile is too large: more than {limit} {what}, which is the limit", offset
    )


class _Decoder:
    """One document being decoded: its raw tables, then the objects made of them."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        self.data = data
        self.limits = limits
        self.frames = 0
        self.labels = 0
        self.lines = 0
        self.sample_types: list[ValueType] = []
        self.locations: list[Location] = []
        self.unknown = b""
        self.strings: list[str] = []
        # Spans of the messages (start, stop) by their field number in Profile.
        self.spans: dict[int, list[tuple[int, int]]] = {number: [] for number in (1, 2, 3, 4, 5, 11)}
        # Plain numbers by their field number: 7 drop_frames … 15 doc_url; comments are a list.
        self.numbers: dict[int, int] = {}
        self.number_offsets: dict[int, int] = {}
        self.comments: list[int] = []
        self.sample_spans: bytes | None = None  # where the top level was read in C: pairs of int64
        self.sample_fault: Fault | None = None  # the first contradiction among the samples

    def decode(self) -> Profile:
        if not self._scan_in_c():
            self._read_top_level()
        self.sample_types = self._read_value_types(1)
        rows = loops.read_locations(self.data, self.spans[4], self.limits.records)
        columns = self._read_columns_in_c(None if rows is None else [row[0] for row in rows])
        mappings, functions = self._read_mappings(), self._read_functions()
        self.locations = self._read_locations(
            rows,
            {mapping.id: mapping for mapping in mappings},
            {function.id: function for function in functions},
        )
        profile = Profile(
            self.sample_types,
            mappings=mappings,
            locations=self.locations,
            functions=functions,
            columns=self._read_samples() if columns is None else columns,
            drop_frames=self._header_string(7),
            keep_frames=self._header_string(8),
            time_nanos=self.numbers.get(9, 0),
            duration_nanos=self.numbers.get(10, 0),
            period_type=[ValueType(), *self._read_value_types(11)][-1],
            period=self.numbers.get(12, 0),
            comments=[self._string(index, self.number_offsets[13]) for index in self.comments],
            default_sample_type=self._header_string(14),
            doc_url=self._header_string(15),
        )
        profile.unknown = self.unknown
        return profile

    def _scan_in_c(self) -> bool:
        """Read the top level in C, where the document is in the form that writers use."""
        scanned = loops.scan_profile(self.data, self.limits.records)
        if scanned is None:
            return False
        spans, self.strings, numbers, self.sample_spans = scanned
        for field, found in zip((1, 3, 4, 5, 11), spans, strict=True):
            self.spans[field] = found
        for field, start, value in numbers:
            if field == _COMMENT:
                self.comments.append(value)
            else:
                self.numbers[field] = value
            self.number_offsets[field] = start
        return True

    def _read_columns_in_c(self, ids: list[int] | None) -> Columns | None:
        """Read the samples in C; where they or the locations have another form, leave them to the general reader.

        `ids` are those of the locations, None where these could not be read in C.
        """
        packed, types, limits = self.sample_spans, len(self.sample_types), self.limits
        if packed is None:
            return None
        columns = None
        room = limits.frames - types * (len(packed) // 16)
        if ids is not None and 1 <= types <= _MAX_COLUMNS and room >= 0:
            columns = self._columns(packed, ids, room)
        if columns is None:
            numbers = memoryview(packed).cast("q").tolist()
            self.spans[2] = list(zip(numbers[::2], numbers[1::2], strict=True))
        return columns

    def _columns(self, packed: bytes, ids: list[int], room: int) -> Columns | None:
        largest = max(ids, default=0)
        if largest > 4 * len(ids) + 1024:
            return None
        index_of = array("I", bytes(4 * (largest + 1)))
        for number, id in enumerate(ids, 1):
            index_of[id] = number
        types = len(self.sample_types)
        strings = len(self.strings)
        read = loops.read_columns(self.data, packed, index_of, types, strings, room, self.limits.records)
        if read is None:
            return None
        bounds, frames, values, label_of, runs, rows = read
        return Columns(bounds, frames, values, label_of, LabelTable(self.strings, runs, rows))

    def _label_set(self, contents: Sequence[bytes], unknown: bytes, position: int) -> LabelSet:
        labels = []
        for content in contents:
            _, key, text, number, unit = read_numbers(content, 0, len(content), 4)[0]
            name, value = self._string(key, position), self._string(text, position) if text else None
            labels.append((name, value, number, self._string(unit, position) if unit and not text else None))
        return make_label_set(labels, unknown)

    def offset_of(self, fault: Fault) -> int:
        """Return the offset in the document at which the record that `Profile.find_fault` found starts."""
        spans = self.spans[_FIELDS[fault.table]]
        return spans[fault.index][0] if fault.index < len(spans) else 0

    def _read_top_level(self) -> None:
        data, spans, strings = self.data, self.spans, self.strings
        unknown = []
        for number, kind, value, stop, start in read_fields(data, 0, len(data)):
            if number == 6:
                expect_kind(kind, DELIMITED, start)
                strings.append(data[value:stop].decode("utf-8", "surrogateescape"))
                if strings[0]:
                    raise WireError("string_table[0] must be empty", start)
                if len(strings) > self.limits.records:
                    raise _too_large("strings", self.limits.records, start)
            elif number in spans:
                expect_kind(kind, DELIMITED, start)
                spans[number].append((value, stop))
                if len(spans[number]) > self.limits.records:
                    raise _too_large(_TABLES[number], self.limits.records, start)
            elif number == 13:
                self._extend(self.comments, kind, value, stop, start)
                if len(self.comments) > self.limits.records:
                    raise _too_large("comments", self.limits.records, start)
                self.number_offsets[number] = start
            elif 7 <= number <= 15:
                expect_kind(kind, VARINT, start)
                if number == 9 and self.numbers.get(9):
                    raise MalformedProfileError("parsing profile: concatenated profiles detected", start)
                self.numbers[number] = to_signed(value) if number in _SIGNED else value
                self.number_offsets[number] = start
            else:
                unknown.append(data[start:stop])
        self.unknown = b"".join(unknown)

    def _header_string(self, number: int) -> str:
        return self._string(self.numbers.get(number, 0), self.number_offsets.get(number, 0))

    def _string(self, index: int, offset: int) -> str:
        # A negative index is a huge one here: indices are read as unsigned numbers.
        try:
            return self.strings[index]
        except IndexError:
            detail = f"string {to_signed(index)} is not in the string table of {len(self.strings)}"
            raise WireError(detail, offset) from None

    def _extend(self, numbers: list[int], kind: int, value: int, stop: int, start: int) -> None:
        """Add a repeated number's field, packed or not, to `numbers`."""
        if kind == DELIMITED:
            if (
                stop - value > self.limits.records
                and count_packed(self.data, value, stop) > self.limits.frames
            ):
                raise _too_large("numbers in one field", self.limits.frames, start)
            numbers.extend(read_packed(self.data, value, stop))
        else:
            expect_kind(kind, VARINT, start)
            numbers.append(value)

    def _record(self, position: int, stop: int, last: int) -> tuple[list[int], bytes]:
        return read_numbers(self.data, position, stop, last)

    def _value_type(self, position: int, stop: int) -> ValueType:
        (_, kind, unit), _ = self._record(position, stop, 2)
        return ValueType(self._string(kind, position), self._string(unit, position))

    def _mapping(self, position: int, stop: int) -> Mapping:
        values, unknown = self._record(position, stop, 10)
        _, id, start, limit, offset, filename, build_id, *flags = values
        mapping = Mapping(
            id,
            start,
            limit,
            offset,
            self._string(filename, position),
            self._string(build_id, position),
            *map(bool, flags),
        )
        mapping.unknown = unknown
        return mapping

    def _read_value_types(self, field: int) -> list[ValueType]:
        strings = self.strings
        return self._read_records(
            field,
            (2, 0),
            lambda rows: [ValueType(strings[kind], strings[unit]) for kind, unit in rows],
            self._value_type,
        )

    def _read_mappings(self) -> list[Mapping]:
        strings = self.strings
        return self._read_records(
            3,
            (10, 0),
            lambda rows: [
                Mapping(id, start, limit, offset, strings[filename], strings[build_id], *map(bool, flags))
                for id, start, limit, offset, filename, build_id, *flags in rows
            ],
            self._mapping,
        )

    def _read_functions(self) -> list[Function]:
        strings = self.strings
        return self._read_records(
            5,
            (5, 5),
            lambda rows: [
                Function(id, strings[name], strings[system_name], strings[filename], line)
                for id, name, system_name, filename, line in rows
            ],
            self._function,
        )

    def _read_records(
        self,
        field: int,
        numbers: tuple[int, int],
        make: Callable[[list[tuple[int, ...]]], list[Record]],
        read: Callable[[int, int], Record],
    ) -> list[Record]:
        """Make a table of the rows that C reads, or `read` each message where it cannot.

        `numbers` are how many fields a message has, and the number of the one with a sign.
        """
        spans, (count, with_sign) = self.spans[field], numbers
        rows = loops.read_messages(self.data, spans, count, with_sign)
        try:
            return [read(*span) for span in spans] if rows is None else make(rows)
        except IndexError:  # a string that is not there; the other reader knows where that is
            return [read(*span) for span in spans]

    def _function(self, position: int, stop: int) -> Function:
        (_, id, name, system_name, filename, start_line), unknown = self._record(position, stop, 5)
        function = Function(
            id,
            self._string(name, position),
            self._string(system_name, position),
            self._string(filename, position),
            to_signed(start_line),
        )
        function.unknown = unknown
        return function

    def _read_locations(
        self, rows: list[LocationRow] | None, mappings: dict[int, Mapping], functions: dict[int, Function]
    ) -> list[Location]:
        if rows is None:
            return [self._location(*span, mappings, functions) for span in self.spans[4]]
        return [
            Location(
                id,
                mappings.get(mapping),
                address,
                [Line(functions.get(function), line, column) for function, line, column in lines],
                is_folded,
            )
            for id, mapping, address, is_folded, lines in rows
        ]

    def _location(
        self, position: int, stop: int, mappings: dict[int, Mapping], functions: dict[int, Function]
    ) -> Location:
        location = Location()
        unknown = b""
        for number, kind, value, end, start in read_fields(self.data, position, stop):
            if number == 4:
                expect_kind(kind, DELIMITED, start)
                self.lines += 1
                if self.lines > self.limits.records:
                    raise _too_large("lines", self.limits.records, start)
                location.lines.append(self._line(value, end, functions))
                continue
            if number in (1, 2, 3, 5):
                expect_kind(kind, VARINT, start)
            if number == 1:
                location.id = value
            elif number == 2:
                location.mapping = mappings.get(value)
            elif number == 3:
                location.address = value
            elif number == 5:
                location.is_folded = bool(value)
            else:
                unknown += self.data[start:end]
        location.unknown = unknown
        return location

    def _line(self, position: int, stop: int, functions: dict[int, Function]) -> Line:
        (_, function, number, column), unknown = self._record(position, stop, 3)
        line = Line(functions.get(function), to_signed(number), to_signed(column))
        line.unknown = unknown
        return line

    def _read_samples(self) -> Columns:
        locations = self.locations
        index_of = {location.id: number for number, location in enumerate(locations)}
        reader = SampleReader(self.data, [location.id for location in locations])
        types = len(self.sample_types)
        builder = ColumnsBuilder(types)
        for number, (position, stop) in enumerate(self.spans[2]):
            unknown = b""
            try:
                stack, values, labels = reader.read(position, stop)
                if not builder.knows(tuple(labels)):
                    self._check_labels(labels)
            except UnusualError:
                stack, values, labels, unknown = self._sample(position, stop, index_of)
            self._count(len(stack) + len(values), len(labels), position)
            make = partial(self._label_set, labels, unknown, position)
            fault = self._fault_of(stack, values, number)
            if fault is not None:
                make()  # what the wire format does not allow comes before a contradiction
                self.sample_fault = self.sample_fault or fault
                continue
            key = (*labels, unknown) if unknown else tuple(labels)
            builder.add(stack, values, key, make)
        return builder.build()

    def _check_labels(self, labels: list[bytes]) -> None:
        """Raise `UnusualError` for a broken label: the general reader knows where it is in the document."""
        try:
            for content in labels:
                read_numbers(content, 0, len(content), 4)
        except WireError:
            raise UnusualError from None

    def _fault_of(self, stack: list[int], values: list[int], number: int) -> Fault | None:
        types = len(self.sample_types)
        if not types:
            return Fault("missing sample type information", "samples", 0)
        if len(values) != types:
            return Fault(f"mismatch: sample has {len(values)} values vs. {types} types", "samples", number)
        return Fault("sample has nil location", "samples", number) if -1 in stack else None

    def _sample(
        self, position: int, stop: int, index_of: dict[int, int]
    ) -> tuple[list[int], list[int], list[bytes], bytes]:
        """Read a sample in any form: stack (-1 for a location that is missing), values, labels, unknown fields."""
        ids: list[int] = []
        values: list[int] = []
        labels: list[bytes] = []
        unknown = b""
        for number, kind, value, end, start in read_fields(self.data, position, stop):
            if number == 1:
                self._extend(ids, kind, value, end, start)
            elif number == 2:
                self._extend(values, kind, value, end, start)
            elif number == 3:
                expect_kind(kind, DELIMITED, start)
                self._record(value, end, 4)
                labels.append(self.data[value:end])
            else:
                unknown += self.data[start:end]
        return [index_of.get(id, -1) for id in ids], [to_signed(value) for value in values], labels, unknown

    def _count(self, frames: int, labels: int, position: int) -> None:
        self.frames += frames
        self.labels += labels
        if self.frames > self.limits.frames:
            raise _too_large("frames and values in its samples", self.limits.frames, position)
        if self.labels > self.limits.records:
            raise _too_large("labels", self.limits.records, position)


_TABLES = {1: "sample types", 2: "samples", 3: "mappings", 4: "locations", 5: "functions", 11: "period types"}


_FIELDS = {name: number for number, name in _TABLES.items()}


def encode(profile: Profile, level: int | None = None) -> bytes:
    """Write a profile as gzipped `profile.proto`; `level` is gzip's, 1 (fast) to 9 (small).

    By default it is 6, and 1 for a document of more than 4 MiB: to compress that takes longer than to make it.

    Ids are written as they are. Raises `ValueError` for a number that does not fit into 64 bits. An empty text and a
    0 without a unit are left out of labels: the format cannot tell them from nothing.
    """
    document = encode_uncompressed(profile)
    if level is None:
        level = 6 if len(document) <= _LARGE else 1
    compressor = zlib.compressobj(level, zlib.DEFLATED, _GZIP_WINDOW)
    return compressor.compress(document) + compressor.flush()


def encode_uncompressed(profile: Profile) -> bytes:
    """Write a profile as bare `profile.proto`, which every reader accepts too."""
    return _Encoder().encode(profile)


_MAPPING = (
    "id",
    "start",
    "limit",
    "offset",
    "filename",
    "build_id",
    "has_functions",
    "has_filenames",
    "has_line_numbers",
    "has_inline_frames",
)
_FUNCTION = ("id", "name", "system_name", "filename", "start_line")


class _Encoder:
    """One document being encoded: the string table as it grows."""

    def __init__(self) -> None:
        self.strings: dict[str, int] = {"": 0}

    def encode(self, profile: Profile) -> bytes:
        strings = self.strings
        records = [
            b"".join([write_delimited(1, self._value_type(kind)) for kind in profile.sample_types]),
            self._samples(profile),
            loops.write_messages(3, profile.mappings, _MAPPING, strings),
            loops.write_locations(profile.locations),
            loops.write_messages(5, profile.functions, _FUNCTION, strings),
        ]
        header = self._header(profile)
        return b"".join([*records, loops.write_strings(strings), header, profile.unknown])

    def _index(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings))

    def _header(self, profile: Profile) -> bytes:
        period_type = profile.period_type
        drop, keep = self._index(profile.drop_frames), self._index(profile.keep_frames)
        encoded_period_type = self._value_type(period_type) if period_type is not None else b""
        comments = [self._index(comment) for comment in profile.comments]
        return b"".join(
            (
                write_number(7, drop),
                write_number(8, keep),
                write_number(9, profile.time_nanos),
                write_number(10, profile.duration_nanos),
                write_delimited(11, encoded_period_type) if encoded_period_type else b"",
                write_number(12, profile.period),
                write_numbers(13, comments),
                write_number(14, self._index(profile.default_sample_type)),
                write_number(15, self._index(profile.doc_url)),
            )
        )

    def _value_type(self, kind: ValueType) -> bytes:
        return write_number(1, self._index(kind.type)) + write_number(2, self._index(kind.unit))

    def _samples(self, profile: Profile) -> bytes:
        columns = profile.columns
        ids = array("Q", [to_bits(location.id) for location in profile.locations])
        return loops.write_columns(
            columns.bounds, columns.frames, ids, columns.values, columns.label_of, self._label_fields(columns)
        )

    def _label_fields(self, columns: Columns) -> list[bytes]:
        """Return the encoded labels of each set that a sample has."""
        sets = columns.label_sets
        table = LabelTable.of(sets)
        fields = loops.write_labels(table.runs, table.rows, table.strings, columns.label_of, self.strings)
        if table is sets:
            return fields
        return [field + labels.unknown for field, labels in zip(fields, sets, strict=True)]
