"""Memory growth: compares heap profiles of one process taken at different times, line by line.

Memory is allocated where a library makes an object, and leaks where the program keeps it. So each growth has the line
of the program that led to the allocation (`conduit.report.program_lines`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from conduit.report.errors import ReportError
from conduit.report.program_lines import Line, OriginFinder, line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.profile.model import Location, Profile, Sample


class Growth(NamedTuple):
    """One line: bytes and objects in use at the end, and the increase since the start.

    It grew in `grown_steps` of the steps from one profile to the next, `steady` if in each. `callers` are the functions
    above it on the stack with most of the growth, innermost first, each with the line that it has come to, as
    `shop.price:10`. `origin` is the line of the program on that stack that led to the allocation (None if there is
    none).

    Of sampled heaps, `grown_samples` is about how many sampled objects came or went, and `grown_error` and `held_error`
    are standard errors in bytes. What was held before counts as still held: it is the same samples, and adds no error.
    """

    function: str
    file: str
    line: int
    held_bytes: int
    held_objects: int
    grown_bytes: int
    grown_objects: int
    steady: bool
    grown_steps: int
    callers: tuple[str, ...]
    origin: Line | None
    grown_samples: float = 0.0
    grown_error: float = 0.0
    held_error: float = 0.0

    @property
    def is_origin(self) -> bool:
        """Whether the line is the program's own."""
        return self.origin == (self.function, self.file, self.line)


class Leaks(NamedTuple):
    """The allocating lines that grew, largest growth first, and the lines of the program that led to them.

    `seconds` is the time between the first and the last profile, 0 if unknown. One sample stands for about
    `sampled_bytes` (0: every allocation was recorded, or the profiles do not say).
    """

    growths: tuple[Growth, ...]
    origins: tuple[Growth, ...]
    seconds: float
    profiles: int
    sampled_bytes: int

    def steps_text(self, growth: Growth) -> str:
        """Return in how many steps from one profile to the next a line grew, as `every step` or `1 of 2 steps`."""
        return "every step" if growth.steady else f"{growth.grown_steps} of {self.profiles - 1} steps"

    @property
    def uncertain_bytes(self) -> int:
        """Growth below this may be chance, or may not have been seen: it rests on fewer than three samples."""
        return SURE_SAMPLES * self.sampled_bytes


class _Use:
    """What one line holds in one profile."""

    def __init__(self) -> None:
        self.bytes = 0
        self.objects = 0
        self.parts: dict[_Part, list[int]] = {}  # bytes and objects by stack and size
        self.stacks: dict[_Stack, int] = defaultdict(int)


_Part = tuple[tuple[int | str, ...], ...]
_Stack = tuple[tuple[str, ...], Line | None]
_CALLERS = 3
SURE_SAMPLES = 3
"""With so many expected, none is drawn 5 times in 100."""


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
    origin_of = OriginFinder()
    uses = [_uses(profile, origin_of) for profile in profiles]
    sampled = max(map(sampled_bytes, profiles))
    seconds = (times[-1] - times[0]) / 1e9 if all(times) else 0.0
    return Leaks(
        _growths([each.by_allocation for each in uses], sampled),
        _growths([each.by_origin for each in uses], sampled),
        seconds,
        len(profiles),
        sampled,
    )


def restarts(profiles: Sequence[Profile]) -> list[int]:
    """Return the positions of the heap profiles that cannot be of the process of the one before.

    They have allocated clearly less in all. A tenth less does not count, because totals of sampled heaps are estimates.
    """
    totals = enumerate(pairwise(map(_allocated, profiles)), 1)
    return [
        position
        for position, (before, after) in totals
        if before is not None and after is not None and after < 0.9 * before
    ]


def _allocated(profile: Profile) -> int | None:
    """Return the bytes allocated since the process began, None if the profile does not say."""
    names = [kind.type for kind in profile.sample_types]
    return sum(profile.columns.values[names.index("alloc_space")]) if "alloc_space" in names else None


