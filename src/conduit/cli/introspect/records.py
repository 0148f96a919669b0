"""Resources and routes as a compiled form keeps them: the JSON that is printed, and where each record ends in it.

Printing a few of thousands of records then needs neither the records themselves nor an encoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from conduit.cli.introspect.data import escaped_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


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
) -> bytes | None:
    """Return the records at these positions as a JSON array; `None` where the form does not have them.

    `stored` returns a part of the form by its name.
    """
    text = stored(f"text:{kind}")
    stored_ends = stored(f"ends:{kind}") if text is not None else None
    if text is None or stored_ends is None:
        return None
    ends = msgspec.msgpack.decode(stored_ends, type=list[int])
    if len(positions) == len(ends) and list(positions) == list(range(len(ends))):
        return text
    view = memoryview(text)
    pieces = [view[ends[first - 1] + 1 if first else 1 : ends[last]] for first, last in _runs(positions)]
    separated = [piece for each in pieces for piece in (b",", each)]
    return b"".join((b"[", *separated[1:], b"]"))


def _runs(positions: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and last position of each run of consecutive ones."""
    runs: list[tuple[int, int]] = []
    for at in positions:
        if runs and runs[-1][1] == at - 1:
            runs[-1] = runs[-1][0], at
        else:
            runs.append((at, at))
    return runs
