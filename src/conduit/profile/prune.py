"""Cutting stacks short: everything below a frame that nobody wants to see into.

A stack is looked at from its root, as people read it: "below" is what a frame called. Names are compared without
their argument list, so that `f` matches `f(int, char*)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.regexps import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.model import Line, Location, Profile, Sample
    from conduit.regexps import Pattern

# Brackets that belong to a C++ name and do not open its arguments.
_RESERVED = ("(anonymous namespace)", "operator()")


def drop_frames(profile: Profile) -> Profile:
    """Prunes by the profile's own `drop_frames` and `keep_frames`, which match whole names; see `prune`.

    Raises `PatternError` when one of them is no regular expression.
    """
    if not profile.drop_frames:
        return profile
    drop = compile_pattern(f"^({profile.drop_frames})$")
    keep = compile_pattern(f"^({profile.keep_frames})$") if profile.keep_frames else None
    return prune(profile, drop, keep)


def prune(profile: Profile, drop: Pattern, keep: Pattern | None = None) -> Profile:
    """Cuts from every stack the highest frame that matches `drop` but not `keep`, and all below it.

    Frames above the first one that does not match stay, lest nothing be left.
    """

    def unwanted(name: str) -> bool:
        return drop.matches(name) and not (keep is not None and keep.matches(name))

    judge = _by_name(unwanted)
    changed: dict[Location, Location] = {}
    # Matching locations → whether the location itself goes, or keeps its outer lines.
    matching: dict[Location, bool] = {}
    for location in profile.locations:
        count = len(location.lines)
        highest = next((i for i in range(count - 1, -1, -1) if judge(location.lines[i])), None)
        if highest is None:
            continue
        matching[location] = highest == count - 1
        if highest < count - 1:
            changed[location] = location.with_lines(location.lines[highest + 1 :])

    def cut(stack: list[Location]) -> list[Location]:
        seen_wanted = False
        for index in range(len(stack) - 1, -1, -1):
            whole = matching.get(stack[index])
            if whole is None:
                seen_wanted = True
            elif seen_wanted:
                return stack[index + 1 :] if whole else stack[index:]
        return stack

    return _with_stacks(profile, changed, cut) if matching else profile


def prune_from(profile: Profile, pattern: Pattern) -> Profile:
    """Cuts from every stack what lies below the lowest frame that matches; that frame stays."""
    judge = _by_name(pattern.matches)
    changed: dict[Location, Location] = {}
    matching: set[Location] = set()
    for location in profile.locations:
        lowest = next((i for i, line in enumerate(location.lines) if judge(line)), None)
        if lowest is None:
            continue
        matching.add(location)
        if lowest:
            changed[location] = location.with_lines(location.lines[lowest:])

    def cut(stack: list[Location]) -> list[Location]:
        for index, location in enumerate(stack):
            if location in matching:
                return stack[index:]
        return stack

    return _with_stacks(profile, changed, cut) if matching else profile


def _with_stacks(
    profile: Profile,
    changed: dict[Location, Location],
    cut: Callable[[list[Location]], list[Location]],
) -> Profile:
    def shortened(sample: Sample) -> Sample:
        stack = cut(sample.locations)
        return sample.replaced(locations=[changed.get(location, location) for location in stack])

    return profile.replaced(
        samples=[shortened(sample) for sample in profile.samples],
        locations=[changed.get(location, location) for location in profile.locations],
    )


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
    """A function's name without a leading dot and its argument list: `ns::f` for `.ns::f(int)`."""
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
