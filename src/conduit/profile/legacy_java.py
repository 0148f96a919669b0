"""Readers of the profiles that Java agents write: heap, contention, and CPU samples, each with its symbols.

Unlike the other old formats, these carry names: below the samples, one line for each address says `function
(file:line)`, `function (library)`, or the virtual machine's state (`GC`). Resolved addresses are dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile.legacy_stacks import (
    MalformedError,
    Stacks,
    UnrecognizedError,
    expression,
    hex_addresses,
    sample_integer,
    unsampled,
)
from conduit.profile.model import Function, Line, ValueType, base_name

if TYPE_CHECKING:
    from conduit.profile.limits import Limits
    from conduit.profile.model import Location, Profile

_KINDS = {"--- heapz 1 ---": "heap", "--- contentionz 1 ---": "contention"}
_HEAP_RATE = 512 * 1024
_ATTRIBUTE = r"([\w ]+)=([\w ]+)"
_SAMPLE = r" *(\d+) +(\d+) +@ +([ x0-9a-f]*)"
_LOCATION = r"^\s*0x([[:xdigit:]]+)\s+(.*)\s*$"
_WITH_LINE = r"^(.*)\s+\((.+):(-?[[:digit:]]+)\)$"
_WITH_FILE = r"^(.*)\s+\((.*)\)$"
_STUB = "generated stub/JIT"


def decode_java(lines: list[str], limits: Limits) -> Profile | None:
    """Read a heap or contention profile of a Java agent; None for other formats.

    Raises `UnrecognizedError` for attributes that it does not know, `MalformedError` for samples that cannot be right.
    """
    kind = _KINDS.get(lines[0].strip())
    if kind is None or len(lines) < 2:
        return None
    stacks = Stacks([], ValueType("", ""), 0, limits)
    end = _read_attributes(kind, lines, stacks.profile)
    end = _read_samples(kind, lines, end, stacks)
    return name_locations(stacks, lines[end:])


def _read_attributes(kind: str, lines: list[str], profile: Profile) -> int:
    """Read the `name=value` lines; return the index of the first other line."""
    for index in range(1, len(lines) - 1):  # what follows the last line break is no line
        line = lines[index].strip()
        match = expression(_ATTRIBUTE).search(line)
        if not line:
            continue
        if match is None:
            return index
        name, value = match[1].strip(), match[2].strip()
        if name == "format" and value == "java":
            continue
        if name == "resolution":
            counted, measured = (
                ("inuse_objects", "inuse_space") if kind == "heap" else ("contentions", "delay")
            )
            profile.sample_types = [ValueType(counted, "count"), ValueType(measured, value)]
        elif kind == "contention" and name == "sampling period":
            profile.period_type, profile.period = ValueType("contentions", "count"), _attribute(line, value)
        elif kind == "contention" and name == "ms since reset":
            profile.duration_nanos = _attribute(line, value) * 1_000_000
        else:
            raise UnrecognizedError
    return len(lines) - 1


def _attribute(line: str, text: str) -> int:
    try:
        return sample_integer(text, line, 0)
    except ValueError:
        raise MalformedError(f"failed to parse attribute {line}") from None


def _read_samples(kind: str, lines: list[str], start: int, stacks: Stacks) -> int:
    """Read the lines with values and addresses; return the index of the first other line."""
    for index in range(start, len(lines) - 1):
        line = lines[index].strip()
        if not line:
            continue
        match = expression(_SAMPLE).search(line)
        if match is None:
            return index
        if not stacks.profile.sample_types:
            raise MalformedError("mismatch: sample has 2 values vs. 0 types")
        count, amount = sample_integer(match[2], line), sample_integer(match[1], line)
        block_size = 0
        if kind == "heap":
            if count == 0:
                raise MalformedError(f"parsing sample {line}: second value must be non-zero")
            block_size = amount // count
            count, amount = unsampled(count, amount, _HEAP_RATE)
        elif stacks.profile.period:
            count, amount = count * stacks.profile.period, amount * stacks.profile.period
        sample = stacks.add([count, amount], hex_addresses(match[3], line))
        if kind == "heap":
            sample.numeric_labels = {"bytes": [block_size]}
    return len(lines) - 1


def name_locations(stacks: Stacks, lines: list[str]) -> Profile:
    """Give the locations the names that stand below the samples, and return the profile, without addresses."""
    functions: dict[str, Function] = {}
    for line in lines:
        match = expression(_LOCATION).search(line.strip())
        location = stacks.location_at(int(match[1], 16)) if match else None
        if match is not None and location is not None:
            name, file, number = _symbol(match[2])
            function = functions.setdefault(name, Function(0, name, name, file))
            location.lines = [Line(function, number)]
            location.address = 0
    profile = stacks.finish([])
    profile.functions = _in_order_of_use(profile.locations)
    for location in profile.locations:
        location.address = 0
    return profile


def _symbol(text: str) -> tuple[str, str, int]:
    """Return function, file and line; a library's path is only its name, and a line that is not known is 0."""
    match = expression(_WITH_LINE).search(text)
    if match is not None:
        return match[1], match[2], max(sample_integer(match[3], text), 0)
    match = expression(_WITH_FILE).search(text)
    if match is not None:
        return match[1], base_name(match[2]), 0
    return ("STUB" if _STUB in text else text), "", 0


def _in_order_of_use(locations: list[Location]) -> list[Function]:
    used = dict.fromkeys(line.function for location in locations for line in location.lines if line.function)
    for number, function in enumerate(used, 1):
        function.id = number
    return list(used)
