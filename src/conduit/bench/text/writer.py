"""Go's benchmark text, written: a result line, its numbers and its padding.

Source: golang.org/design/14313-benchmark-format, and the rules of Go's `testing` package for how it prints them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.bench.names import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.bench.result import Measurement, MeasurementWarning

MAX_LOG_LINES = 10
SLACK = 8

# Smallest magnitude for which a width and a number of decimals hold: four digits, points in one column.
_NUMBER_FORMATS = (
    (999.95, "10.0f"),
    (99.995, "12.1f"),
    (9.9995, "13.2f"),
    (0.99995, "14.3f"),
    (0.099995, "15.4f"),
    (0.0099995, "16.5f"),
    (0.00099995, "17.6f"),
)
_SMALLEST_FORMAT = "18.7f"
_BUILT_IN = ("ns/op", "MB/s", "B/op", "allocs/op")


def format_value(value: float, unit: str) -> str:
    """Return a value with its unit: four digits, padded so that decimal points stand below each other."""
    magnitude = abs(value)
    if magnitude == 0:
        return f"{value:10.0f} {unit}"
    style = next((style for least, style in _NUMBER_FORMATS if magnitude >= least), _SMALLEST_FORMAT)
    return f"{value:{style}} {unit}"


def format_measurement(measurement: Measurement, width: int) -> str:
    """Return the result line, without a line end; `width` is that of the name's column (see `NameColumn`).

    A value of 0 ns/op or 0 MB/s is left out; so are columns that were not counted.
    """
    columns = [f"{numbered(measurement.name, measurement.processors):<{width}}", f"{measurement.n:8d}"]
    if measurement.ns_per_op:
        columns.append(format_value(measurement.ns_per_op, "ns/op"))
    if measurement.megabytes_per_second:
        columns.append(f"{measurement.megabytes_per_second:7.2f} MB/s")
    columns += [
        format_value(measurement.metrics[unit], unit)
        for unit in sorted(measurement.metrics)
        if unit not in _BUILT_IN
    ]
    if measurement.bytes_per_op is not None:
        columns.append(f"{measurement.bytes_per_op:8d} B/op")
    if measurement.allocs_per_op is not None:
        columns.append(f"{measurement.allocs_per_op:8d} allocs/op")
    return "\t".join(columns)


def format_block(tag: str, name: str, lines: Sequence[str]) -> str:
    """Return a block below a result line (`--- BENCH: name`), with a line end.

    Readers of the format skip such blocks.
    """
    return "\n".join([f"--- {tag}: {name}", *lines]) + "\n"


def format_warnings(name: str, warnings: Sequence[MeasurementWarning]) -> str:
    """Return the warnings about a result, one a line, with a line end."""
    return format_block("WARN", name, [f"    {warning}" for warning in warnings])


def trim_log(lines: Sequence[str]) -> list[str]:
    """Return at most ten lines of a log, and a line that says so where there were more."""
    if len(lines) <= MAX_LOG_LINES:
        return list(lines)
    return [*lines[:MAX_LOG_LINES], "\t... [output truncated]"]


def align_lines(lines: Sequence[str]) -> list[str]:
    """Return result lines with their name columns padded to the same width."""
    split = [line.split("\t", 1) for line in lines]
    width = max((len(name.rstrip()) for name, _ in split), default=0)
    return [f"{name.rstrip():<{width}}\t{rest}" for name, rest in split]


class NameColumn:
    """The width of the names' column: that of the longest top-level name, wider once a longer one turns up."""

    def __init__(self, top_level: Sequence[str], processor_list: Sequence[int]) -> None:
        most = max(processor_list, default=1)
        self._extension = len(numbered("", most))
        lengths = [len(numbered(name, most)) + self._extension + 1 for name in top_level]
        self.width: int = max(lengths, default=0)

    def make_room(self, name: str) -> None:
        """Widen the column, with some slack against frequent jumps, for a name without its `-N`."""
        needed = len(name) + self._extension + 1
        if needed > self.width:
            self.width = needed + SLACK
