"""Decodes the samples of a profile: nine tenths of its bytes, so this is where reading a large one spends its time.

Writers give samples one form: packed location ids, packed values, labels. That form is read here in one tight loop
for each sample, with lengths of one or two bytes and ids looked up in a list. Whatever has any other form, faults
included, goes through the general reader in `codec`, which is slower and knows every rule and every message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile.wire import WireError, read_packed, to_signed

if TYPE_CHECKING:
    from conduit.profile.model import Location

_LOCATIONS, _VALUES, _LABEL = 0x0A, 0x12, 0x1A  # the tags of the fields 1, 2 and 3 with lengths
_SIGNED_LENGTH = 10  # bytes of a negative number, and of the largest ones
_LONGEST_USUAL = 1 << 20  # bytes; a longer sample has its numbers counted before they are made


class UnusualError(Exception):
    """The sample is not in the usual form."""


def location_table(locations: list[Location]) -> list[Location | None]:
    """The locations by id, as far as ids are dense; empty where a list would be mostly holes."""
    highest = max((location.id for location in locations), default=0)
    if highest > 2 * len(locations) + 1000:
        return []
    table: list[Location | None] = [None] * (highest + 1)
    for location in locations:
        table[location.id] = location
    return table


class SampleReader:
    """Reads samples in the usual form from one document."""

    def __init__(self, data: bytes, locations: list[Location]) -> None:
        self._data = data
        self._table = location_table(locations)

    def read(self, position: int, stop: int) -> tuple[list[Location], list[int], list[bytes]]:
        """Reads the stack, the values and the undecoded labels of the sample in data[position:stop].

        Raises `UnusualError` where the general reader has to take over.
        """
        if stop - position > _LONGEST_USUAL:
            raise UnusualError
        return self._read_in_python(position, stop)

    def _read_in_python(self, position: int, stop: int) -> tuple[list[Location], list[int], list[bytes]]:
        data = self._data
        stack: list[Location] = []
        values: list[int] = []
        labels: list[bytes] = []
        while position < stop:
            tag = data[position]
            start = position + 2
            if start > stop:
                raise UnusualError
            size = data[start - 1]
            if size >= 0x80:
                if start >= stop or data[start] >= 0x80:
                    raise UnusualError
                size = size & 0x7F | data[start] << 7
                start += 1
            position = start + size
            if position > stop:
                raise UnusualError
            if tag == _LOCATIONS and not stack:
                stack = _read_stack(data[start:position], self._table)
            elif tag == _VALUES and not values:
                values = _read_values(data, start, position)
            elif tag == _LABEL:
                labels.append(data[start:position])
            else:
                raise UnusualError
        return stack, values, labels


def _read_values(data: bytes, start: int, stop: int) -> list[int]:
    try:
        values = read_packed(data, start, stop)
    except WireError:
        raise UnusualError from None
    # Only a number of ten bytes can be negative.
    return [to_signed(value) for value in values] if stop - start >= _SIGNED_LENGTH else values


def _read_stack(packed: bytes, table: list[Location | None]) -> list[Location]:
    """Looks packed ids up; ids of more than three bytes, unknown ones and broken varints are not for here."""
    stack: list[Location] = []
    append = stack.append
    value = shift = 0
    try:
        for byte in packed:
            if byte >= 0x80:
                value |= (byte & 0x7F) << shift
                shift += 7
            else:
                append(table[value | byte << shift])  # type: ignore[arg-type]  # checked below
                value = shift = 0
    except IndexError:
        raise UnusualError from None
    if shift or None in stack:
        raise UnusualError
    return stack
