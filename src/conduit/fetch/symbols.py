"""What to do about a profile that names no program, or whose locations have no functions.

Nothing is looked up in binaries here: a Python profile brings its names with it. What remains of the original's
symbolization is to name the missing parts, in its words, and to give locations without a mapping one.
"""

# pathlib would slow the start of a small report.
# ruff: noqa: PTH123

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit.profile.cplusplus_names import simplify_names
from conduit.profile.model import Mapping
from conduit.report.frames import base_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.model import Profile

    Say = Callable[[str], None]

_NOWHERE = ("[", "linux-vdso", "/dev/dri/", "//anon")  # mappings of the system, which have no file


def add_missing_mapping(profile: Profile, url: str, executable: str, build_id: str) -> None:
    """Give a profile without mappings one, and the first the program's name and build id where they are given.

    Mappings of a profile from the network that have neither are marked by its URL, until `forget_url_mappings`.
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


def forget_url_mappings(profile: Profile) -> None:
    """Take URLs away again from mappings that have no file."""
    for mapping in profile.mappings:
        if not mapping.build_id and _is_url(mapping.filename):
            mapping.filename = ""


def _is_url(name: str) -> bool:
    scheme, colon, _ = name.partition(":")
    return bool(colon) and scheme[:1].isalpha() and scheme.replace("+", "").replace("-", "").isalnum()


def symbolize(profile: Profile, mode: str, say: Say) -> Profile:
    """Report mappings that have locations without names, and shorten C++ names. `mode` is `-symbolize`'s value."""
    wanted = _parse_mode(mode, say)
    if wanted is None:
        return profile
    if wanted.local:
        _report_missing(profile, wanted.force, say)
    return simplify_names(profile, wanted.demangle, force=wanted.force)


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
