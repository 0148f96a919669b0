"""What grew and is still held: heap profiles of one process at several times, compared line by line."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from conduit.report.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.profile.model import Location, Profile


class Growth(NamedTuple):
    """One allocating line: bytes and objects in use at the end, and how many more than at the start.

    `steady`: it grew from each profile to the next. `callers` are the functions above it on the stack that holds most
    of the growth, innermost first.
    """

    function: str
    file: str
    line: int
    held_bytes: int
    held_objects: int
    grown_bytes: int
    grown_objects: int
    steady: bool
    callers: tuple[str, ...]


class Leaks(NamedTuple):
    """The lines that grew, the largest growth first; `seconds` between the first and the last profile, 0 if unknown."""

    growths: tuple[Growth, ...]
    seconds: float
    profiles: int


class _Use:
    """What one line holds in one profile."""

    def __init__(self) -> None:
        self.bytes = 0
        self.objects = 0
        self.stacks: dict[tuple[str, ...], int] = defaultdict(int)


_Key = tuple[str, str, int]
_CALLERS = 3


def find_leaks(profiles: Sequence[Profile]) -> Leaks:
    """Compare the memory in use in heap profiles of one process, the earliest first.

    Raises `ReportError` for fewer than two profiles, for one without `inuse_space`, and for profiles out of order.
    """
    if len(profiles) < 2:
        raise ReportError(
            "-leaks compares heap profiles of one process: expected two or more, the earliest first"
        )
    times = [profile.time_nanos for profile in profiles]
    if all(times) and times != sorted(times):
        raise ReportError("-leaks expects the earliest profile first; their times are in another order")
    uses = [_use_by_line(profile) for profile in profiles]
    first, last = uses[0], uses[-1]
    growths = []
    for key, use in last.items():
        before = first.get(key)
        grown = use.bytes - (before.bytes if before else 0)
        if grown <= 0:
            continue
        series = [each[key].bytes if key in each else 0 for each in uses]
        growths.append(
            Growth(
                *key,
                use.bytes,
                use.objects,
                grown,
                use.objects - (before.objects if before else 0),
                all(later > earlier for earlier, later in pairwise(series)),
                _main_callers(use, before),
            )
        )
    growths.sort(key=lambda growth: (-growth.steady, -growth.grown_bytes, growth.file, growth.line))
    seconds = (times[-1] - times[0]) / 1e9 if all(times) else 0.0
    return Leaks(tuple(growths), seconds, len(profiles))


def _use_by_line(profile: Profile) -> dict[_Key, _Use]:
    names = [kind.type for kind in profile.sample_types]
    if "inuse_space" not in names:
        raise ReportError(
            f"-leaks needs heap profiles with inuse_space; this one has {', '.join(names) or 'no values'}"
        )
    space = names.index("inuse_space")
    objects = names.index("inuse_objects") if "inuse_objects" in names else None
    found: dict[_Key, _Use] = defaultdict(_Use)
    for sample in profile.samples:
        if not sample.values[space] or not sample.locations:
            continue
        use = found[_line_of(sample.locations[0])]
        use.bytes += sample.values[space]
        if objects is not None:
            use.objects += sample.values[objects]
        use.stacks[_callers(sample.locations[1 : _CALLERS + 1])] += sample.values[space]
    return found


def _line_of(location: Location) -> _Key:
    if not location.lines or location.lines[0].function is None:
        return f"0x{location.address:x}", "", 0
    line = location.lines[0]
    function = line.function
    assert function is not None
    return function.name, function.filename, line.line


def _callers(locations: Sequence[Location]) -> tuple[str, ...]:
    names = (_line_of(location)[0] for location in locations)
    return tuple(name for name in names if "<module" not in name)  # the file says as much


def _main_callers(use: _Use, before: _Use | None) -> tuple[str, ...]:
    old = before.stacks if before else {}
    return max(use.stacks, key=lambda stack: (use.stacks[stack] - old.get(stack, 0), stack))