def _growths(uses: Sequence[dict[Line, _Use]], sampled: int) -> tuple[Growth, ...]:
    first, last = uses[0], uses[-1]
    growths = []
    for key, use in last.items():
        before = first.get(key)
        grown = use.bytes - (before.bytes if before else 0)
        if grown <= 0:
            continue
        series = [each[key].bytes if key in each else 0 for each in uses]
        grown_steps = sum(later > earlier for earlier, later in pairwise(series))
        growths.append(
            Growth(
                *key,
                use.bytes,
                use.objects,
                grown,
                use.objects - (before.objects if before else 0),
                grown_steps == len(series) - 1,
                grown_steps,
                *_main_stack(use, before),
                *_errors(use, before, sampled),
            )
        )
    growths.sort(key=lambda growth: (-growth.steady, -growth.grown_bytes, growth.file, growth.line))
    return tuple(growths)


class _Uses:
    """What each allocating line of one profile holds, and each line of the program that led there."""

    def __init__(self) -> None:
        self.by_allocation: dict[Line, _Use] = defaultdict(_Use)
        self.by_origin: dict[Line, _Use] = defaultdict(_Use)


def _uses(profile: Profile, origin_of: Callable[[Sample], tuple[int, Line] | None]) -> _Uses:
    names = [kind.type for kind in profile.sample_types]
    if "inuse_space" not in names:
        raise ReportError(
            f"-leaks needs heap profiles with inuse_space; this one has {', '.join(names) or 'no values'}"
        )
    space = names.index("inuse_space")
    objects = names.index("inuse_objects") if "inuse_objects" in names else None
    found = _Uses()
    for sample in profile.samples:
        if not sample.values[space] or not sample.locations:
            continue
        held = sample.values[space]
        count = sample.values[objects] if objects is not None else 0
        led = origin_of(sample)
        origin = led[1] if led else None
        _add(found.by_allocation[line_of(sample.locations[0])], held, count, sample, 0, origin)
        if led:
            _add(found.by_origin[led[1]], held, count, sample, led[0], origin)
    return found


def _add(use: _Use, held: int, count: int, sample: Sample, index: int, origin: Line | None) -> None:
    use.bytes += held
    use.objects += count
    sizes = tuple(sample.numeric_labels.get("bytes", ()))
    part = use.parts.setdefault((sizes, *map(line_of, sample.locations)), [0, 0])
    part[0] += held
    part[1] += count
    use.stacks[_callers(sample.locations[index + 1 : index + 1 + _CALLERS]), origin] += held


def _errors(use: _Use, before: _Use | None, sampled: int) -> tuple[float, float, float]:
    """Return the sampled objects that came or went, and the standard errors of the growth and of the bytes held."""
    if not sampled:
        return 0.0, 0.0, 0.0
    old = before.parts if before else {}
    count = grown = held = 0.0
    for part in use.parts.keys() | old.keys():
        bytes_, objects = use.parts.get(part, [0, 0])
        old_bytes, old_objects = old.get(part, [0, 0])
        samples, variance = sampling_variance(abs(bytes_ - old_bytes), abs(objects - old_objects), sampled)
        count, grown = count + samples, grown + variance
        held += sampling_variance(bytes_, objects, sampled)[1]
    return count, math.sqrt(grown), math.sqrt(held)


def sampling_variance(held: int, objects: int, sampled: int) -> tuple[float, float]:
    """Return about how many of the objects were sampled, and the variance of their estimated bytes.

    An object of s bytes is sampled with the chance p = 1 - exp(-s / `sampled`) and then stands for s / p, so one that
    was sampled adds s² (1 - p) / p². Without a number of objects they are one.
    """
    if not held:
        return 0.0, 0.0
    size = held / (objects or 1)
    chance = -math.expm1(-size / sampled)
    return held / size * chance, held * size * (1 - chance) / chance


def sampled_bytes(profile: Profile) -> int:
    """Return for how many allocated bytes a heap profile has one sample on average; 0 if it has each allocation."""
    kind = profile.period_type
    is_space = kind is not None and kind.unit == "bytes"
    return profile.period if is_space and profile.period > 1 else 0


def _callers(locations: Sequence[Location]) -> tuple[str, ...]:
    lines = map(line_of, locations)
    return tuple(
        f"{function}:{line}" if line else function
        for function, _, line in lines
        if "<module" not in function  # the file says as much
    )


def _main_stack(use: _Use, before: _Use | None) -> _Stack:
    old = before.stacks if before else {}
    return max(
        use.stacks,
        key=lambda stack: (use.stacks[stack] - old.get(stack, 0), stack[0], stack[1] or ("", "", 0)),
    )
