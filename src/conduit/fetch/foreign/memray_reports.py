"""memray's reports: the page of `memray table` (HTML) and the statistics of `memray stats --json`.

The page has one row for each allocating line, thread and allocator, and no callers. The statistics have the totals of
the run and name only its largest lines; what the others allocated is one sample, so that the totals are memray's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from conduit.fetch.foreign.result import MAX_VALUE, ForeignProfile, malformed
from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType

if TYPE_CHECKING:
    from collections.abc import Callable

    _Frame = tuple[str, str, int, int]

_TITLE = b"<title>memray - "
_HEAD_BYTES = 4096
_ROWS = "packed_data = "
_OTHERS = ("[other lines]", "", 0, 0)
_STATISTICS = ("total_num_allocations", "total_bytes_allocated", "top_allocations_by_size")
_TABLE_CAVEAT = "memray's table names the line of each allocation and not its callers"
_STATISTICS_CAVEAT = (
    "memray's statistics name the lines that allocated most, without callers, and count what was freed, too: "
    "[other lines] is the rest; a line may have its bytes there or its number of allocations, if only one was named"
)


def decode(data: bytes) -> ForeignProfile | None:
    """Return the profile of a report; None if the bytes are none.

    Raise `MalformedProfileError` for a damaged file, and for another of memray's pages.
    """
    if _TITLE in data[:_HEAD_BYTES]:
        return _decode_page(data)
    if data.lstrip()[:1] == b"{" and all(f'"{key}"'.encode() in data for key in _STATISTICS):
        return _decode_statistics(data)
    return None


def _decode_page(data: bytes) -> ForeignProfile:
    text = data.decode("utf-8", "replace")
    title = text.partition(_TITLE.decode())[2].partition("<")[0]
    if not title.startswith("table"):
        raise malformed(
            "memray",
            f"the page of a {title[:40]}, which holds a picture; convert the recording: memray transform csv",
        )
    rows = _load(lambda: json.JSONDecoder().raw_decode(text[text.index(_ROWS) + len(_ROWS) :])[0])
    if not isinstance(rows, list):
        raise malformed("memray", f"a table of {type(rows).__name__}, a list of rows expected")
    kind = "inuse" if "memory leaks" in title else "peak"
    builder = ProfileBuilder(
        [ValueType(f"{kind}_objects", "count"), ValueType(f"{kind}_space", "bytes")],
        default_sample_type=f"{kind}_space",
    )
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise malformed("memray", f"row {number}: {type(row).__name__}, an object expected")
        values = [_amount(row.get(key), f"row {number}: {key}") for key in ("n_allocations", "size")]
        labels = {"thread": str(row.get("tid", "")), "allocator": str(row.get("allocator", ""))}
        builder.add([_row_frame(row.get("stack_trace"), number)], values, labels)
    return ForeignProfile(builder.build(), _TABLE_CAVEAT)


def _row_frame(text: object, number: int) -> _Frame:
    """Read `FUNCTION at FILE:LINE`; memray writes `???` for an allocation without Python frames."""
    text = _text(text, f"row {number}: stack_trace")
    function, at, place = text.rpartition(" at ")
    file, _, line = place.rpartition(":")
    return _frame(text, function, file, line) if at else _frame(text)


def _decode_statistics(data: bytes) -> ForeignProfile:
    document = _load(lambda: json.loads(data))
    by_line: dict[_Frame, list[int]] = defaultdict(lambda: [0, 0])
    for column, (key, what) in enumerate(
        (("top_allocations_by_count", "count"), ("top_allocations_by_size", "size"))
    ):
        for number, entry in enumerate(document.get(key) or (), 1):
            if not isinstance(entry, dict):
                raise malformed("memray", f"{key} {number}: {type(entry).__name__}, an object expected")
            frame = _location_frame(entry.get("location"), f"{key} {number}")
            by_line[frame][column] += _amount(entry.get(what), f"{key} {number}: {what}")
    totals = [_amount(document.get(key), key) for key in ("total_num_allocations", "total_bytes_allocated")]
    rest = [total - sum(values[column] for values in by_line.values()) for column, total in enumerate(totals)]
    if min(rest) < 0:
        raise malformed("memray", "the lines that it names allocated more than the total")
    if any(rest):
        by_line[_OTHERS] = rest
    builder = ProfileBuilder(
        [ValueType("alloc_objects", "count"), ValueType("alloc_space", "bytes")],
        default_sample_type="alloc_space",
    )
    for frame, values in by_line.items():
        builder.add([frame], values)
    return ForeignProfile(builder.build(), _STATISTICS_CAVEAT)


def _location_frame(text: object, where: str) -> _Frame:
    """Read `FUNCTION:FILE:LINE`."""
    text = _text(text, f"{where}: location")
    head, _, line = text.rpartition(":")
    function, colon, file = head.partition(":")
    return _frame(text, function, file, line) if colon else _frame(text)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise malformed("memray", f"{what}: {value!r}, a text expected")
    return value


def _frame(text: str, function: str = "", file: str = "", line: str = "") -> _Frame:
    """Return the frame of a place, or, where `line` is no line number, one that is named by the whole text."""
    if line.isascii() and line.isdigit() and len(line) <= 9:
        return function, file, int(line), 0
    return text or "[no Python frames]", "", 0, 0


def _load(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (ValueError, RecursionError) as error:
        raise malformed("memray", f"the report's data cannot be read: {error}") from None


def _amount(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_VALUE:
        raise malformed("memray", f"{what}: {value!r}, a number from 0 to {MAX_VALUE} expected")
    return value
