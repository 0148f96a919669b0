"""Names of C++ functions made short: `ns::f` for `ns::f<int>(char const*)`, as pprof shows them.

Only names that are readable already are handled (`_ZN2ns1fEv` stays). A function whose name and system name differ
has had its name made by the profile's writer, and keeps it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conduit.profile.model import Function, Line, Location, Profile

# What each mode of `-symbolize=demangle=…` leaves out of a name.
_BRACKETS = {"": ("()", "<>"), "default": ("()", "<>"), "templates": ("()",), "full": (), "none": ()}


def simplify_names(profile: Profile, mode: str = "", *, force: bool = False) -> Profile:
    """Shorten C++ names in a profile; `mode` is none, full, templates or, by default, as short as possible.

    `force` starts from the system name wherever there is one. Raises `ValueError` for another mode.
    """
    if mode not in _BRACKETS:
        raise ValueError(f"unknown mode {mode!r}: expected {', '.join(name for name in _BRACKETS if name)}")
    changed: dict[Function, Function] = {}
    for function in profile.functions:
        name = _simplified(function, mode, force)
        if name != function.name:
            changed[function] = function.with_name(name)
    return _with_functions(profile, changed) if changed else profile


def _simplified(function: Function, mode: str, force: bool) -> str:
    name = function.name
    if force and name and function.system_name:
        name = function.system_name
    if mode == "none" or (name and name != function.system_name):
        return name
    name = function.system_name
    if _is_cplusplus(name):
        for brackets in _BRACKETS[mode]:
            name = remove_brackets(name, brackets[0], brackets[1])
    return name


def _is_cplusplus(name: str) -> bool:
    if ".<" in name or "])." in name:  # Java's and Python's `f.<init>`, Go's `pkg.(*T[...]).f`
        return False
    return "::" in name or any(letter in name for letter in "<>[]")


def remove_brackets(name: str, opening: str, closing: str) -> str:
    """Remove brackets with what they hold; a name in which they do not match stays as it is from there on."""
    kept = []
    depth = start = outer = 0
    for position, letter in enumerate(name):
        if letter == opening:
            if depth == 0:
                kept.append(name[start:position])
                outer = position
            depth += 1
        elif letter == closing:
            depth -= 1
            if depth < 0:
                return "".join(kept) + name[start:]
            if depth == 0:
                start = position + 1
    return "".join(kept) + name[outer if depth else start :]


def _with_functions(profile: Profile, changed: dict[Function, Function]) -> Profile:
    def renamed(line: Line) -> Line:
        function = changed.get(line.function) if line.function is not None else None
        return line if function is None else line.with_function(function)

    moved: dict[Location, Location] = {}
    for location in profile.locations:
        lines = [renamed(line) for line in location.lines]
        if lines != location.lines:
            moved[location] = location.with_lines(lines)
    return profile.replaced(
        functions=[changed.get(function, function) for function in profile.functions],
        locations=[moved.get(location, location) for location in profile.locations],
        columns=profile.columns,
    )
