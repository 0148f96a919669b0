"""Output files, written whole or not at all."""

from __future__ import annotations

import os

from conduit.errors import ConduitError


def write_file_whole(path: str, data: bytes) -> None:
    """Writes a file under a temporary name beside it and moves it into place; missing folders are made.

    A reader, and whoever comes after a crash of this process, finds the old content or the new, never a part. Permissions are those of
    the file that is replaced, else what the umask allows. Raises `ConduitError` where the file cannot be written.
    """
    # A link keeps pointing where it points; what it points at is replaced.
    path = os.path.realpath(path)
    folder = os.path.dirname(path)  # noqa: PTH120 (pathlib would slow the start of commands that write nothing)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113
            _write(path, os.O_WRONLY, data)  # a device or a pipe cannot be replaced, only written to
            return
        if folder:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        try:
            _write(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, data)
            _take_permissions(path, temporary)
            os.replace(temporary, path)  # noqa: PTH105
        except BaseException:
            _remove(temporary)
            raise
    except OSError as error:
        raise ConduitError(f"cannot write {path}: {error.strerror or error}") from None


def _write(path: str, flags: int, data: bytes) -> None:
    with open(os.open(path, flags, 0o666), "wb") as file:  # noqa: PTH123
        file.write(data)


def _take_permissions(existing: str, new: str) -> None:
    try:
        mode = os.stat(existing).st_mode  # noqa: PTH116
    except FileNotFoundError:
        return
    os.chmod(new, mode & 0o7777)  # noqa: PTH101


def _remove(path: str) -> None:
    from contextlib import suppress

    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108
