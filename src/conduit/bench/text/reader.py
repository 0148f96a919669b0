"""Reader of Go's benchmark text, line by line (golang.org/design/14313-benchmark-format).

A line is one of: `key: value`, which applies to the results below it until it is changed or emptied; a result,
`BenchmarkName  N  value unit  value unit …`; `Unit unit key=value …`, unit metadata; or anything else, which is
ignored, because benchmark text is usually mixed with other output. A malformed line is yielded as an error record;
the lines around it still count.

Units are tidied while they are read: `ns` becomes `sec`, `MB` becomes `B` (see `units`). Consecutive results share
one `Configuration` until it changes, and results with the same columns share one tuple of columns, so callers can
use both as dictionary keys.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.text.numbers import parse_float, parse_int
from conduit.bench.text.units import tidy_unit
from conduit.errors import BenchmarkFileError, BenchmarkSyntaxError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TextIO

    from conduit.bench.text.unit_metadata import UnitMetadata

_MAX_LINE_LENGTH = 1 << 16
_CHUNK = 1 << 20
_SNIFFED_LENGTH = 8000  # a file with a zero byte at its beginning is no text; git looks as far
_UTF_16_MARKS = ("\udcff\udcfe", "\udcfe\udcff")  # as the bytes that are no UTF-8 are read
_RESULT_LINE = re.compile(r"^\ufeff?Benchmark", re.MULTILINE).search
# Python's split() also breaks at the four information separators; Go's does not.
_SEPARATORS = re.compile("[\x1c-\x1f]").search
_GO_SPACE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")


class Column(NamedTuple):
    """One measured unit of a result line."""

    unit: str  # tidied: "sec/op"
    written: str  # as in the text: "ns/op"
    factor: float  # tidied value = written value * factor


class Configuration:
    """The `key: value` lines in force for a result, and the label of the file it came from."""

    __slots__ = ("file", "values")

    def __init__(self, file: str, values: dict[str, str]) -> None:
        self.file: str = file
        self.values: dict[str, str] = values  # in the order in which projections discover the keys

    def get(self, key: str) -> str:
        """Return the value for a key; `.file` is the file's label. Empty where there is none."""
        return self.file if key == ".file" else self.values.get(key, "")


class Result:
    """One result line: `values[i]` is in the tidied unit `columns[i].unit`."""

    __slots__ = ("columns", "configuration", "iterations", "line", "name", "path", "values")

    def __init__(
        self,
        name: str,
        iterations: int,
        columns: tuple[Column, ...],
        values: list[float],
        configuration: Configuration,
        path: str,
        line: int,
    ) -> None:
        self.name: str = name  # without "Benchmark", with the "-8" behind it
        self.iterations: int = iterations
        self.columns: tuple[Column, ...] = columns
        self.values: list[float] = values
        self.configuration: Configuration = configuration
        self.path: str = path
        self.line: int = line


class InputFile(NamedTuple):
    """A file to read: its path (`-` is standard input) and the label of its results."""

    path: str
    label: str


def name_inputs(arguments: Sequence[str]) -> list[InputFile]:
    """Read the files of a command line, each `path` or `label=path`.

    A path given more than once without a label is numbered (`a.txt#0`, `a.txt#1`), so that its columns can be
    told apart; equal labels are left as they are, and their results are pooled.
    """
    split = [argument.partition("=") for argument in arguments]
    bare = [path for path, equals, _ in split if not equals]
    inputs = []
    seen: dict[str, int] = {}
    for first, equals, rest in split:
        if equals:
            inputs.append(InputFile(rest, first))
        elif bare.count(first) == 1:
            inputs.append(InputFile(first, first))
        else:
            inputs.append(InputFile(first, f"{first}#{seen.get(first, 0)}"))
            seen[first] = seen.get(first, 0) + 1
    return inputs


def read_benchmarks(input_file: InputFile, units: UnitMetadata) -> Iterator[Result | BenchmarkSyntaxError]:
    """Yield the records of one file in order; what its `Unit` lines say is added to `units`.

    Raises `BenchmarkFileError` when the file cannot be opened or read, or is not text.
    """
    reader = Reader(input_file, units)
    for number, line in enumerate(lines_of_file(input_file), start=1):
        yield from reader.records(line, number)


def lines_of_file(input_file: InputFile) -> Iterator[str]:
    """Yield the lines of a file without their ends; raises `BenchmarkFileError` as `read_benchmarks` does."""
    for lines in groups_of_lines(input_file):
        yield from lines


