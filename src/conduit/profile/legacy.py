"""Readers of the formats that profiles had before `profile.proto`: text with addresses, and binary CPU profiles.

Go's runtime still prints them at `/debug/pprof/NAME?debug=1`: counts (`goroutine profile: total 9`), heap
(`heap profile: 1: 2 [3: 4] @ heap/8192`) and contention (`--- mutex:`); gperftools writes the same heap text and the
binary CPU form. They hold addresses only, and a memory map at the end says which file each belongs to. An address that
a call returns to is moved back by one, to lie on the call.

Lines come from outside, so they are matched with RE2, whose time does not explode on hostile ones.
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

_MASK64 = (1 << 64) - 1
_SIGN_BIT = 1 << 63
_HEADER_BYTES = 1 << 16  # how far down a text's first line may come, behind comments
_LONGEST_LINE = 1 << 16  # characters of a line of the memory map, after substitutions
_LONGEST_VALUE = 256  # characters of a `name=value` line; values may hold others, and would double each time

_COUNT_HEADER = r"\A(\S+) profile: total \d+\z"
_COUNT_SAMPLE = r"\A(\d+) @((?: 0x[0-9a-f]+)+)\z"
_HEAP_HEADER = r"heap profile: *(\d+): *(\d+) *\[ *(\d+): *(\d+) *\] *@ *(heap[_a-z0-9]*|growthz?|fragmentationz?)/?(\d*)"
_HEAP_SAMPLE = r"(-?\d+): *(-?\d+) *\[ *(\d+): *(\d+) *] @([ x0-9a-f]*)"
_CONTENTION_SAMPLE = r"(\d+) *(\d+) @([ x0-9a-f]*)"
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
_MAP_HEADERS = ("--- Memory map: ---", "MAPPED_LIBRARIES:")
_EXECUTABLE_START = 0x400000  # where linkers put a program that is not position independent


@cache
def _expression(text: str) -> Expression[str]:
    return compile_expression(text)


class UnrecognizedError(Exception):
    """The bytes are in none of these formats."""


class MalformedError(Exception):
    """The bytes are in one of these formats, but for what the message says, in the original's words."""


def decode_legacy(data: bytes, limits: Limits) -> Profile:
    """Reads a profile in whichever of the old formats it is; raises `UnrecognizedError` or `MalformedError`."""
    binary = _decode_cpu(data, limits)
    if binary is not None:
        return binary
    head = data[:_HEADER_BYTES]
    if b" profile: " not in head and not head.startswith(b"--- "):
        raise UnrecognizedError
    if data.count(b"\n") > limits.records:
        raise MalformedError(f"more than {limits.records} lines, which is the limit")
    text = data.decode("utf-8", "replace")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    for decode in (_decode_heap, _decode_count, _decode_contention):
        profile = decode(lines, limits)
        if profile is not None:
            return profile
    raise UnrecognizedError


class _Stacks:
    """A profile that is being made of samples with addresses."""

    def __init__(
        self, sample_types: list[ValueType], period_type: ValueType, period: int, limits: Limits
    ) -> None:
        self.profile = Profile(sample_types, period_type=period_type, period=period)
        self._locations: dict[int, Location] = {}
        self._limits = limits
        self._frames = 0

    def add(self, values: list[int], addresses: list[int]) -> Sample:
        if not all(-_SIGN_BIT <= value < _SIGN_BIT for value in values):
            raise MalformedError(f"malformed sample: {values} do not fit into 64 bits")
        self._frames += len(addresses)
        if self._frames > self._limits.frames:
            raise MalformedError(f"more than {self._limits.frames} frames, which is the limit")
        sample = Sample([self._location(address & _MASK64) for address in addresses], values)
        self.profile.samples.append(sample)
        return sample

    def _location(self, address: int) -> Location:
        location = self._locations.get(address)
        if location is None:
            location = self._locations[address] = Location(address=address)
        return location

    def finish(self, map_lines: list[str]) -> Profile:
        """Numbers the locations in order of use and gives each the mapping that it lies in."""
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


def _is_blank(line: str) -> bool:
    text = line.strip()
    return not text or text.startswith("#")


def _map_lines(lines: list[str], start: int) -> list[str]:
    """The lines below the heading of the memory map, looked for from `start` on."""
    for index in range(start, len(lines)):
        if any(header in lines[index] for header in _MAP_HEADERS):
            return lines[index + 1 :]
    return []


def _integer(text: str, line: str, base: int = 10) -> int:
    value = int(text, base)
    if not -(1 << 63) <= value < 1 << 63:
        raise MalformedError(f"malformed sample: {line}: {text} does not fit into 64 bits")
    return value


def _addresses(text: str, line: str) -> list[int]:
    addresses = [int(word, 16) for word in _expression(_ADDRESS).findall(text)]
    if addresses and max(addresses) > _MASK64:
        raise MalformedError(f"malformed sample: {line}: an address does not fit into 64 bits")
    return addresses


