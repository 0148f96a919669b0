"""A reader of `marshal`'s format for the types in cProfile's files.

`marshal.loads` must not be used for untrusted files: damaged bytes can crash the interpreter. This reader accepts
dictionaries, tuples, numbers and texts, and rejects all other types.
"""

from __future__ import annotations

import struct
from typing import Any

_REFERENCE_FLAG = 0x80
_MAX_DEPTH = 20
_MAX_DIGITS = 20  # of 15 bits: more than any count or time needs
_MISSING = object()
_CONSTANTS = {"N": None, "T": True, "F": False}


class MarshalError(Exception):
    """Bytes that are not marshalled dictionaries, tuples, numbers and texts."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.offset = 0
        self._references: list[Any] = []

    def take(self, size: int) -> bytes:
        part = self._data[self.offset : self.offset + size]
        if size < 0 or len(part) != size:
            raise MarshalError(f"unexpected end at offset {len(self._data)}")
        self.offset += size
        return part

    def size(self) -> int:
        return int.from_bytes(self.take(4), "little", signed=True)

    def read(self, depth: int = 0) -> Any:
        if depth > _MAX_DEPTH:
            raise MarshalError(f"values nested deeper than {_MAX_DEPTH} at offset {self.offset}")
        code = self.take(1)[0]
        kind = chr(code & ~_REFERENCE_FLAG)
        if kind == "r":
            return self._referred(self.size())
        index = len(self._references)
        if code & _REFERENCE_FLAG:
            self._references.append(_MISSING)
        value = self._value(kind, depth)
        if code & _REFERENCE_FLAG:
            self._references[index] = value
        return value

    def _referred(self, index: int) -> Any:
        if not 0 <= index < len(self._references) or self._references[index] is _MISSING:
            raise MarshalError(f"a reference to nothing at offset {self.offset}")
        return self._references[index]

    def _value(self, kind: str, depth: int) -> Any:
        if kind == "{":
            return self._dictionary(depth)
        if kind in "()":
            size = self.size() if kind == "(" else self.take(1)[0]
            if size < 0:
                raise MarshalError(f"a negative size at offset {self.offset}")
            return tuple(self.read(depth + 1) for _ in range(size))
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind == "i":
            return self.size()
        if kind == "l":
            return self._long()
        if kind == "g":
            return struct.unpack("<d", self.take(8))[0]
        if kind in "zZ":
            return self.take(self.take(1)[0]).decode("ascii", "replace")
        if kind in "aA":
            return self.take(self.size()).decode("ascii", "replace")
        if kind in "ut":
            return self.take(self.size()).decode("utf-8", "surrogatepass")
        raise MarshalError(f"a value of the kind {kind!r} at offset {self.offset - 1}")

    def _dictionary(self, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        while self._data[self.offset : self.offset + 1] != b"0":
            key = self.read(depth + 1)
            # Tuples of tuples that are references take exponential time to hash.
            if isinstance(key, tuple) and any(isinstance(part, (tuple, dict)) for part in key):
                raise MarshalError(f"a nested key at offset {self.offset}")
            found[key] = self.read(depth + 1)
        self.offset += 1
        return found

    def _long(self) -> int:
        digits = self.size()
        if abs(digits) > _MAX_DIGITS:
            raise MarshalError(f"a number of {abs(digits)} digits at offset {self.offset}")
        words = struct.unpack(f"<{abs(digits)}H", self.take(2 * abs(digits)))
        number: int = sum(word << 15 * position for position, word in enumerate(words))
        return -number if digits < 0 else number


def read_marshalled(data: bytes) -> Any:
    """Return the value in the bytes; raise `MarshalError` for damaged bytes and other types."""
    try:
        return _Reader(data).read()
    except (UnicodeDecodeError, TypeError) as error:  # TypeError: a dictionary as a key
        raise MarshalError(str(error)) from None