def groups_of_lines(input_file: InputFile) -> Iterator[list[str]]:
    """Yield the same lines in large groups."""
    if input_file.path == "-":
        yield from _groups(_standard_input(), input_file)
        return
    try:
        # Not pathlib, which would slow the start.
        file = open(input_file.path, encoding="utf-8", errors="surrogateescape", newline="\n")  # noqa: SIM115, PTH123
    except OSError as error:
        raise BenchmarkFileError(input_file.path, f"open {input_file.path}: {_reason(error)}") from None
    with file:
        yield from _groups(file, input_file)


def _standard_input() -> TextIO:
    reconfigure = getattr(sys.stdin, "reconfigure", None)
    if reconfigure:
        reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    return sys.stdin


def _reason(error: OSError) -> str:
    text = os.strerror(error.errno) if error.errno else str(error)
    return text[:1].lower() + text[1:]


def _groups(file: TextIO, input_file: InputFile) -> Iterator[list[str]]:
    try:
        yield from _lines_of(file, input_file)
    except OSError as error:
        raise BenchmarkFileError(input_file.path, f"read {input_file.path}: {_reason(error)}") from None


def _lines_of(file: TextIO, input_file: InputFile) -> Iterator[list[str]]:
    """Yield the lines in large groups, without their ends; memory stays bounded whatever the file is."""
    rest = ""
    count = 0
    is_first = True
    while chunk := file.read(_CHUNK):
        if is_first:
            chunk = _without_mark(chunk, input_file)
            is_first = False
        text = rest + chunk
        lines = text.split("\n")
        rest = lines.pop()
        if "\r" in text:
            lines = [line.removesuffix("\r") for line in lines]
        count += len(lines)
        yield lines
        if len(rest) > _MAX_LINE_LENGTH:
            raise BenchmarkFileError(
                input_file.path,
                f"{input_file.path}:{count + 1}: the line is longer than {_MAX_LINE_LENGTH} characters: "
                "expected benchmark text, found something else",
            )
    if rest:
        yield [rest.removesuffix("\r")]


def _without_mark(chunk: str, input_file: InputFile) -> str:
    """Return the beginning of a file without a byte order mark; refuse UTF-16 and binary data."""
    beginning = chunk[:_SNIFFED_LENGTH]
    if beginning.startswith(_UTF_16_MARKS) or _alternates(beginning[:64]):
        raise BenchmarkFileError(
            input_file.path,
            f"{input_file.path}: UTF-16 text, as `>` of Windows PowerShell writes it; write it with -o FILE, or "
            "convert "
            "it with iconv -f UTF-16 -t UTF-8",
        )
    # A stray zero byte costs its line; a file with zero bytes and no result is a profile or the like.
    if "\0" in beginning and not _RESULT_LINE(beginning):
        raise BenchmarkFileError(input_file.path, f"{input_file.path}: binary data: expected benchmark text")
    return chunk.removeprefix("\ufeff")


def _alternates(text: str) -> bool:
    """Return whether every second character is zero, as in English text as UTF-16 without a mark."""
    return max(text[::2].count("\0"), text[1::2].count("\0")) > 16


def split_fields(line: str) -> list[str]:
    """Split a line at what Go takes for white space."""
    if _SEPARATORS(line):
        return [field for field in _GO_SPACE.split(line) if field]
    return line.split()


