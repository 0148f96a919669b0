"""The file of a compiled form: named parts beside a large document, each read and checked for itself.

It is a cache and never the truth. It names the document that it was made from by size, inode and times; where these,
the format or the package's version differ, or a part's checksum is wrong, it is ignored, and the document is read and
compiled again. A file of another user is ignored too. Where it cannot be written, nothing is said and nothing is lost.

Layout: magic, length and CRC-32 of the header (little-endian), the header, then the parts. The header is ASCII lines:
version and byte order, the document's stamp, and for each part its offset, length, CRC-32 and name. Lists of numbers
and texts have a form that Python reads without help: importing a decoder takes as long as many an answer.
"""

from __future__ import annotations

import os
import sys
from zlib import crc32

from conduit._version import __version__
from conduit.errors import ConduitError

TYPE_CHECKING = False  # `typing` would slow the start of every command; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SMALLEST_BYTES = 1 << 20
"""Documents below this size are read whole: compiling them would gain nothing."""

_MAGIC = b"CONDUIT-COMPILED-7\n"
_LARGEST_HEADER_BYTES = 1 << 26


def compiled_path(document: str) -> str:
    """Return the path of a document's compiled form."""
    return f"{document}.compiled"


def stamp_of(status: os.stat_result) -> tuple[int, ...]:
    """Return what identifies one state of a file: size, inode, and the times of its content and of its inode."""
    return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


class CompiledForm:
    """An open compiled form whose header has been checked; `bytes_of` reads and checks one part."""

    def __init__(self, descriptor: int, start: int, parts: dict[str, tuple[int, int, int]]) -> None:
        """`parts` is name → offset from `start`, the end of the header, length, CRC-32."""
        self._descriptor = descriptor
        self._start = start
        self._parts = parts

    def bytes_of(self, name: str) -> bytes | None:
        """Return the bytes of a part; `None` where the form has no such part or it is damaged."""
        if name not in self._parts:
            return None
        offset, length, checksum = self._parts[name]
        try:
            data = os.pread(self._descriptor, length, self._start + offset)
        except OSError:
            return None
        return data if len(data) == length and crc32(data) == checksum else None

    def names(self) -> Iterable[str]:
        """Return the names of the parts."""
        return self._parts

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def open_compiled(document: str) -> CompiledForm | None:
    """Return the compiled form of a document as it is now; `None` where there is none that fits."""
    try:
        status = os.stat(document)  # noqa: PTH116 (pathlib would cost more than the look-up)
    except OSError:
        return None
    return _open_of_state(document, stamp_of(status))


def _open_of_state(document: str, stamp: tuple[int, ...]) -> CompiledForm | None:
    try:
        descriptor = os.open(compiled_path(document), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    form = None
    try:
        status = os.fstat(descriptor)
        if status.st_uid in (os.geteuid(), 0):
            form = _read_header(descriptor, stamp, status.st_size)
    except (OSError, ValueError):
        form = None
    if form is None:
        os.close(descriptor)
    return form


def _read_header(descriptor: int, stamp: tuple[int, ...], file_size: int) -> CompiledForm | None:
    start = len(_MAGIC) + 8
    head = os.pread(descriptor, start, 0)
    if len(head) < start or not head.startswith(_MAGIC):
        return None
    length = int.from_bytes(head[len(_MAGIC) : -4], "little")
    if length > _LARGEST_HEADER_BYTES:
        return None
    data = os.pread(descriptor, length, start)
    if len(data) != length or crc32(data) != int.from_bytes(head[-4:], "little"):
        return None
    first, state, *lines = data.decode("ascii").split("\n")[:-1]
    if first != _first_line() or state != _state_line(stamp):
        return None
    parts: dict[str, tuple[int, int, int]] = {}
    for line in lines:
        numbers = line.split(" ", 3)
        offset, size, checksum = map(int, numbers[:3])
        if not 0 <= offset <= offset + size <= file_size:
            return None
        parts[_name_of(numbers[3])] = offset, size, checksum
    return CompiledForm(descriptor, start + length, parts)


def _first_line() -> str:
    return f"{__version__} {sys.byteorder}"


def _state_line(stamp: tuple[int, ...]) -> str:
    return " ".join(map(str, stamp))


def _name_of(escaped: str) -> str:
    return escaped.encode("ascii").decode("unicode_escape") if "\\" in escaped else escaped


def write_compiled(document: str, stamp: tuple[int, ...], parts: Mapping[str, bytes]) -> bool:
    """Add parts to the compiled form of a document that had `stamp` when it was read; return whether it was written.

    Parts of the same names are replaced. The file is written whole and renamed, so a reader sees the old one or the new
    one; of two writers, the parts of one may be lost.
    """
    path = compiled_path(document)
    if not os.access(os.path.dirname(path) or ".", os.W_OK):  # noqa: PTH120
        return False
    all_parts = {**_parts_beside(document, stamp, parts), **parts}
    lines = [_first_line(), _state_line(stamp)]
    offset = 0
    for name, data in all_parts.items():
        escaped = name.encode("unicode_escape").decode("ascii")
        lines.append(f"{offset} {len(data)} {crc32(data)} {escaped}")
        offset += len(data)
    header = "".join(f"{line}\n" for line in lines).encode("ascii")
    head = _MAGIC + len(header).to_bytes(4, "little") + crc32(header).to_bytes(4, "little")
    return _write_whole(path, [head, header, *all_parts.values()])


def _parts_beside(document: str, stamp: tuple[int, ...], parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the other parts of the form that is there, without damaged ones."""
    form = _open_of_state(document, stamp)
    if form is None:
        return {}
    try:
        found = {name: form.bytes_of(name) for name in form.names() if name not in parts}
    finally:
        form.close()
    return {name: data for name, data in found.items() if data is not None}


def _write_whole(path: str, pieces: list[bytes]) -> bool:
    from conduit.files import write_file_whole

    try:
        write_file_whole(path, b"".join(pieces))
    except ConduitError:
        return False
    return True


# --- lists in parts


def packed_numbers(numbers: Iterable[int]) -> bytes:
    """Return numbers from 0 as bytes, in this machine's byte order."""
    return b"".join(number.to_bytes(8, sys.byteorder) for number in numbers)


def unpacked_numbers(data: bytes) -> Sequence[int] | None:
    """Return the numbers of `packed_numbers`; `None` for other data."""
    return memoryview(data).cast("Q") if len(data) % 8 == 0 else None


def packed_texts(texts: Iterable[str]) -> bytes:
    r"""Return texts as bytes; a zero character in one is read back as the four characters `\x00`."""
    return "".join(text.replace("\0", r"\x00") + "\0" for text in texts).encode("utf-8", "surrogatepass")


def unpacked_texts(data: bytes) -> list[str]:
    """Return the texts of `packed_texts`; raise `ValueError` for other data."""
    *texts, rest = data.decode("utf-8", "surrogatepass").split("\0")
    if rest:
        raise ValueError("expected a zero behind each text")
    return texts
