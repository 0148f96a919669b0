"""Optional packages: how to get one on this version of Python, or that it has none for it."""

from __future__ import annotations

import sys

# The newest version of Python for which a package has wheels, where that is not the newest that Conduit supports.
_NEWEST: dict[str, tuple[int, int]] = {"viztracer": (3, 14)}


def how_to_install(package: str, version: tuple[int, int] = sys.version_info[:2]) -> str:
    """Return what to do about a package that is missing: a command, or which versions of Python have it."""
    newest = _NEWEST.get(package)
    if newest is None or version <= newest:
        return f"install it with `pip install {package}`"
    found, latest = (f"Python {major}.{minor}" for major, minor in (version[:2], newest))
    return f"it has no release for {found}; use {latest} or earlier for it"
