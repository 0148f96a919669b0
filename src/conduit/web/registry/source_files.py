"""The source files that the page shows: those that the document names, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.errors import ConduitError
from conduit.source_rule import SourceRefusedError, SourceRule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MAX_BYTES = 4 << 20


def read_source(files: Sequence[str], number: str, root: Path, *, anywhere: bool = False) -> str:
    """Return the text of the file with this number; relative paths are below `root`.

    A document may come from elsewhere: what it names is read by the rule of `conduit.source_rule`, with `root` among
    the folders, or with `anywhere` from all folders. Raises `ConduitError` for a number that the document does not
    have and for a file that is not read, is not there, or is not text.
    """
    if not (number.isascii() and number.isdigit()) or int(number) >= len(files):
        raise ConduitError("the document names no such file")
    path = root / files[int(number)]
    try:
        content = SourceRule([str(root)], anywhere=anywhere).read(str(path), _MAX_BYTES)
    except SourceRefusedError as error:
        remedy = "; --source-anywhere reads sources from all folders" if error.folder else ""
        raise ConduitError(f"{path}: {error}{remedy}") from None
    except (OSError, ValueError) as error:
        raise ConduitError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    return content.decode("utf-8", "replace")
