"""Decodes the samples of a profile: nine tenths of its bytes, so this is where reading a large one spends its time.

Writers give samples one form: packed location ids, packed values, labels. That form is read here in one tight loop
for each sample, with lengths of one or two bytes and ids looked up in a list. Whatever has any other form, faults
included, goes through the general reader in `codec`, which is slower and knows every rule and every message.
"""

from __future__ import annotations

from conduit.profile.wire import WireError, read_packed, to_signed

_LOCATIONS, _VALUES, _LABEL = 0x0A, 0x12, 0x1A  # the tags of the fields 1, 2 and 3 with lengths
_SIGNED_LENGTH = 10  # bytes of a negative number, and of the largest ones
_LONGEST_USUAL = 1 << 20  # bytes; a longer sample has its numbers counted before they are made


class UnusualError(Exception):
    """The sample is not in the usual form."""


def index_table(ids: list[int]) -> list[int]:
    """Return the index of each location by its id, -1 where there is none; empty if a list would be mostly holes."""
    highest = max(ids, default=0)
    if highest > 2 * len(ids) + 1000:
        return []
    table = [-1] * (highest + 1)
    for number, id in enumerate(ids):
        table[id] = number
    return table


class SampleReader:
    """Reads samples in the usual form from one document."""

    def __init__(self, data: bytes, ids: list[int]) -> None:
        """`ids` are those of the locations, in the order of the profile's table."""
        self._data = data
        self._table = index_table(ids)

    def read(self, position: int, stop: int) -> tuple[list[int], list[int], list[bytes]]:
        """Read the stack (indices), the values and the undecoded labels of the sample in data[position:stop].

        Raises `UnusualError` where the general reader has to take over.
        """
        if stop - position > _LONGEST_USUAL:
            raise UnusualError
        data = self._data
        stack: list[int] = []
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


def _read_stack(packed: bytes, table: list[int]) -> list[int]:
    """Look up packed ids; unknown ones and broken varints are handled elsewhere."""
    stack: list[int] = []
    append = stack.append
    value = shift = 0
    try:
        for byte in packed:
            if byte >= 0x80:
                value |= (byte & 0x7F) << shift
                shift += 7
            else:
                append(table[value | byte << shift])
                value = shift = 0
    except IndexError:
        raise UnusualError from None
    if shift or -1 in stack:
        raise UnusualError
    return stack
