"""Readers of the formats that profiles had before `profile.proto`: text with addresses, and binary CPU profiles.

Go's runtime still prints them at `/debug/pprof/NAME?debug=1`: counts (`goroutine profile: total 9`), heap
(`heap profile: 1: 2 [3: 4] @ heap/8192`) and contention (`--- mutex:`); gperftools writes the same heap text and the
binary CPU form. They hold addresses only, and a memory map at the end says which file each belongs to. Threads, Java's
and jemalloc's profiles have rooms of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile.legacy_java import decode_java, name_locations
from conduit.profile.legacy_jemalloc import decode_jemalloc
from conduit.profile.legacy_stacks import (
    MAP_HEADERS,
    MalformedError,
    Stacks,
    UnrecognizedError,
    drop_doubled_leaves,
    expression,
    hex_addresses,
    is_blank,
    map_lines,
    sample_integer,
    unsampled,
)
from conduit.profile.legacy_threads import decode_threads
from conduit.profile.model import ValueType

if TYPE_CHECKING:
    from conduit.profile.limits import Limits
    from conduit.profile.model import Location, Profile

_HEADER_BYTES = 1 << 16  # how far down a text's first line may come, behind comments

_COUNT_HEADER = r"\A(\S+) profile: total \d+\z"
_COUNT_SAMPLE = r"\A(\d+) @((?: 0x[0-9a-f]+)+)\z"
_HEAP_HEADER = (
    r"heap profile: *(\d+): *(\d+) *\[ *(\d+): *(\d+) *\] *@ *"
    r"(heap[_a-z0-9]*|growthz?|fragmentationz?)/?(\d*)"
)
_HEAP_SAMPLE = r"(-?\d+): *(-?\d+) *\[ *(\d+): *(\d+) *] @([ x0-9a-f]*)"
_CONTENTION_SAMPLE = r"(\d+) *(\d+) @([ x0-9a-f]*)"


def decode_legacy(data: bytes, limits: Limits) -> Profile:
    """Read a profile in whichever of the old formats it is; raise `UnrecognizedError` or `MalformedError`."""
    binary = _decode_cpu(data, limits)
    if binary is not None:
        return binary
    head = data[:_HEADER_BYTES]
    if not any(mark in head for mark in (b" profile: ", b"--- ", b"heap_v2/")):
        raise UnrecognizedError
    if data.count(b"\n") > limits.records:
        raise MalformedError(f"more than {limits.records} lines, which is the limit")
    text = data.decode("utf-8", "replace")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    for decode in (
        _decode_heap,
        _decode_count,
        decode_threads,
        _decode_contention,
        decode_java,
        decode_jemalloc,
    ):
        try:
            profile = decode(lines, limits)
        except UnrecognizedError:
            continue  # Java's contention profiles begin like gperftools'
        if profile is not None:
            return profile
    raise UnrecognizedError


def _decode_count(lines: list[str], limits: Limits) -> Profile | None:
    start = next((index for index, line in enumerate(lines) if not is_blank(line)), None)
    header = expression(_COUNT_HEADER).search(lines[start]) if start is not None else None
    if header is None or start is None:
        return None
    kind = ValueType(header[1], "count")
    stacks = Stacks([kind], kind, 1, limits)
    end = start + 1
    for end in range(start + 1, len(lines)):
        line = lines[end]
        if is_blank(line):
            continue
        if line.startswith("---"):
            break
        match = expression(_COUNT_SAMPLE).search(line)
        if match is None:
            raise MalformedError("malformed profile format")
        stacks.add(
            [sample_integer(match[1], line)], [address - 1 for address in hex_addresses(match[2], line)]
        )
    return stacks.finish(map_lines(lines, end))


def _decode_heap(lines: list[str], limits: Limits) -> Profile | None:
    header = expression(_HEAP_HEADER).search(lines[0])
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
    stacks = Stacks(kinds, ValueType("space", "bytes"), period, limits)
    end = 1
    for end in range(1, len(lines)):
        line = lines[end].strip()
        if any(header in line for header in MAP_HEADERS):
            break
        if not is_blank(line):
            _add_heap_sample(stacks, line, has_allocations, period if scaled else 0)
    return stacks.finish(map_lines(lines, end))


def _heap_sampling(kind: str, rate: str) -> tuple[int, bool]:
    """Return the sampling period, and whether values are of sampled blocks only and have to be scaled up."""
    if len(rate) > 18:
        raise UnrecognizedError
    if kind in ("heapz_v2", "heap_v2"):
        return int(rate or 0), True
    if kind == "heap":
        return int(rate or 0) // 2, True
    if kind == "heapprofile" or kind.startswith(("growth", "fragmentation")):
        return 1, False
    raise UnrecognizedError


def _add_heap_sample(stacks: Stacks, line: str, has_allocations: bool, rate: int) -> None:
    match = expression(_HEAP_SAMPLE).search(line)
    if match is None:
        raise MalformedError("unexpected number of sample values: got 0, want 6")
    in_use, allocated = (match[1], match[2], "inuse"), (match[3], match[4], "allocation")
    values: list[int] = []
    block_size = 0
    for count_text, size_text, what in (allocated, in_use) if has_allocations else (in_use,):
        count, size = sample_integer(count_text, line), sample_integer(size_text, line)
        if count == 0 and size != 0:
            raise MalformedError(f"{what} count was 0 but {what} bytes was {size}")
        if count:
            block_size = size // count if (size < 0) == (count < 0) else -(-size // count)
            count, size = unsampled(count, size, rate)
        values += (count, size)
    sample = stacks.add(values, [address - 1 for address in hex_addresses(match[5], line)])
    sample.numeric_labels = {"bytes": [block_size]}


def _decode_contention(lines: list[str], limits: Limits) -> Profile | None:
    if not lines[0].startswith(("--- contentionz ", "--- mutex:", "--- contention:")):
        return None
    kinds = [ValueType("contentions", "count"), ValueType("delay", "nanoseconds")]
    stacks = Stacks(kinds, ValueType("contentions", "count"), 1, limits)
    start, cycles_per_second = _read_contention_header(lines, stacks.profile)
    end = start
    for end in range(start, len(lines)):
        line = lines[end].strip()
        if line.startswith("---"):
            break
        if not is_blank(line):
            _add_contention_sample(stacks, line, cycles_per_second)
    return stacks.finish(map_lines(lines, end))


def _read_contention_header(lines: list[str], profile: Profile) -> tuple[int, int]:
    """Read the `name = value` lines; return the index of the first other line, and the clock's speed."""
    cycles_per_second = 0
    for index in range(1, len(lines)):
        line = lines[index].strip()
        if is_blank(line):
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


