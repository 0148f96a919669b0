"""A base that was recorded in another checkout: its functions get the file names that the newer profile has.

Two checkouts, worktrees or environments have the same functions in files of other folders, and a page that tells
functions apart by their files would show each of them twice, as new and as gone.
"""

from __future__ import annotations

from posixpath import basename
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conduit.profile.model import Function, Profile


def move_into_files_of(base: Profile, profile: Profile) -> dict[str, str]:
    """Change the base's file names to the profile's, and return which files became which.

    A file becomes another if the last parts of their names are equal, if both have a function of one name, if neither
    side has both files, and if no third file fits as well.
    """
    there, here = _files_by_name(base.functions), _files_by_name(profile.functions)
    files_there = {file for files in there.values() for file in files}
    files_here = {file for files in here.values() for file in files}
    becomes: dict[str, set[str]] = {}
    for name, files in there.items():
        for file in files - files_here:
            for other in here.get(name, set()) - files_there:
                if basename(file) == basename(other):
                    becomes.setdefault(file, set()).add(other)
    sources: dict[str, set[str]] = {}
    for file, others in becomes.items():
        for other in others:
            sources.setdefault(other, set()).add(file)
    moves = {
        file: next(iter(others))
        for file, others in becomes.items()
        if len(others) == 1 and len(sources[next(iter(others))]) == 1
    }
    for function in base.functions:
        function.filename = moves.get(function.filename, function.filename)
    return moves


def _files_by_name(functions: Iterable[Function]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for function in functions:
        if function.filename:
            found.setdefault(function.name, set()).add(function.filename)
    return found
