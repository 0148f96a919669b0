"""Resources and routes as a compiled form keeps them: the JSON that is printed, and where each record ends in it.

Printing a few of thousands of records then needs neither the records themselves nor an encoder. Records are cut out in
pieces, because memory for all of them at once takes longer to get than the pieces to make.
"""

from __future__ import annotations

from conduit.cli.introspect.data import escaped_json
from conduit.metadata.compiled_file import unpacked_numbers

TYPE_CHECKING = False  # `typing` would slow the start of every command; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

_PIECE_BYTES = 1 << 18


def stored_records(records: Sequence[Any]) -> tuple[bytes, list[int]]:
    """Return the records as a JSON array, and the offset at which each one ends."""
    texts = [escaped_json(record) for record in records]
    ends, offset = [], 1
    for text in texts:
        ends.append(offset + len(text))
        offset += len(text) + 1
    return b"[" + b",".join(texts) + b"]", ends


def selected_records(
    stored: Callable[[str], bytes | None], kind: str, positions: Sequence[int]
) -> Iterator[bytes] | None:
    """Return the records at these positions as JSON arrays of some of them; `None` where the form does not have them.

    `stored` returns a part of the form by its name.
    """
    text = stored(f"text:{kind}")
    stored_ends = stored(f"ends:{kind}") if text is not None else None
    ends = unpacked_numbers(stored_ends) if stored_ends is not None else None
    if text is None or ends is None:
        return None
    return _arrays(text, ends, positions)


def _arrays(text: bytes, ends: Sequence[int], positions: Sequence[int]) -> Iterator[bytes]:
    view = memoryview(text)
    pieces: list[memoryview] = []
    size = 0
    for first, last in _runs(ends, positions):
        piece = view[ends[first - 1] + 1 if first else 1 : ends[last]]
        if size + len(piece) > _PIECE_BYTES and pieces:
            yield _array(pieces)
            pieces, size = [], 0
        pieces.append(piece)
        size += len(piece)
    if pieces:
        yield _array(pieces)


def _array(pieces: Sequence[memoryview]) -> bytes:
    separated = [part for each in pieces for part in (b",", each)]
    return b"".join((b"[", *separated[1:], b"]"))


def _runs(ends: Sequence[int], positions: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and last position of each run of consecutive ones that is no longer than a piece."""
    first = last = -2
    begin = 0
    for at in positions:
        if at != last + 1 or ends[at] - begin > _PIECE_BYTES:
            if first >= 0:
                yield first, last
            first = at
            begin = ends[at - 1] if at else 0
        last = at
    if first >= 0:
        yield first, last
