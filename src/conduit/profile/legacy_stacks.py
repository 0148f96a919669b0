"""Stacks of addresses as the old text formats have them, and the memory map that says which file each belongs to.

An address that a call returns to is moved back by one, to lie on the call. Lines come from outside, so they are matched
with RE2, whose time does not explode on hostile ones.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

from conduit.profile.model import Location, Mapping, Profile, Sample, ValueType
from conduit.regexps import compile_expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.profile.limits import Limits
    from conduit.regexps.expression import Expression

_ADDRESS = r"0x[0-9a-f]+"
_MAPS_LINE = (
    r"^\s*(?:0x)?([[:xdigit:]]+)[\s-]?\s*(?:0x)?([[:xdigit:]]+):?(?:\s+([-rwxp]+))?(?:\s+([[:xdigit:]]+))?"
    r"\s+[[:xdigit:]]+:[[:xdigit:]]+\s+[[:digit:]]+(?:\s+(\S+))?"
)
_BRIEF_MAPS_LINE = (
    r"^\s*(?:0x)?([[:xdigit:]]+)[\s-]?\s*(?:0x)?([[:xdigit:]]+):?(?:\s+([-rwxp]+))?(?:\s+(\S+))?"
    r"(?:\s+\(@([[:xdigit:]]+)\))?(?:\s+([[:xdigit:]]+))?"
)
_LOG_PREFIX = r"^[^\[\]]+:[0-9]+]\s"
_SHARED_LIBRARY = r"[.]so$|[.]so[._][0-9]+"
MAP_HEADERS = ("--- Memory map: ---", "MAPPED_LIBRARIES:")
_EXECUTABLE_START = 0x400000  # where linkers put a program that is not position independent
_MASK64 = (1 << 64) - 1
_SIGN_BIT = 1 << 63
_LONGEST_LINE = 1 << 16  # characters of a line of the memory map, after substitutions
_LONGEST_VALUE = 256  # characters of a `name=value` line; values may hold others, and would double each time


@cache
def expression(text: str) -> Expression[str]:
    """Return a compiled pattern."""
    return compile_expression(text)


class UnrecognizedError(Exception):
    """The bytes are in none of these formats."""


class MalformedError(Exception):
    """The bytes are in one of these formats, but for what the message says, in the original's words."""


class Stacks:
    """A profile that is being made of samples with addresses."""

    def __init__(
        self, sample_types: list[ValueType], period_type: ValueType, period: int, limits: Limits
    ) -> None:
        self.profile: Profile = Profile(sample_types, period_type=period_type, period=period)
        self._locations: dict[int, Location] = {}
        self._limits = limits
        self._frames = 0

    def add(self, values: list[int], addresses: list[int]) -> Sample:
        """Add a sample and return it; raises `MalformedError` beyond 64 bits and beyond the limits."""
        if not all(-_SIGN_BIT <= value < _SIGN_BIT for value in values):
            raise MalformedError(f"malformed sample: {values} do not fit into 64 bits")
        self._frames += len(addresses)
        if self._frames > self._limits.frames:
            raise MalformedError(f"more than {self._limits.frames} frames, which is the limit")
        sample = Sample([self._location(address & _MASK64) for address in addresses], values)
        self.profile.samples.append(sample)
        return sample

    def location_at(self, address: int) -> Location | None:
        """Return the location of an address that a sample has."""
        return self._locations.get(address)

    def _location(self, address: int) -> Location:
        location = self._locations.get(address)
        if location is None:
            location = self._locations[address] = Location(address=address)
        return location

    def finish(self, map_lines: list[str]) -> Profile:
        """Number the locations in order of use and give each the mapping that it lies in."""
        profile = self.profile
        used = dict.fromkeys(place for sample in profile.samples for place in sample.locations)
        profile.locations = list(used)
        for id, location in enumerate(profile.locations, 1):
            location.id = id
        profile.mappings = _ordered(_joined(list(_read_maps(map_lines))))
        if len(profile.mappings) * len(profile.locations) > self._limits.frames:
            raise MalformedError(f"more than {self._limits.frames} pairs of address and mapping, the limit")
        _assign_mappings(profile)
        return profile


def is_blank(line: str) -> bool:
    """Return whether a line is empty or a comment."""
    text = line.strip()
    return not text or text.startswith("#")


def map_lines(lines: list[str], start: int) -> list[str]:
    """Return the lines below the heading of the memory map, looked for from `start` on."""
    for index in range(start, len(lines)):
        if any(header in lines[index] for header in MAP_HEADERS):
            return lines[index + 1 :]
    return []


def sample_integer(text: str, line: str, base: int = 10) -> int:
    """Return the number that a text of a line is; raise `MalformedError` beyond 64 bits."""
    value = int(text, base) if len(text) < 100 else 1 << 64
    if not -(1 << 63) <= value < 1 << 63:
        raise MalformedError(f"malformed sample: {line}: {text} does not fit into 64 bits")
    return value


