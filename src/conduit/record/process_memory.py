"""The memory of another process, and the addresses of symbols of its binaries in it. Linux, 64 bits.

Reading goes through `/proc/PID/mem`, which neither stops the process nor changes anything in it. The kernel allows it
to users who may attach a debugger: the same user under the limits of Yama (`kernel.yama.ptrace_scope`), or
CAP_SYS_PTRACE.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from conduit.errors import ConduitError, ProfilerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

_SECTION_OF_DYNAMIC_SYMBOLS = 11
_LOADED_SEGMENT = 1
_ELF_OF_64_BITS = b"\x7fELF\x02\x01"  # little-endian


class UnreadableMemoryError(ConduitError):
    """An address that is not, or no longer, mapped in the other process."""


class Mapped(NamedTuple):
    """A file mapped into the process: the address of its first byte, its path there, and a path valid here."""

    start: int
    path: str
    readable_path: Path


class ProcessMemory:
    """The memory of process `pid`, as a context manager. Raise `ProfilerUnavailableError` if it cannot be opened."""

    def __init__(self, pid: int, *, writable: bool = False) -> None:
        self.pid = pid
        self.folder: Path = Path(f"/proc/{pid}")
        try:
            self._file = os.open(self.folder / "mem", os.O_RDWR if writable else os.O_RDONLY)
        except FileNotFoundError:
            raise ProfilerUnavailableError(f"there is no process {pid}") from None
        except ProcessLookupError:  # only its exit status is left
            raise ProfilerUnavailableError(f"process {pid} has ended") from None
        except PermissionError:
            raise ProfilerUnavailableError(
                f"reading the memory of process {pid} is not permitted: run as its user (with "
                "kernel.yama.ptrace_scope = 0, "
                "or as its parent) or as root; in a container it takes the capability SYS_PTRACE. A program that "
                "serves Conduit's debug endpoint can be read without this permission"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    @property
    def descriptor(self) -> int:
        """The open file descriptor of the memory, for reading in C; it is closed by this object."""
        return self._file

    def read(self, address: int, size: int) -> bytes:
        """Return `size` bytes at an address. Raise `UnreadableMemoryError`."""
        try:
            data = os.pread(self._file, size, address)
        except (OSError, OverflowError):
            data = b""
        if len(data) != size:
            raise UnreadableMemoryError(f"nothing is mapped at {address:#x} in process {self.pid}")
        return data

    def write(self, address: int, data: bytes) -> None:
        """Write to an address; the process must have been opened for writing. Raise `UnreadableMemoryError`."""
        try:
            written = os.pwrite(self._file, data, address)
        except (OSError, OverflowError):
            written = 0
        if written != len(data):
            raise UnreadableMemoryError(f"nothing is mapped at {address:#x} in process {self.pid}")

    def pointer(self, address: int) -> int:
        """Return the pointer at an address. Raise `UnreadableMemoryError`."""
        value: int = struct.unpack("<Q", self.read(address, 8))[0]
        return value

    def files(self) -> Iterator[Mapped]:
        """Yield the files whose beginning is mapped into the process."""
        try:
            lines = (self.folder / "maps").read_text().splitlines()
        except OSError:
            raise ProfilerUnavailableError(
                f"process {self.pid} has ended, or its maps are not readable"
            ) from None
        for line in lines:
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and fields[5].startswith("/") and int(fields[2], 16) == 0:
                start = int(fields[0].partition("-")[0], 16)
                yield Mapped(start, fields[5], self._readable(fields[5]))

    def _readable(self, path: str) -> Path:
        """Return the file's path in this process; for the program itself, one that works if the file was replaced."""
        try:
            if str((self.folder / "exe").readlink()) == path:
                return self.folder / "exe"
        except OSError:
            pass  # not permitted: then by its path
        inside = self.folder / "root" / path.lstrip("/")  # in a container, the root is another
        return inside if inside.exists() else Path(path)


def find_symbols(file: Mapped, names: set[str]) -> dict[str, int]:
    """Return the addresses in the process of the exported symbols with these names that a mapped ELF file defines."""
    try:
        data = file.readable_path.read_bytes()
    except OSError:
        return {}
    if data[:6] != _ELF_OF_64_BITS:
        return {}
    try:
        base = file.start - _first_address(data)
        return {name: base + value for name, value in _dynamic_symbols(data) if name in names}
    except (struct.error, OverflowError):  # damaged, or cut short
        return {}


def find_section(file: Mapped, name: str) -> int | None:
    """Return the address in the process of the section with this name in a mapped ELF file, or None."""
    try:
        data = file.readable_path.read_bytes()
    except OSError:
        return None
    if data[:6] != _ELF_OF_64_BITS:
        return None
    try:
        sections = _sections(data)
        (names_at,) = struct.unpack_from("<H", data, 62)
        names = sections[names_at][4]
        for section in sections:
            begin = names + section[0]
            if data[begin : data.index(b"\0", begin)] == name.encode():
                found: int = file.start - _first_address(data) + section[3]
                return found
    except (struct.error, OverflowError, IndexError, ValueError):
        pass  # damaged, or cut short: nothing is found in it
    return None


def _first_address(data: bytes) -> int:
    """Return the address for which the beginning of the file was linked: 0 if the program is relocatable."""
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for at in range(offset, offset + size * count, size):
        kind, _, file_offset, address = struct.unpack_from("<IIQQ", data, at)
        if kind == _LOADED_SEGMENT and file_offset == 0:
            found: int = address
            return found
    return 0


def _sections(data: bytes) -> list[tuple[int, ...]]:
    (offset,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    return [struct.unpack_from("<IIQQQQIIQQ", data, offset + size * i) for i in range(count)]


def _dynamic_symbols(data: bytes) -> Iterator[tuple[str, int]]:
    sections = _sections(data)
    for section in sections:
        if section[1] != _SECTION_OF_DYNAMIC_SYMBOLS:
            continue
        strings = sections[section[6]][4]
        for at in range(section[4], section[4] + section[5], 24):
            name, _, _, defined_in, value, _ = struct.unpack_from("<IBBHQQ", data, at)
            if defined_in == 0:  # it is another file's, and this one only uses it
                continue
            end = data.index(b"\0", strings + name)
            yield data[strings + name : end].decode("ascii", "replace"), value