def _decode_count(lines: list[str], limits: Limits) -> Profile | None:
    start = next((index for index, line in enumerate(lines) if not _is_blank(line)), None)
    header = _expression(_COUNT_HEADER).search(lines[start]) if start is not None else None
    if header is None or start is None:
        return None
    kind = ValueType(header[1], "count")
    stacks = _Stacks([kind], kind, 1, limits)
    end = start + 1
    for end in range(start + 1, len(lines)):
        line = lines[end]
        if _is_blank(line):
            continue
        if line.startswith("---"):
            break
        match = _expression(_COUNT_SAMPLE).search(line)
        if match is None:
            raise MalformedError("malformed profile format")
        stacks.add([_integer(match[1], line)], [address - 1 for address in _addresses(match[2], line)])
    return stacks.finish(_map_lines(lines, end))


def _decode_heap(lines: list[str], limits: Limits) -> Profile | None:
    header = _expression(_HEAP_HEADER).search(lines[0])
    if header is None:
        return None
    period, scaled = _heap_sampling(header[5], header[6])
    in_use, allocated = (header[1], header[2]), (header[3], header[4])
    has_allocations = header[5].startswith("heap") and any(
        total not in (now, "0") for now, total in zip(in_use, allocated, strict=True)
    )
    names = ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")
    kinds = [
        ValueType(name, unit)
        for name, unit in zip(
            names if has_allocations else ("objects", "space"), ("count", "bytes") * 2, strict=False
        )
    ]
    stacks = _Stacks(kinds, ValueType("space", "bytes"), period, limits)
    end = 1
    for end in range(1, len(lines)):
        line = lines[end].strip()
        if any(header in line for header in _MAP_HEADERS):
            break
        if not _is_blank(line):
            _add_heap_sample(stacks, line, has_allocations, period if scaled else 0)
    return stacks.finish(_map_lines(lines, end))


def _heap_sampling(kind: str, rate: str) -> tuple[int, bool]:
    """The sampling period, and whether values are of sampled blocks only and have to be scaled up."""
    if len(rate) > 18:
        raise UnrecognizedError
    if kind in ("heapz_v2", "heap_v2"):
        return int(rate or 0), True
    if kind == "heap":
        return int(rate or 0) // 2, True
    if kind == "heapprofile" or kind.startswith(("growth", "fragmentation")):
        return 1, False
    raise UnrecognizedError


def _add_heap_sample(stacks: _Stacks, line: str, has_allocations: bool, rate: int) -> None:
    match = _expression(_HEAP_SAMPLE).search(line)
    if match is None:
        raise MalformedError("unexpected number of sample values: got 0, want 6")
    in_use, allocated = (match[1], match[2], "inuse"), (match[3], match[4], "allocation")
    values: list[int] = []
    block_size = 0
    for count_text, size_text, what in (allocated, in_use) if has_allocations else (in_use,):
        count, size = _integer(count_text, line), _integer(size_text, line)
        if count == 0 and size != 0:
            raise MalformedError(f"{what} count was 0 but {what} bytes was {size}")
        if count:
            block_size = size // count if (size < 0) == (count < 0) else -(-size // count)
            count, size = _unsampled(count, size, rate)
        values += (count, size)
    sample = stacks.add(values, [address - 1 for address in _addresses(match[5], line)])
    sample.numeric_labels = {"bytes": [block_size]}


def _unsampled(count: int, size: int, rate: int) -> tuple[int, int]:
    """Scales a sampled block up: a block of S bytes is sampled with a probability of 1 - exp(-S/rate)."""
    if size == 0:
        return 0, 0
    if rate <= 1:
        return count, size
    try:
        factor = 1 / (1 - math.exp(-(size / count) / rate))
        return int(count * factor), int(size * factor)
    except (OverflowError, ZeroDivisionError):
        raise MalformedError(f"malformed sample: {count} blocks of {size} bytes cannot be scaled") from None


def _decode_contention(lines: list[str], limits: Limits) -> Profile | None:
    if not lines[0].startswith(("--- contentionz ", "--- mutex:", "--- contention:")):
        return None
    kinds = [ValueType("contentions", "count"), ValueType("delay", "nanoseconds")]
    stacks = _Stacks(kinds, ValueType("contentions", "count"), 1, limits)
    start, cycles_per_second = _read_contention_header(lines, stacks.profile)
    end = start
    for end in range(start, len(lines)):
        line = lines[end].strip()
        if line.startswith("---"):
            break
        if not _is_blank(line):
            _add_contention_sample(stacks, line, cycles_per_second)
    return stacks.finish(_map_lines(lines, end))


def _read_contention_header(lines: list[str], profile: Profile) -> tuple[int, int]:
    """Reads the `name = value` lines; returns the index of the first other line, and the clock's speed."""
    cycles_per_second = 0
    for index in range(1, len(lines)):
        line = lines[index].strip()
        if _is_blank(line):
            continue
        name, equals, text = (part.strip() for part in line.partition("="))
        if line.startswith("---") or not equals:
            return index, cycles_per_second
        if name == "discarded samples":
            continue
        try:
            value = int(text, 0)
        except ValueError:
            raise UnrecognizedError from None
        if abs(value) >= 1 << 63:
            raise UnrecognizedError
        if name == "cycles/second":
            cycles_per_second = value
        elif name == "sampling period":
            profile.period = value
        elif name == "ms since reset":
            nanos = value * 1_000_000
            profile.duration_nanos = nanos if nanos < 1 << 63 else 0  # beyond the format's range: unknown
        else:
            raise UnrecognizedError
    return len(lines), cycles_per_second