def hex_addresses(text: str, line: str) -> list[int]:
    """Return the addresses in a text of a line; raise `MalformedError` beyond 64 bits."""
    addresses = [int(word, 16) for word in expression(_ADDRESS).findall(text)]
    if addresses and max(addresses) > _MASK64:
        raise MalformedError(f"malformed sample: {line}: an address does not fit into 64 bits")
    return addresses


def unsampled(count: int, size: int, rate: int) -> tuple[int, int]:
    """Scale a sampled block up: a block of S bytes is sampled with a probability of 1 - exp(-S/rate)."""
    if size == 0:
        return 0, 0
    if rate <= 1:
        return count, size
    try:
        factor = 1 / (1 - math.exp(-(size / count) / rate))
        return int(count * factor), int(size * factor)
    except (OverflowError, ZeroDivisionError):
        raise MalformedError(f"malformed sample: {count} blocks of {size} bytes cannot be scaled") from None


def drop_doubled_leaves(profile: Profile) -> None:
    """Remove a leaf that is there a second time, once from the signal and once from the stack, moved back by one."""
    for sample in profile.samples:
        stack = sample.locations
        if len(stack) > 1 and stack[0].address == stack[1].address + 1:
            del stack[1]


def _read_maps(lines: list[str]) -> Iterator[Mapping]:
    """Read executable mappings as `/proc/self/maps` prints them; `name=value` lines define `$name` for those below."""
    replacements: dict[str, str] = {}
    for raw in lines:
        line = raw.removesuffix("\r")
        prefix = expression(_LOG_PREFIX).search(line)
        line = line[prefix.end() :] if prefix else line
        for name, value in replacements.items():
            line = line[:_LONGEST_LINE].replace(name, value)
        fields = _map_fields(line)
        if fields is None:
            name, equals, value = line.partition("=")
            if equals and len(value) < _LONGEST_VALUE and len(replacements) < 100:
                replacements["$" + name.strip()] = value.strip()
            continue
        start, limit, permissions, offset, filename, build_id = fields
        numbers = [int(text or "0", 16) for text in (start, limit, offset)]
        if (permissions and "x" not in permissions) or max(numbers) > _MASK64:
            continue
        yield Mapping(0, numbers[0], numbers[1], numbers[2], filename or "", build_id or "")


def _map_fields(line: str) -> tuple[str | None, ...] | None:
    match = expression(_MAPS_LINE).search(line)
    if match is not None:
        return (*match.groups(), "")
    match = expression(_BRIEF_MAPS_LINE).search(line)
    if match is None:
        return None
    start, limit, permissions, filename, offset, build_id = match.groups()
    return start, limit, permissions, offset, filename, build_id


def _joined(mappings: list[Mapping]) -> list[Mapping]:
    """Join regions of one file that follow each other."""
    joined: list[Mapping] = []
    for mapping in mappings:
        if joined and _follows(joined[-1], mapping):
            joined[-1].limit = mapping.limit
            joined[-1].filename = mapping.filename or joined[-1].filename
            joined[-1].build_id = mapping.build_id or joined[-1].build_id
        else:
            joined.append(mapping)
    return joined


def _follows(first: Mapping, second: Mapping) -> bool:
    if first.filename and second.filename and first.filename != second.filename:
        return False
    if first.build_id and second.build_id and first.build_id != second.build_id:
        return False
    if first.limit != second.start:
        return False
    return not (first.offset and second.offset and first.offset + first.limit - first.start != second.offset)


def _ordered(mappings: list[Mapping]) -> list[Mapping]:
    """Put the main program first: the first file that is neither a library nor the kernel's."""
    for index, mapping in enumerate(mappings):
        name = mapping.filename.replace("(deleted)", "").strip()
        if name and not name.startswith("[") and not expression(_SHARED_LIBRARY).search(name):
            mappings[0], mappings[index] = mappings[index], mappings[0]
            break
    return mappings


def _assign_mappings(profile: Profile) -> None:
    mappings = profile.mappings
    if (
        len(mappings) > 1
        and mappings[0].filename.startswith("/anon_hugepage")
        and mappings[0].limit == mappings[1].start
    ):
        del mappings[0]  # The start of the program, moved to larger pages; the rest of it follows.
    if mappings and mappings[0].start - mappings[0].offset == _EXECUTABLE_START:
        mappings[0].start, mappings[0].offset = _EXECUTABLE_START, 0
    unknown: Mapping | None = None
    for location in profile.locations:
        address = location.address
        if address == 0:
            continue
        location.mapping = next((one for one in mappings if one.start <= address < one.limit), None)
        if location.mapping is None:
            location.mapping = _extended_downwards(mappings, address)
        if location.mapping is None:
            if unknown is None:
                unknown = Mapping(limit=_MASK64)
                mappings.append(unknown)
            location.mapping = unknown
    for id, mapping in enumerate(mappings, 1):
        mapping.id = id


def _extended_downwards(mappings: list[Mapping], address: int) -> Mapping | None:
    """Return a mapping whose file begins below it, where a writer left out the part that holds the address."""
    for mapping in mappings:
        if mapping.offset and mapping.start - mapping.offset <= address < mapping.start:
            mapping.start -= mapping.offset
            mapping.offset = 0
            return mapping
    return None