class Reader:
    """The state while one file is read: the configuration in force, and what has been met before."""

    def __init__(self, input_file: InputFile, units: UnitMetadata) -> None:
        self.input_file = input_file
        self.path: str = input_file.path
        self.units = units
        self.keys: dict[str, str] = {}
        self.configuration: Configuration | None = None
        self.known_configurations: dict[tuple[tuple[str, str], ...], Configuration] = {}
        self.known_columns: dict[tuple[str, ...], tuple[Column, ...]] = {}
        # B/op and allocs/op repeat; ns/op does not, and is not remembered.
        self.known_numbers: dict[str, float] = {}

    def _error(self, number: int, message: str) -> BenchmarkSyntaxError:
        return BenchmarkSyntaxError(self.input_file.path, number, message)

    def records(self, line: str, number: int) -> Iterable[Result | BenchmarkSyntaxError]:
        """Read a line; what it says of units and configuration is kept, and what it records is returned."""
        if not line:
            return ()
        if not line.startswith("Benchmark"):
            return self._other(line, number)
        record = self._result(line, number)
        return () if record is None else (record,)

    def _result(self, line: str, number: int) -> Result | BenchmarkSyntaxError | None:
        """Read a line that starts with `Benchmark`; `None` for a bare name, which `go test -v` prints first."""
        fields = split_fields(line)
        if len(fields) == 1 and line == fields[0]:
            return None
        try:
            iterations = self._iterations(fields)
            values, columns = self._measurements(fields)
        except ValueError as error:
            return self._error(number, str(error))
        configuration = self.configuration_in_force()
        return Result(fields[0][9:], iterations, columns, values, configuration, self.path, number)

    def _iterations(self, fields: list[str]) -> int:
        if len(fields) == 1:
            raise ValueError("missing iteration count")
        text = fields[1]
        if text.isdigit() and text.isascii() and len(text) < 19:
            return int(text)
        try:
            return parse_int(text)
        except ValueError as error:
            raise ValueError(f"parsing iteration count: {error}") from None

    def _measurements(self, fields: list[str]) -> tuple[list[float], tuple[Column, ...]]:
        written = tuple(fields[3::2])
        columns = self.columns(written)
        texts = fields[2::2]
        if len(texts) != len(columns) or not texts:
            for text in texts:
                self._number(text)
            raise ValueError("missing units" if texts else "missing measurements")
        known = self.known_numbers
        return [
            (known[text] if text in known else self._number(text)) * column.factor
            for text, column in zip(texts, columns, strict=True)
        ], columns

    def columns(self, written: tuple[str, ...]) -> tuple[Column, ...]:
        """Return the columns of a line with these units: one tuple for equal ones."""
        columns = self.known_columns.get(written)
        if columns is None:
            columns = self.known_columns[written] = tuple(
                [Column(tidied, unit, factor) for unit in written for tidied, factor in [tidy_unit(unit)]]
            )
        return columns

    def _number(self, text: str) -> float:
        try:
            value = parse_float(text)
        except ValueError as error:
            raise ValueError(f"parsing measurement: {error}") from None
        if len(self.known_numbers) < 4096:
            self.known_numbers[text] = value
        return value

    def _other(self, line: str, number: int) -> Iterable[BenchmarkSyntaxError]:
        """Read a line that is not a result: `Unit …`, `key: value`, or text to ignore."""
        if line.startswith("Unit"):
            fields = split_fields(line)
            if fields[0] == "Unit":
                return list(self._unit_line(fields[1:], number))
        pair = key_and_value(line)
        if pair is not None:
            self._set(*pair)
        return ()

    def _unit_line(self, fields: list[str], number: int) -> Iterator[BenchmarkSyntaxError]:
        if not fields:
            yield self._error(number, "missing unit")
            return
        unit = fields[0]
        for field in fields[1:]:
            key, equals, value = field.partition("=")
            if not key or not equals:
                yield self._error(number, "expected key=value")
                continue
            before = self.units.add(unit, key, value)
            if before != value:
                yield self._error(number, f"metadata {key} of unit {unit} already set to {before}")

    def _set(self, key: str, value: str) -> None:
        keys = self.keys
        if keys.get(key, "") == value:
            return
        self.configuration = None
        if value:
            keys[key] = value
            return
        # The last key takes the place of the one that goes; the order in which keys are discovered depends on it.
        items = list(keys.items())
        index = list(keys).index(key)
        items[index] = items[-1]
        self.keys = dict(items[:-1])

    def configuration_in_force(self) -> Configuration:
        """Return the configuration of the next result."""
        return self.configuration or self._snapshot()

    def _snapshot(self) -> Configuration:
        values = tuple(self.keys.items())
        known = self.known_configurations.get(values)
        if known is None:
            known = self.known_configurations[values] = Configuration(self.input_file.label, dict(values))
        self.configuration = known
        return known


def key_and_value(line: str) -> tuple[str, str] | None:
    """Read `key: value`: the key starts with a lower-case letter and has neither space nor upper case."""
    if not line[0].islower():
        return None
    key, colon, rest = line.partition(":")
    if not colon or any(character.isspace() or character.isupper() for character in key):
        return None
    if not rest:
        return key, ""
    value = rest.lstrip(" \t")
    # Without a blank behind the colon it is something else, such as a URL.
    return (key, value) if value != rest else None


def file_records(
    inputs: Sequence[InputFile], units: UnitMetadata, on_error: Callable[[BenchmarkSyntaxError], None]
) -> Iterator[Result]:
    """Yield the results of several files, handing the lines that are wrong to `on_error`."""
    for input_file in inputs:
        for record in read_benchmarks(input_file, units):
            if isinstance(record, Result):
                yield record
            else:
                on_error(record)


def name_parts_as_labels(name: str) -> dict[str, str]:
    """Return the parts of a benchmark's name by key.

    The keys are `name`, `gomaxprocs`, that of each `/key=value`, and `sub1`, `sub2`, … for the other parts.
    """
    labels = {}
    before, dash, after = name.rpartition("-")
    if dash:
        try:
            parse_int(after)
        except ValueError:
            pass
        else:
            labels["gomaxprocs"], name = after, before
    labels["name"], *parts = name.split("/")
    for number, part in enumerate(parts, start=1):
        key, equals, value = part.partition("=")
        labels[key if equals else f"sub{number}"] = value if equals else part
    return labels
