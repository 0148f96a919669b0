"""Files: reading has a limit; regular files are written whole or not at all, anything else is written to as it is.

`/dev/stdout`, `/dev/fd/N` and links to them mean the descriptor itself, also where the shell has redirected it to a
regular file: the data comes after earlier output and before later output.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

from conduit.errors import ConduitError

if TYPE_CHECKING:
    from typing import IO

_MAX_LINKS = 40  # as the kernel's own limit
_MAX_TRIES = 100
_PIECE_BYTES = 1 << 24
_NUMBERS = {"stdin": 0, "stdout": 1, "stderr": 2}


def read_at_most(file: IO[bytes], limit: int) -> bytes | None:
    """Return the rest of a binary file; None if that is more than `limit` bytes. Raise `OSError` as reading does.

    A pipe or a device has no size that could be asked for beforehand, and may never end, so it is read in pieces.
    """
    pieces = []
    rest = limit + 1
    while rest and (piece := file.read(min(rest, _PIECE_BYTES))):
        pieces.append(piece)
        rest -= len(piece)
    return b"".join(pieces) if rest else None


def write_file_whole(path: str, data: bytes, mode: int = 0o666) -> None:
    """Write `data` to `path`.

    A regular file is written under a temporary name beside it and moved into place, so that a reader finds the old
    content or the new one, never a part, also after a crash; missing folders are made. Permissions are those of the
    file that is replaced, otherwise those of `mode` that the umask allows. A descriptor (`/dev/stdout`, `/dev/fd/N`), a
    pipe or a device is written to. Raise `ConduitError` if that fails.
    """
    try:
        descriptor = descriptor_of(path)
        if descriptor is not None:
            _write_to_descriptor(descriptor, data)
        elif is_replaceable(path):
            _replace(os.path.realpath(path), data, mode)  # a link goes on to point at the same path
        else:
            _write(path, os.O_WRONLY, data)
    except OSError as error:
        raise ConduitError(f"cannot write {path}: {error.strerror or error}") from None


def descriptor_of(path: str) -> int | None:
    """Return the number of the open file that a path names, or None.

    Such paths are `/dev/stdout`, `/proc/self/fd/1`, and links to them.
    """
    own = f"/proc/{os.getpid()}/fd"
    for _ in range(_MAX_LINKS):
        folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100 (pathlib would slow the start)
        if folder == "/dev" and name in _NUMBERS:
            return _NUMBERS[name]
        if os.path.realpath(folder) in (own, "/dev/fd") and name.isdecimal():
            return int(name)
        try:
            path = os.path.join(folder, os.readlink(path))  # noqa: PTH115, PTH118
        except OSError:  # not a link
            return None
    return None


def is_replaceable(path: str) -> bool:
    """Return whether a path names a regular file, or no file yet.

    A device, a pipe or a descriptor can only be written to.
    """
    if descriptor_of(path) is not None:
        return False
    return os.path.isfile(path) or not os.path.exists(path)  # noqa: PTH110, PTH113


def _write_to_descriptor(descriptor: int, data: bytes) -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()  # what the program has printed comes first
    with open(os.dup(descriptor), "wb") as file:  # noqa: PTH123
        file.write(data)


def _replace(path: str, data: bytes, mode: int) -> None:
    folder = os.path.dirname(path)  # noqa: PTH120
    if folder:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    temporary = new_file(folder, data, mode)
    try:
        _take_permissions(path, temporary)
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        remove_new_file(temporary)
        raise


def new_file(folder: str, data: bytes, mode: int = 0o666) -> str:
    """Return the path of a new file with `data` under a temporary name. Raise `OSError` as writing does."""
    temporary, descriptor = _create_in(folder, mode)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(data)
    except BaseException:
        remove_new_file(temporary)
        raise
    return temporary


def remove_new_file(temporary: str) -> None:
    """Remove the temporary name of a file, if the file still has it."""
    from contextlib import suppress

    with suppress(FileNotFoundError):
        os.unlink(temporary)  # noqa: PTH108


def name_new_file(temporary: str, path: str) -> None:
    """Give a file a second name. Raise `FileExistsError` if there is a file of that name, `OSError` otherwise."""
    try:
        os.link(temporary, path, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o666))
        os.replace(temporary, path)  # noqa: PTH105


def _create_in(folder: str, mode: int) -> tuple[str, int]:
    """Return the path and the descriptor of a new file in a folder.

    Names are random, because a process id comes again: in a container every start of the program has the same one, and
    the leftover of a killed process must not stop the next. Nothing that exists is opened, a link least of all.
    """
    for _ in range(_MAX_TRIES):
        name = os.path.join(folder, f".conduit-{os.urandom(8).hex()}.tmp")  # noqa: PTH118
        try:
            return name, os.open(
                name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), mode
            )
        except FileExistsError:
            continue
    raise FileExistsError(errno.EEXIST, "no free name for a temporary file", folder)


def _write(path: str, flags: int, data: bytes) -> None:
    with open(os.open(path, flags, 0o666), "wb") as file:  # noqa: PTH123
        file.write(data)


def _take_permissions(existing: str, new: str) -> None:
    try:
        mode = os.stat(existing).st_mode  # noqa: PTH116
    except FileNotFoundError:
        return
    os.chmod(new, mode & 0o7777)  # noqa: PTH101
