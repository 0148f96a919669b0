"""The source files that the page shows: those that the document names, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.errors import ConduitError
from conduit.files import read_at_most

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SUFFIXES = frozenset((".py", ".pyi", ".pyx", ".proto", ".graphql", ".gql", ".cdt", ".sql"))
"""A document may come from elsewhere: what it names beyond source code is not read."""

_MAX_BYTES = 4 << 20


def read_source(files: Sequence[str], number: str, root: Path) -> str:
    """Return the text of the file with this number; relative paths are below `root`.

    Raises `ConduitError` for a number that the document does not have and for a file that is not source code, is not
    there, or is not text.
    """
    if not (number.isascii() and number.isdigit()) or int(number) >= len(files):
        raise ConduitError("the document names no such file")
    path = root / files[int(number)]
    if path.suffix not in SUFFIXES:
        raise ConduitError(f"{path}: not a source file ({', '.join(sorted(SUFFIXES))})")
    try:
        with path.open("rb") as file:
            content = read_at_most(file, _MAX_BYTES)
    except (OSError, ValueError) as error:
        raise ConduitError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if content is None:
        raise ConduitError(f"{path}: larger than {_MAX_BYTES >> 20} MiB")
    return content.decode("utf-8", "replace")
