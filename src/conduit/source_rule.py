"""Which files may be read as source code where a profile or a document names them.

Both may come from anywhere and name any file, and a page, a listing or a trace with its text is often passed on. So
sources are read below the working directory, the folders of `sys.path`, those that the caller adds (`-source_path`),
and the library folders of an installed Python, which is the recorded one where it is not the running one. A path is
judged by what its links lead to. In those folders a file has to be named as source code is (`.py`, `.c`, `.go`, …) or
to be a script (`#!`), so that the private files of a project are not read. Nothing is read below `/proc`, `/dev` and
`/sys`, and nothing that is not a regular file of text.

A working directory `/` opens nothing: every file of the machine is below it.
"""

# pathlib would slow the start of a small report.
# ruff: noqa: PTH112, PTH113, PTH117, PTH119, PTH120, PTH122, PTH123, PTH207

from __future__ import annotations

import os
import re
import stat
import sys
from typing import TYPE_CHECKING

from conduit.files import read_at_most

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ARCHIVES = (".zip", ".egg", ".whl", ".pyz", ".pex")
SUFFIXES = frozenset(
    (
        *(".py", ".pyi", ".pyw", ".pyx", ".pxd", ".pxi", ".ipynb"),
        *(".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh", ".m", ".mm", ".s", ".go", ".rs", ".swift"),
        *(".java", ".kt", ".scala", ".cs", ".f", ".f90", ".rb", ".php", ".lua", ".pl", ".sh"),
        *(".js", ".mjs", ".ts", ".tsx", ".jsx", ".html", ".jinja", ".jinja2", ".j2", ".tmpl", ".mako"),
        *(".sql", ".proto", ".graphql", ".gql", ".cdt"),
    )
)
_NEVER = ("/proc", "/dev", "/sys")
_LIBRARY = re.compile(r"/lib(?:64)?/python3[.\d]*t?(/(?:site|dist)-packages)?(?=/)")
_NOT_NAMED = "not named as source code is"
_MAX_BYTES = 64 << 20
_MAX_PTH_BYTES = 1 << 16


class SourceRefusedError(Exception):
    """A file that is not read as source code; the text says why.

    `folder` is the one that would have to be among the folders, empty where that is not the reason. `is_by_name`: the
    file is not named as source code is.
    """

    def __init__(self, reason: str, folder: str = "", *, is_by_name: bool = False) -> None:
        super().__init__(reason)
        self.folder = folder
        self.is_by_name = is_by_name


class SourceRule:
    """Judges and reads files, by the folders of the moment when it was made.

    `folders` are more of them, `pythons` the executables of recorded Pythons, whose `.pth` files name further ones.
    With `anywhere` neither folders nor names are judged.
    """

    def __init__(
        self, folders: Iterable[str] = (), *, pythons: Iterable[str] = (), anywhere: bool = False
    ) -> None:
        self._anywhere = anywhere
        implied = (
            _working_directory(),
            *sys.path,
            *(each for python in pythons for each in _added_by(python)),
        )
        self._folders = frozenset(map(os.path.realpath, folders)) | (
            frozenset(os.path.realpath(each) for each in implied if each) - {"/"}
        )

    def read(self, path: str, limit: int = _MAX_BYTES) -> bytes:
        """Return the content of a file of at most `limit` bytes.

        Raise `SourceRefusedError` for one that is not read, `OSError` as `open` does.
        """
        real = self._judged(path)
        content = _content(real, limit)
        if not self._anywhere and not _is_source(path, real, content):
            raise SourceRefusedError(_NOT_NAMED, is_by_name=True)
        if b"\0" in content:
            raise SourceRefusedError("not a text file")
        return content

    def read_member(self, archive: str, member: str) -> bytes:
        """Return a file of a zip archive, with the errors of `read`."""
        import zipfile
        from zlib import error as DamagedData  # noqa: N812 (zlib names it in lower case)

        real = self._judged(archive)
        if not self._anywhere and not _is_named_as_source(member):
            raise SourceRefusedError(_NOT_NAMED, is_by_name=True)
        try:
            with zipfile.ZipFile(real) as opened, opened.open(member) as file:
                content = read_at_most(file, _MAX_BYTES)
        except (KeyError, RuntimeError, EOFError, DamagedData, zipfile.BadZipFile) as error:
            raise SourceRefusedError(str(error.args[0] if error.args else error)) from None
        if content is None:
            raise SourceRefusedError(f"larger than {_MAX_BYTES >> 20} MiB")
        return content

    def _judged(self, path: str) -> str:
        """Return the real path of a file that lies where sources are read."""
        real = os.path.realpath(path)
        if any(_is_below(real, folder) for folder in _NEVER):
            raise SourceRefusedError("no source is read below /proc, /dev and /sys")
        if not self._anywhere and not self._is_in_a_folder(real) and not _is_of_a_library(real):
            raise SourceRefusedError("outside the folders that sources are read from", os.path.dirname(real))
        return real

    def _is_in_a_folder(self, real: str) -> bool:
        if "/" in self._folders or real in self._folders:  # the latter: an archive on the path
            return True
        folder = os.path.dirname(real)
        while folder not in self._folders:
            above = os.path.dirname(folder)
            if above == folder:
                return False
            folder = above
        return True


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except FileNotFoundError:  # it was removed
        return ""


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _is_named_as_source(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in SUFFIXES


def _is_source(path: str, real: str, content: bytes) -> bool:
    if _is_named_as_source(path) and _is_named_as_source(real):
        return True
    return not os.path.splitext(real)[1] and content.startswith(b"#!")


def _is_of_a_library(real: str) -> bool:
    """Return whether a file is in the standard library of an installed Python, or among its packages."""
    return any(
        found[1] or os.path.isfile(real[: found.end()] + "/os.py") for found in _LIBRARY.finditer(real)
    )


def _added_by(python: str) -> Iterator[str]:
    """Yield the folders that `.pth` files add to the `sys.path` of the Python with this executable."""
    if not os.path.isabs(python) or not os.path.basename(python).startswith("python"):
        return
    from glob import escape, glob

    prefix = escape(os.path.dirname(os.path.dirname(python)))
    for path in sorted(glob(f"{prefix}/lib/python3*/site-packages/*.pth")):
        try:
            with open(path, "rb") as file:
                text = file.read(_MAX_PTH_BYTES).decode("utf-8", "surrogateescape")
        except OSError:  # that Python cannot read it either
            continue
        lines = (line.strip() for line in text.splitlines())
        yield from (line for line in lines if os.path.isabs(line) and os.path.isdir(line))


def _content(real: str, limit: int) -> bytes:
    """Return the content of a regular file; a pipe is not waited for, and a link is not followed any more."""
    descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SourceRefusedError("not a regular file")
        content = read_at_most(file, limit)
    if content is None:
        raise SourceRefusedError(f"larger than {limit >> 20} MiB")
    return content
