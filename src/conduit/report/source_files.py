"""Source files: finds the text of the files that a profile names, and reads no others.

A file is looked for under its own absolute path, or, when it is relative (or made so by `trim_path`), in each
directory of `source_path` and in all their parents. A path that is no file there may still be a module inside a zip
archive on the path (`app.zip/pkg/mod.py`), or a file that has left its lines in `linecache`, as doctest,
IPython and `attrs` do for code that they generate.

A profile may come from anywhere and name any file. Only regular files that are named as source code is (`.py`, `.c`,
`.go`, …) are read, by their real path and name, and none below `/proc`, `/dev` or `/sys`: a profile that names
`/etc/shadow` or a process's environment gets an error in its place.
"""

# pathlib would slow the start of a small report.
# ruff: noqa: PTH109, PTH110, PTH112, PTH113, PTH123

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

from conduit.report.frames import trim_path

if TYPE_CHECKING:
    from collections.abc import Iterator

_ARCHIVES = (".zip", ".egg", ".whl", ".pyz", ".pex")
_SOURCE_SUFFIXES = frozenset(
    [
        ".py",
        ".pyi",
        ".pyw",
        ".pyx",
        ".pxd",
        ".pxi",
        ".ipynb",
        ".c",
        ".h",
        ".cc",
        ".cpp",
        ".cxx",
        ".hpp",
        ".hh",
        ".go",
        ".rs",
        ".s",
        ".java",
        ".kt",
        ".scala",
        ".js",
        ".mjs",
        ".ts",
        ".tsx",
        ".jsx",
        ".rb",
        ".php",
        ".cs",
        ".swift",
        ".m",
        ".mm",
        ".f",
        ".f90",
        ".lua",
        ".pl",
        ".sh",
        ".sql",
        ".html",
        ".jinja",
        ".jinja2",
        ".j2",
        ".tmpl",
        ".proto",
    ]
)
_NO_SOURCES = ("/proc/", "/dev/", "/sys/")
_LIMIT = 64 << 20  # bytes of one file; a larger one is not listed


class SourceUnavailableError(Exception):
    """A source file could not be had; the text says where it was looked for."""


class SourceFiles:
    """The source files of one report, each read once. `source_path` empty: the current directory."""

    def __init__(self, source_path: str = "", trim: str = "") -> None:
        self._search = source_path or os.getcwd()
        self._source_path = source_path
        self._trim = trim
        self._files: dict[str, list[str] | SourceUnavailableError] = {}

    def lines(self, path: str) -> list[str]:
        """The file's lines without their ends; index 0 is line 1. Raises `SourceUnavailableError`."""
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
            return _open_absolute(wanted)
        for candidate in self._candidates(wanted):
            if os.path.isfile(candidate) and _is_source(candidate):
                return _text_of(candidate)
        return _remembered(path) or _missing(wanted, self._search)

    def _candidates(self, relative: str) -> Iterator[str]:
        """The file in every directory searched and all its parents.

        A profile must not lead out of the directories it was pointed at: `..` in its names is followed nowhere.
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


def _open_absolute(path: str) -> str:
    if os.path.isfile(path):
        if not _is_source(path):
            raise SourceUnavailableError(f"open {path}: not named as source code is, so it is not read")
        return _text_of(path)
    text = _from_archive(path) or _remembered(path)
    if text is not None:
        return text
    reason = "is a directory" if os.path.isdir(path) else "no such file or directory"
    raise SourceUnavailableError(f"open {path}: {reason}")


def _is_source(path: str) -> bool:
    """Whether a regular file is named as source code is, also behind its links."""
    real = os.path.realpath(path)
    return (
        not real.startswith(_NO_SOURCES)
        and posixpath.splitext(real)[1].lower() in _SOURCE_SUFFIXES
        and posixpath.splitext(path)[1].lower() in _SOURCE_SUFFIXES
    )


def _missing(path: str, search: str) -> str:
    raise SourceUnavailableError(f"could not find file {path} on path {search}")


def _text_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return _decoded(file.read(_LIMIT))
    except OSError as error:
        raise SourceUnavailableError(
            f"open {path}: {(error.strerror or 'cannot be read').lower()}"
        ) from error


def _decoded(data: bytes) -> str:
    """The text, in the encoding that a Python source declares in its first lines."""
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


def _from_archive(path: str) -> str | None:
    """A member of a zip archive, for a path such as `/srv/app.pyz/pkg/mod.py`."""
    for suffix in _ARCHIVES:
        archive, found, member = path.partition(suffix + "/")
        if found and os.path.isfile(archive + suffix):
            import zipfile

            try:
                with zipfile.ZipFile(archive + suffix) as opened, opened.open(member) as file:
                    return _decoded(file.read(_LIMIT))
            except (KeyError, zipfile.BadZipFile, OSError) as error:
                raise SourceUnavailableError(f"open {path}: {error}") from error
    return None


def _remembered(path: str) -> str | None:
    """Lines that a program keeps for code which is in no file."""
    import sys

    linecache = sys.modules.get("linecache")
    entry = linecache.cache.get(path) if linecache is not None else None
    # Entries of files on disk are not taken: they would open what the rules above do not.
    if entry is None or len(entry) < 4 or os.path.exists(path):
        return None
    return "".join(entry[2])


def _split(text: str) -> list[str]:
    """The lines; only line feeds end one, as in the line numbers of a profile."""
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]
