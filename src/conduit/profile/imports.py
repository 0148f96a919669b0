"""Memory that imports allocate: code objects, classes and tables of modules, most of a small program's heap.

A sample belongs to an import if a frame of the interpreter's import system (`<frozen importlib._bootstrap>`) is on its
stack. A profile without such frames, as other tools and languages write them, has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conduit.profile.model import Location, Profile

_IMPORT_SYSTEM = "<frozen importlib"


def has_imports(profile: Profile) -> bool:
    """Return whether any stack may have a frame of the import system on it."""
    return any(map(_is_import, profile.locations))


def _is_import(location: Location) -> bool:
    return any(line.function and line.function.filename.startswith(_IMPORT_SYSTEM) for line in location.lines)


def without_imports(profile: Profile, index: int) -> tuple[Profile, int]:
    """Return the profile without the samples of imports, and their sum of the sample type `index`.

    The profile itself is returned where nothing, or everything, belongs to imports.
    """
    importing = {location for location in profile.locations if _is_import(location)}
    if not importing:
        return profile, 0
    kept, left_out = [], 0
    for sample in profile.samples:
        if importing.isdisjoint(sample.locations):
            kept.append(sample)
        else:
            left_out += sample.values[index]
    if not kept or len(kept) == len(profile.samples):
        return profile, 0
    return profile.replaced(samples=kept), left_out