def _add_contention_sample(stacks: Stacks, line: str, cycles_per_second: int) -> None:
    match = expression(_CONTENTION_SAMPLE).search(line)
    if match is None:
        raise UnrecognizedError
    delay, contentions = sample_integer(match[1], line), sample_integer(match[2], line)
    period = stacks.profile.period
    if period > 0:
        if cycles_per_second > 0:
            delay = int(float(delay) * period / (cycles_per_second / 1e9))
        contentions *= period
    stacks.add([contentions, delay], [address - 1 for address in hex_addresses(match[3], line)])


def _decode_cpu(data: bytes, limits: Limits) -> Profile | None:
    """Read words of 4 or 8 bytes in either order: a header of five, then counts with their stacks."""
    for width, order in ((4, "<"), (4, ">"), (8, "<"), (8, ">")):
        head = _words(data[: 5 * width], width, order)
        if len(head) == 5 and head[:2] == [0, 3] and head[2] <= 1 and 0 < head[3] < 1 << 50 and head[4] == 0:
            if len(data) > limits.frames * width:
                raise MalformedError(f"more than {limits.frames} words, which is the limit")
            stacks = Stacks(
                [ValueType("samples", "count"), ValueType("cpu", "nanoseconds")],
                ValueType("cpu", "nanoseconds"),
                head[3] * 1000,
                limits,
            )
            return _read_cpu_samples(data, width, order, stacks, is_java=bool(head[2]))
    return None


def _words(data: bytes, width: int, order: str) -> list[int]:
    from struct import unpack

    count = len(data) // width
    return list(unpack(f"{order}{count}{'I' if width == 4 else 'Q'}", data[: count * width]))


def _read_cpu_samples(data: bytes, width: int, order: str, stacks: Stacks, *, is_java: bool) -> Profile:
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
        # The leaf is where the program was; above it are addresses that calls return to, but in Java's profiles.
        callers = addresses[1:] if is_java else [address - 1 for address in addresses[1:]]
        stacks.add([count, count * period], [*addresses[:1], *callers])
    else:
        raise UnrecognizedError
    lines = data[position * width :].decode("utf-8", "replace").split("\n")
    if is_java:
        return name_locations(stacks, lines)
    _strip_handler_frames(stacks.profile)
    return stacks.finish(lines)


def _strip_handler_frames(profile: Profile) -> None:
    """Remove what the profiler's own signal handler left in the stacks.

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
    drop_doubled_leaves(profile)


def _remove_second(profile: Profile, address: int) -> None:
    for sample in profile.samples:
        if len(sample.locations) > 1 and sample.locations[1].address == address:
            del sample.locations[1]
