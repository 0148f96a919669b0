"""Reader of the stacks of all threads (`--- threadz 1 ---`) that C++ servers print at `/threadz`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile.legacy_stacks import (
    MAP_HEADERS,
    Stacks,
    UnrecognizedError,
    drop_doubled_leaves,
    expression,
    hex_addresses,
    is_blank,
    map_lines,
)
from conduit.profile.model import ValueType

if TYPE_CHECKING:
    from conduit.profile.limits import Limits
    from conduit.profile.model import Profile

_HEADER = r"--- threadz \d+ ---"
_THREAD = r"--- Thread ([[:xdigit:]]+) \(name: (.*)/(\d+)\) stack: ---"
_NO_STACKS = "---- no stack trace for"
_REPEATED = "same as previous thread"


def decode_threads(lines: list[str], limits: Limits) -> Profile | None:
    """Read the threads' stacks, one sample each, of type `thread`; None for other formats.

    Raises `UnrecognizedError` for a section that is no thread's.
    """
    start = next((index for index, line in enumerate(lines) if not is_blank(line)), None)
    if start is None:
        return None
    if expression(_HEADER).search(lines[start]) is not None:
        after = range(start + 1, len(lines))
        start = next(
            (index for index in after if lines[index].startswith("-") or _begins_map(lines[index])), None
        )
        if start is None:
            raise UnrecognizedError
    elif expression(_THREAD).search(lines[start]) is None:
        return None
    kind = ValueType("thread", "count")
    stacks = Stacks([kind], kind, 1, limits)
    end = _read_threads(lines, start, stacks)
    profile = stacks.finish(map_lines(lines, end))
    drop_doubled_leaves(profile)
    return profile


def _read_threads(lines: list[str], start: int, stacks: Stacks) -> int:
    """Read threads until another section begins; return its index."""
    index = start
    while (
        index < len(lines)
        and not _begins_map(lines[index])
        and not lines[index].strip().startswith(_NO_STACKS)
    ):
        if expression(_THREAD).search(lines[index]) is None:
            raise UnrecognizedError
        addresses: list[int] = []
        is_repeated = False
        index += 1
        while (
            index < len(lines)
            and not lines[index].strip().startswith("---")
            and not _begins_map(lines[index])
        ):
            line = lines[index].strip()
            if _REPEATED in line:
                is_repeated = True
            else:
                addresses += hex_addresses(line, line)
            index += 1
        samples = stacks.profile.samples
        if addresses and not is_repeated:
            # The innermost address is where the thread was; the others are addresses that calls return to.
            stacks.add([1], [*addresses[:1], *(address - 1 for address in addresses[1:])])
        elif samples:
            samples[-1].values[0] += 1
    return index


def _begins_map(line: str) -> bool:
    return any(header in line for header in MAP_HEADERS)
