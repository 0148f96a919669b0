"""Cutting stacks short: everything below a frame that is of no interest.

A stack is looked at from its root, as people read it: "below" is what a frame called. Names are compared without
their argument list, so that `f` matches `f(int, char*)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile import loops
from conduit.regexps import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.model import Line, Location, Profile
    from conduit.regexps import Pattern

# Brackets that belong to a C++ name and do not open its arguments.
_RESERVED = ("(anonymous namespace)", "operator()")


def drop_frames(profile: Profile) -> Profile:
    """Prune by the profile's own `drop_frames` and `keep_frames`, which match whole names; see `prune`.

    Raises `PatternError` when one of them is no regular expression.
    """
    if not profile.drop_frames:
        return profile
    drop = compile_pattern(f"^({profile.drop_frames})$")
    keep = compile_pattern(f"^({profile.keep_frames})$") if profile.keep_frames else None
    return prune(profile, drop, keep)


def prune(profile: Profile, drop: Pattern, keep: Pattern | None = None) -> Profile:
    """Cut from every stack the highest frame that matches `drop` but not `keep`, and all below it.

    Frames above the first one that does not match stay, lest nothing be left.
    """

    def unwanted(name: str) -> bool:
        return drop.matches(name) and not (keep is not None and keep.matches(name))

    judge = _by_name(unwanted)
    locations: list[Location] = []
    flags = bytearray()  # 1: the location keeps its outer lines, 2: it goes
    for location in profile.locations:
        count = len(location.lines)
        highest = next((i for i in range(count - 1, -1, -1) if judge(location.lines[i])), -1)
        keeps_lines = 0 <= highest < count - 1
        flags.append(0 if highest < 0 else 1 if keeps_lines else 2)
        locations.append(location.with_lines(location.lines[highest + 1 :]) if keeps_lines else location)
    return _cut(profile, locations, flags, loops.BELOW_WANTED)


def prune_from(profile: Profile, pattern: Pattern) -> Profile:
    """Cut from every stack what lies below the lowest frame that matches; that frame stays."""
    judge = _by_name(pattern.matches)
    locations: list[Location] = []
    flags = bytearray()
    for location in profile.locations:
        lowest = next((i for i, line in enumerate(location.lines) if judge(line)), -1)
        flags.append(lowest >= 0)
        locations.append(location.with_lines(location.lines[lowest:]) if lowest > 0 else location)
    return _cut(profile, locations, flags, loops.FROM_LEAF)


def _cut(profile: Profile, locations: list[Location], flags: bytearray, how: int) -> Profile:
    if not any(flags):
        return profile
    columns = profile.columns
    stacks = loops.cut_stacks(columns.bounds, columns.frames, flags, how)
    return profile.replaced(columns=columns.restacked(*stacks), locations=locations)


def _by_name(matches: Callable[[str], bool]) -> Callable[[Line], bool]:
    known: dict[str, bool] = {}

    def judge(line: Line) -> bool:
        name = line.function.name if line.function is not None else ""
        if not name:
            return False
        if name not in known:
            known[name] = matches(simple_name(name))
        return known[name]

    return judge


def simple_name(name: str) -> str:
    """Return a function's name without a leading dot and its argument list: `ns::f` for `.ns::f(int)`."""
    name = name.removeprefix(".")
    position = name.find("(")
    while position >= 0:
        # `operator()` is recognised by the word before its bracket.
        for reserved in _RESERVED:
            start = position - reserved.index("(")
            if start >= 0 and name.startswith(reserved, start):
                position = name.find("(", start + len(reserved))
                break
        else:
            return name[:position]
    return name
