"""Reader of the heap profiles that jemalloc writes (`heap_v2/524288`), as `jeprof` reads them.

Each stack (`@ 0x… 0x…`) is followed by a line for all threads (`t*: objects: bytes [allocated: bytes]`) and one for
each of them, which is passed over. The second pair is 0 unless the program ran with `prof_accum`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile.legacy_stacks import (
    MAP_HEADERS,
    MalformedError,
    Stacks,
    UnrecognizedError,
    expression,
    hex_addresses,
    map_lines,
    sample_integer,
    unsampled,
)
from conduit.profile.model import ValueType

if TYPE_CHECKING:
    from conduit.profile.limits import Limits
    from conduit.profile.model import Profile

_HEADER = r"\Aheap_v2/(\d{1,18})\s*\z"
_ALL_THREADS = r"\At\*: *(\d+): *(\d+) *\[ *(\d+): *(\d+) *\]\z"
_ONE_THREAD = r"\At\d+:"


def decode_jemalloc(lines: list[str], limits: Limits) -> Profile | None:
    """Read memory in use and, where it was recorded, all that was allocated; None for other formats."""
    header = expression(_HEADER).search(lines[0])
    if header is None:
        return None
    end = next(
        (at for at, line in enumerate(lines) if any(header in line for header in MAP_HEADERS)), len(lines)
    )
    body = [line.strip() for line in lines[1:end]]
    total = expression(_ALL_THREADS).search(body[0]) if body else None
    if total is None:
        raise UnrecognizedError
    names = ["inuse_objects", "inuse_space"]
    has_allocations = total[3].strip("0") != ""
    if has_allocations:
        names = ["alloc_objects", "alloc_space", *names]
    kinds = [ValueType(name, unit) for name, unit in zip(names, ("count", "bytes") * 2, strict=False)]
    stacks = Stacks(kinds, ValueType("space", "bytes"), int(header[1]), limits)
    addresses: list[int] | None = None
    for line in body[1:]:
        if line.startswith("@"):
            addresses = [address - 1 for address in hex_addresses(line, line)]
        elif line and addresses is not None and expression(_ONE_THREAD).search(line) is None:
            _add(stacks, line, addresses, has_allocations)
    return stacks.finish(map_lines(lines, end))


def _add(stacks: Stacks, line: str, addresses: list[int], has_allocations: bool) -> None:
    match = expression(_ALL_THREADS).search(line)
    if match is None:
        raise MalformedError(f"malformed sample: {line}")
    in_use, allocated = (match[1], match[2]), (match[3], match[4])
    values: list[int] = []
    block_size = 0
    for count_text, size_text in (allocated, in_use) if has_allocations else (in_use,):
        count, size = sample_integer(count_text, line), sample_integer(size_text, line)
        if count:
            block_size = size // count
            count, size = unsampled(count, size, stacks.profile.period)
        values += (count, size)
    stacks.add(values, addresses).numeric_labels = {"bytes": [block_size]}