def _add_contention_sample(stacks: _Stacks, line: str, cycles_per_second: int) -> None:
    match = _expression(_CONTENTION_SAMPLE).search(line)
    if match is None:
        raise UnrecognizedError
    delay, contentions = _integer(match[1], line), _integer(match[2], line)
    period = stacks.profile.period
    if period > 0:
        if cycles_per_second > 0:
            delay = int(float(delay) * period / (cycles_per_second / 1e9))
        contentions *= period
    stacks.add([contentions, delay], [address - 1 for address in _addresses(match[3], line)])


def _decode_cpu(data: bytes, limits: Limits) -> Profile | None:
    """Reads words of 4 or 8 bytes in either order: a header of five, then counts with their stacks."""
    for width, order in ((4, "<"), (4, ">"), (8, "<"), (8, ">")):
        head = _words(data[: 5 * width], width, order)
        if len(head) == 5 and head[:3] == [0, 3, 0] and 0 < head[3] < 1 << 50 and head[4] == 0:
            if len(data) > limits.frames * width:
                raise MalformedError(f"more than {limits.frames} words, which is the limit")
            stacks = _Stacks(
                [ValueType("samples", "count"), ValueType("cpu", "nanoseconds")],
                ValueType("cpu", "nanoseconds"),
                head[3] * 1000,
                limits,
            )
            return _read_cpu_samples(data, width, order, stacks)
    return None


def _words(data: bytes, width: int, order: str) -> list[int]:
    from struct import unpack

    count = len(data) // width
    return list(unpack(f"{order}{count}{'I' if width == 4 else 'Q'}", data[: count * width]))


def _read_cpu_samples(data: bytes, width: int, order: str, stacks: _Stacks) -> Profile:
    period = stacks.profile.period
    words = _words(data, width, order)
    position = 5
    while position + 1 < len(words):
        count, depth = words[position], words[position + 1]
        position += 2
        addresses = words[position : position + depth]
        if depth > len(words) - position:
            raise UnrecognizedError
        position += depth
        if count == 0 and addresses == [0]:
            break
        # The leaf is where the program was; above it are addresses that calls return to.
        stacks.add([count, count * period], [*addresses[:1], *(address - 1 for address in addresses[1:])])
    else:
        raise UnrecognizedError
    _strip_handler_frames(stacks.profile)
    text = data[position * width :].decode("utf-8", "replace")
    return stacks.finish(text.split("\n"))


def _strip_handler_frames(profile: Profile) -> None:
    """Removes what the profiler's own signal handler left in the stacks.

    A frame that nearly all samples have right above the leaf is the handler's, up to twice; and a leaf may be there a
    second time, once from the signal and once from the stack, moved back by one.
    """
    enough = len(profile.samples) - len(profile.samples) // 32
    for _ in range(2):
        seconds: dict[Location, int] = {}
        for sample in profile.samples:
            if len(sample.locations) > 1:
                second = sample.locations[1]
                seconds[second] = seconds.get(second, 0) + 1
        for location, count in seconds.items():
            if count >= enough:
                _remove_second(profile, location.address)
                break
    for sample in profile.samples:
        stack = sample.locations
        if len(stack) > 1 and stack[0].address == stack[1].address + 1:
            del stack[1]


def _remove_second(profile: Profile, address: int) -> None:
    for sample in profile.samples:
        if len(sample.locations) > 1 and sample.locations[1].address == address:
            del sample.locations[1]


def _read_maps(lines: list[str]) -> Iterator[Mapping]:
    """Reads executable mappings as `/proc/self/maps` prints them; `name=value` lines define `$name` for those below."""
    replacements: dict[str, str] = {}
    for raw in lines:
        line = raw.removesuffix("\r")
        prefix = _expression(_LOG_PREFIX).search(line)
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
    match = _expression(_MAPS_LINE).search(line)
    if match is not None:
        return (*match.groups(), "")
    match = _expression(_BRIEF_MAPS_LINE).search(line)
    if match is None:
        return None
    start, limit, permissions, filename, offset, build_id = match.groups()
    return start, limit, permissions, offset, filename, build_id


def _joined(mappings: list[Mapping]) -> list[Mapping]:
    """Joins regions of one file that follow each other."""
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
    """Puts the main program first: the first file that is neither a library nor the kernel's."""
    for index, mapping in enumerate(mappings):
        name = mapping.filename.replace("(deleted)", "").strip()
        if name and not name.startswith("[") and not _expression(_SHARED_LIBRARY).search(name):
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
    """A mapping whose file begins below it, where a writer left out the part that holds the address."""
    for mapping in mappings:
        if mapping.offset and mapping.start - mapping.offset <= address < mapping.start:
            mapping.start -= mapping.offset
            mapping.offset = 0
            return mapping
    return None
