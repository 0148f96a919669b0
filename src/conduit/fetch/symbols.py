"""What to do about a profile that names no program, or whose locations have no functions.

Nothing is looked up in binaries here: a Python profile brings its names with it. What remains of the original's
symbolization is to name the missing parts, in its words, and to give locations without a mapping one.
"""

# pathlib would slow the start of a small report.
# ruff: noqa: PTH123

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit.profile.model import Mapping, base_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.model import Function, Line, Location, Profile

    Say = Callable[[str], None]

_NOWHERE = ("[", "linux-vdso", "/dev/dri/", "//anon")  # mappings of the system, which have no file
# What each mode of `-symbolize=demangle=…` leaves out of a name.
_BRACKETS = {"": ("()", "<>"), "default": ("()", "<>"), "templates": ("()",), "full": (), "none": ()}


def add_missing_mapping(profile: Profile, url: str, executable: str, build_id: str) -> None:
    """Give a profile without mappings one, and the first the program's name and build id where they are given.

    Mappings of a profile from the network that have neither are marked by its URL, until `name_parts`.
    """
    if not profile.mappings:
        mapping = Mapping(1)
        profile.mappings.append(mapping)
        for location in profile.locations:
            location.mapping = mapping
    first = profile.mappings[0]
    first.filename = executable or first.filename
    first.build_id = first.build_id or build_id
    if url:
        for mapping in profile.mappings:
            if not mapping.build_id and not mapping.filename:
                mapping.filename = url


def name_parts(profile: Profile, mode: str, say: Say) -> Profile:
    """Report mappings that have locations without names, shorten C++ names, and forget URLs that stand for a file.

    `mode` is `-symbolize`'s value.
    """
    wanted = _parse_mode(mode, say)
    if wanted is not None:
        if wanted.local:
            _report_missing(profile, wanted.force, say)
        profile = simplify_names(profile, wanted.demangle, force=wanted.force)
    for mapping in profile.mappings:
        if not mapping.build_id and _is_url(mapping.filename):
            mapping.filename = ""
    return profile


def _is_url(name: str) -> bool:
    scheme, colon, _ = name.partition(":")
    return bool(colon) and scheme[:1].isalpha() and scheme.replace("+", "").replace("-", "").isalnum()


def _report_missing(profile: Profile, force: bool, say: Say) -> None:
    used = {location.mapping for location in profile.locations}
    missing = False
    for index, mapping in enumerate(profile.mappings):
        known = mapping.has_functions or mapping.has_filenames or mapping.has_line_numbers
        if mapping not in used or (known and not force):
            continue
        if not mapping.filename:
            if index == 0:
                say("Main binary filename not available.")
            else:
                missing = True
        elif _may_have_file(mapping):
            say(f"Local symbolization failed for {_described(mapping)}: {_fault(mapping.filename)}")
            missing = True
    if missing:
        say(
            "Some binary filenames not available. Symbolization may be incomplete.\n"
            "Try setting PPROF_BINARY_PATH to the search path for local binaries."
        )


def _may_have_file(mapping: Mapping) -> bool:
    if mapping.filename.startswith(_NOWHERE):
        return False
    return bool(mapping.build_id) or not (
        _is_url(mapping.filename) and "http" in mapping.filename[:5].lower()
    )


def _described(mapping: Mapping) -> str:
    build = f" (build ID {mapping.build_id})" if mapping.build_id else ""
    return base_name(mapping.filename) + build


def _fault(path: str) -> str:
    try:
        with open(path, "rb"):
            return "conduit reads no symbols from binaries; `go tool pprof` does"
    except OSError as error:
        return f"open {path}: {(error.strerror or str(error)).lower()}"


class _Mode(NamedTuple):
    local: bool = True  # whether missing names matter
    force: bool = False  # whether names that are there are made again
    demangle: str = ""


def _parse_mode(text: str, say: Say) -> _Mode | None:
    """Read `-symbolize`; None if nothing is to be done."""
    mode = _Mode()
    for word in text.lower().split(":"):
        name, _, demangle = word.partition("=")
        if word in ("none", "no"):
            return None
        if word in ("local", "fastlocal"):
            mode = mode._replace(local=True)
        elif word == "remote":
            mode = mode._replace(local=False)
        elif word == "force":
            mode = mode._replace(force=True)
        elif name == "demangle" and demangle in ("full", "none", "templates"):
            mode = mode._replace(force=True, demangle=demangle)
        elif word not in ("", "default", "demangle=default"):
            say(f"ignoring unrecognized symbolization option: {text}")
            say(
                "expecting -symbolize=[local|fastlocal|remote|none][:force][:demangle=[none|full|templates|default]"
            )
    return mode


def simplify_names(profile: Profile, mode: str = "", *, force: bool = False) -> Profile:
    """Shorten C++ names in a profile, as pprof shows them: `ns::f` for `ns::f<int>(char const*)`.

    Only names that are readable already are shortened (`_ZN2ns1fEv` stays). A function whose name and system name
    differ has had its name made by the profile's writer, and keeps it. `mode` is none, full, templates or, by default,
    as short as possible.
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
