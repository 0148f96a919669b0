"""Source files: finds the text of the files that a profile names, and reads no other files.

A file is looked up by its absolute path or, if the path is relative (or made relative by `trim_path`), in each
directory of `source_path` and in all their parents. If there is no such file, it may still be a module inside a zip
archive on the path (`app.zip/pkg/mod.py`), or a file whose text is in `linecache`, where doctest, IPython and `attrs`
put the code that they generate.

A profile may come from any source and name any file. `conduit.source_rule` says which files are read: for
`/etc/shadow`, a process's environment, or the code of another project, a message is shown instead.
"""

# pathlib would slow the start of a small report.
# ruff: noqa: PTH109, PTH110, PTH112, PTH113

from __future__ import annotations

import os
import posixpath
from functools import partial
from typing import TYPE_CHECKING

from conduit.report.frames import trim_path
from conduit.source_rule import ARCHIVES, SourceRefusedError, SourceRule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class SourceUnavailableError(Exception):
    """A source file is not available; the message says where it was searched."""


class SourceFiles:
    """The source files of one report, each read once. `source_path` empty: the current directory.

    `pythons` are the executables that the profile was recorded in; with `anywhere` every text file may be read.
    """

    def __init__(
        self,
        source_path: str = "",
        trim: str = "",
        *,
        anywhere: bool = False,
        pythons: Iterable[str] = (),
    ) -> None:
        self._search = source_path or os.getcwd()
        self._trim = trim
        self._rule = SourceRule(filter(None, source_path.split(":")), pythons=pythons, anywhere=anywhere)
        self._files: dict[str, list[str] | SourceUnavailableError] = {}

    def lines(self, path: str) -> list[str]:
        """Return the file's lines without their ends; index 0 is line 1. Raise `SourceUnavailableError`."""
        known = self._files.get(path)
        if known is None:
            try:
                known = _split(self._read(path))
            except SourceUnavailableError as error:
                known = error
            self._files[path] = known
        if isinstance(known, SourceUnavailableError):
            raise known
        return known

    def _read(self, path: str) -> str:
        wanted = trim_path(path, self._trim, self._search)
        if wanted.startswith("/"):
            return self._read_absolute(wanted)
        refused = None
        for candidate in filter(os.path.isfile, self._candidates(wanted)):
            try:
                return self._text(candidate, partial(self._rule.read, candidate))
            except SourceUnavailableError as error:
                refused = refused or error
        remembered = _remembered(path)
        if remembered is not None:
            return remembered
        raise refused or SourceUnavailableError(f"could not find file {wanted} on path {self._search}")

    def _candidates(self, relative: str) -> Iterator[str]:
        """Yield the file in every directory searched and in all their parents.

        A profile must not refer to files outside of these directories, so `..` in its names is not followed.
        """
        if ".." in relative.split("/"):
            return
        for directory in self._search.split(":"):
            place = directory or "."
            while True:
                yield posixpath.join(place, relative)
                parent = posixpath.dirname(place.rstrip("/")) or ("." if not place.startswith("/") else "/")
                if parent == place:
                    break
                place = parent

    def _read_absolute(self, path: str) -> str:
        if os.path.exists(path) and not os.path.isdir(path):
            return self._text(path, partial(self._rule.read, path))
        archive, member = _archive_and_member(path)
        if archive:
            return self._text(path, partial(self._rule.read_member, archive, member))
        text = _remembered(path)
        if text is not None:
            return text
        reason = "is a directory" if os.path.isdir(path) else "no such file or directory"
        if is_notebook_cell(path):
            reason += "; a cell's source is in its notebook: -top -lines names the cell and its lines"
        raise SourceUnavailableError(f"open {path}: {reason}")

    def _text(self, path: str, read: Callable[[], bytes]) -> str:
        try:
            return _decoded(read())
        except SourceRefusedError as error:
            raise SourceUnavailableError(f"open {path}: {error}{_remedy(error)}") from error
        except OSError as error:
            raise SourceUnavailableError(
                f"open {path}: {(error.strerror or 'cannot be read').lower()}"
            ) from error


def is_notebook_cell(path: str) -> bool:
    """Return whether a path is the one that IPython's kernel gives a cell; the file does not exist."""
    return "/ipykernel_" in path


def _remedy(refused: SourceRefusedError) -> str:
    if refused.folder:
        return f"; for a profile that you trust, -source_path={refused.folder} or -source_anywhere reads it"
    return "; for a profile that you trust, -source_anywhere reads it" if refused.is_by_name else ""


def _archive_and_member(path: str) -> tuple[str, str]:
    """Split a path such as `/srv/app.pyz/pkg/mod.py` after the zip archive; return two empty texts without one."""
    for suffix in ARCHIVES:
        archive, found, member = path.partition(suffix + "/")
        if found and os.path.isfile(archive + suffix):
            return archive + suffix, member
    return "", ""


def _decoded(data: bytes) -> str:
    """Return the text, in the encoding that a Python source declares in its first lines."""
    import codecs
    import tokenize

    rest = iter(data[:1024].splitlines(keepends=True))
    try:
        encoding, _ = tokenize.detect_encoding(lambda: next(rest, b""))
    except (SyntaxError, UnicodeDecodeError, LookupError):  # the last from 3.14 on, for `hex` and the like
        encoding = "utf-8"  # not Python, or Python that lies about itself
    if not codecs.lookup(
        encoding
    )._is_text_encoding:  # `hex`, `zip` and the like make bytes, or a bomb, of a file
        encoding = "utf-8"
    return data.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")


def _remembered(path: str) -> str | None:
    """Return the lines that `linecache` has for code which is not in a file, or None."""
    import sys

    linecache = sys.modules.get("linecache")
    entry = linecache.cache.get(path) if linecache is not None else None
    # Entries of files on disk are not taken: they would open what the rules above do not.
    if entry is None or len(entry) < 4 or os.path.exists(path):
        return None
    return "".join(entry[2])


def _split(text: str) -> list[str]:
    """Return the lines; only line feeds end a line, as in the line numbers of a profile."""
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]
