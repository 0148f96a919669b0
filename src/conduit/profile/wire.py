"""The protocol buffers wire format, as far as `profile.proto` needs it: varints, tags, packed numbers.

Written here because a protobuf runtime takes longer to import than a small profile takes to read, and because
its decoders do not say where the data went wrong. Positions are offsets into the whole (decompressed) document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5

_MASK64 = (1 << 64) - 1
_SIGN_BIT = 1 << 63
_CONTINUED = bytes(range(0x80, 0x100))
_LONGEST_VARINT = 10  # bytes
_LAST_SHIFT = 7 * (_LONGEST_VARINT - 1)


class WireError(Exception):
    """The bytes at `offset` are not what the wire format allows there."""

    def __init__(self, detail: str, offset: int) -> None:
        super().__init__(detail)
        self.detail = detail
        self.offset = offset


def read_varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Read one unsigned varint before `end`; return it and the position after it. Bits beyond 64 are cut off."""
    value = shift = 0
    for index in range(position, min(end, position + _LONGEST_VARINT)):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK64, index + 1
        shift += 7
    raise WireError("a varint does not end within 10 bytes and its message", position)


def read_fields(data: bytes, position: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Walk over the fields of the message in data[position:end].

    Yields (field number, wire type, value, stop, start): for a varint `value` is the number; for a delimited field
    data[value:stop] is its content; for a fixed-width one data[value:stop] its bytes. data[start:stop] is the whole
    field, tag included.
    """
    while position < end:
        start = position
        tag = data[position]
        if tag < 0x80:
            position += 1
        else:
            tag, position = read_varint(data, position, end)
        kind = tag & 7
        if kind == DELIMITED:
            size, position = read_varint(data, position, end)
            content, position = position, position + size
            if position > end:
                raise WireError(f"a field of {size} bytes does not fit into its message", start)
            yield tag >> 3, kind, content, position, start
        elif kind == VARINT:
            value, position = read_varint(data, position, end)
            yield tag >> 3, kind, value, position, start
        elif kind in (FIXED64, FIXED32):
            content, position = position, position + (8 if kind == FIXED64 else 4)
            if position > end:
                raise WireError("a number of fixed width does not fit into its message", start)
            yield tag >> 3, kind, content, position, start
        else:
            raise WireError(f"wire type {kind} is unknown: expected 0, 1, 2 or 5", start)


def expect_kind(kind: int, expected: int, offset: int) -> None:
    """Raise `WireError` where a field has another wire type than its number calls for."""
    if kind != expected:
        raise WireError(f"wire type {kind} in a field that has wire type {expected}", offset)


def read_numbers(data: bytes, position: int, stop: int, last: int) -> tuple[list[int], bytes]:
    """Read a message whose fields 1 to `last` are numbers; return them by field number, and the unknown fields."""
    values = [0] * (last + 1)
    unknown = b""
    while position < stop:
        start = position
        tag = data[position]
        if tag < 0x80 and not tag & 7 and 0 < tag >> 3 <= last and position + 1 < stop:
            value = data[position + 1]
            position += 2
            if value >= 0x80:
                value, position = read_varint(data, position - 1, stop)
            values[tag >> 3] = value
            continue
        number, kind, _, position, _ = next(read_fields(data, position, stop))
        if 0 < number <= last:
            expect_kind(kind, VARINT, start)
            values[number] = read_varint(data, read_varint(data, start, stop)[1], stop)[0]
        else:
            unknown += data[start:position]
    return values, unknown


def read_packed(data: bytes, position: int, end: int) -> list[int]:
    """Read all the unsigned varints in data[position:end]."""
    chunk = data[position:end]
    if chunk.isascii():  # Every byte is a number of its own.
        return list(chunk)
    numbers: list[int] = []
    append = numbers.append
    value = shift = 0
    for byte in chunk:
        if byte >= 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        elif shift:
            if shift > _LAST_SHIFT:
                raise WireError("a varint in a packed field is longer than 10 bytes", position)
            append((value | byte << shift) & _MASK64)
            value = shift = 0
        else:
            append(byte)
    if shift:
        raise WireError("a packed field does not end with a whole varint", position)
    return numbers


def count_packed(data: bytes, position: int, end: int) -> int:
    """Count the varints in data[position:end] without making them: each ends with its only byte below 0x80."""
    return len(data[position:end].translate(None, _CONTINUED))


def to_signed(value: int) -> int:
    """Read 64 unsigned bits as a two's complement number."""
    return value - (1 << 64) if value & _SIGN_BIT else value


def to_bits(value: int) -> int:
    """Return the 64 bits that stand for a number from -2**63 to 2**64 - 1, as unsigned; `ValueError` for others."""
    if not -_SIGN_BIT <= value <= _MASK64:
        raise ValueError(f"the number {value} does not fit into the 64 bits that a profile has for it")
    return value & _MASK64


def write_varint(value: int) -> bytes:
    """Write a number from -2**63 to 2**64 - 1 as the format does: negative ones as 64 bits, ten bytes long."""
    if 0 <= value < 0x80:
        return _ONE_BYTE[value]
    value = to_bits(value)
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_ONE_BYTE = [bytes((value,)) for value in range(0x80)]


def write_number(field: int, value: int) -> bytes:
    """Write a varint field; nothing for 0, which is the default."""
    return write_varint(field << 3) + write_varint(value) if value else b""


def write_delimited(field: int, content: bytes) -> bytes:
    """Write a string, packed or message field, also when it is empty."""
    return write_varint(field << 3 | DELIMITED) + write_varint(len(content)) + content


def write_numbers(field: int, values: Iterable[int]) -> bytes:
    """Write a repeated number in packed form; nothing when there are none."""
    content = b"".join(map(write_varint, values))
    return write_delimited(field, content) if content else b""
