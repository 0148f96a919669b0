"""memray's files: a recording (`.bin`), which memray itself turns into its CSV, and that CSV (`memray transform csv`).

A recording holds each allocation; the two states that memray reports on are read: the moment of the highest use
(`peak_objects`, `peak_space`) and the memory that is never freed (`inuse_objects`, `inuse_space`: `--leaks`).
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.fetch.foreign.result import MAX_VALUE, ForeignProfile, malformed
from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    _Frame = tuple[str, str, int, int]
    _Record = tuple[
        list[_Frame], list[int], dict[str, str]
    ]  # frames, leaf first; allocations and bytes; labels

_MAGIC = b"memray\x00"
_LZ4_MAGIC = b"\x04\x22\x4d\x18"  # around a recording, unless it was made with --no-compress
_HEAD_BYTES = 64
_COLUMNS = ["allocator", "num_allocations", "size", "tid", "thread_name", "stack_trace"]
_HEADER = ",".join(_COLUMNS).encode()
_MAX_SECONDS = 600
_MAX_FIELD = 1 << 24
_PEAK = [ValueType("peak_objects", "count"), ValueType("peak_space", "bytes")]
_INUSE = [ValueType("inuse_objects", "count"), ValueType("inuse_space", "bytes")]
_CAVEAT = (
    "memray's table says where the memory of one moment was allocated: "
    "what was freed before it, and when anything was allocated, is not in it"
)
_CSV_CAVEAT = (
    "memray's CSV does not say which moment it is of: the peak without --leaks, memory never freed with it"
)


def decode(data: bytes) -> ForeignProfile | None:
    """Return the profile of a recording or of a CSV; None if the bytes are neither.

    Raise `MalformedProfileError` for a damaged file, and for a recording where memray is not installed.
    """
    if data.startswith(_MAGIC) or (data.startswith(_LZ4_MAGIC) and _MAGIC in data[:_HEAD_BYTES]):
        return _decode_recording(data)
    if not data.startswith(_HEADER):
        return None
    builder = ProfileBuilder(
        [ValueType("objects", "count"), ValueType("space", "bytes")], default_sample_type="space"
    )
    for stack, values, labels in _read_csv(data):
        builder.add(stack, values, labels)
    return ForeignProfile(builder.build(), _CSV_CAVEAT)


def _decode_recording(data: bytes) -> ForeignProfile:
    import importlib.util

    if importlib.util.find_spec("memray") is None:
        raise malformed(
            "memray",
            "a recording, which only memray reads; `pip install memray`, or convert it where memray is: "
            "memray transform csv -o out.csv FILE",
        )
    builder = ProfileBuilder([*_PEAK, *_INUSE], default_sample_type="peak_space")
    with tempfile.TemporaryDirectory(prefix="conduit-memray-") as folder:
        recording = Path(folder, "recording.bin")
        recording.write_bytes(data)
        for stack, values, labels in _read_csv(_transform(recording)):
            builder.add(stack, [*values, 0, 0], labels)
        for stack, values, labels in _read_csv(_transform(recording, "--leaks")):
            builder.add(stack, [0, 0, *values], labels)
    return ForeignProfile(builder.build(), _CAVEAT)


def _transform(recording: Path, *options: str) -> bytes:
    """Return memray's CSV. Its reader is C++ and trusts its input: it runs in a process of its own."""
    out = recording.with_suffix(".csv")
    command = [
        sys.executable,
        "-m",
        "memray",
        "transform",
        "csv",
        *options,
        "-f",
        "-o",
        str(out),
        str(recording),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_MAX_SECONDS)
    except subprocess.TimeoutExpired:
        raise malformed("memray", f"memray did not read it within {_MAX_SECONDS} s") from None
    if done.returncode:
        reason = (
            done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}"
        ).splitlines()[-1]
        raise malformed("memray", f"memray cannot read it: {reason}")
    return out.read_bytes()


def _read_csv(data: bytes) -> Iterator[_Record]:
    rows = csv.reader(data.decode("utf-8", "replace").splitlines())
    before = csv.field_size_limit(_MAX_FIELD)
    try:
        next(rows, None)
        for number, row in enumerate(rows, 2):
            if len(row) != len(_COLUMNS):
                raise malformed("memray", f"line {number}: {len(row)} columns, {len(_COLUMNS)} expected")
            yield _read_row(row, number)
    except csv.Error as error:
        raise malformed("memray", str(error)) from None
    finally:
        csv.field_size_limit(before)


def _read_row(row: Sequence[str], number: int) -> _Record:
    allocator, count, size, _, thread, trace = row
    if not (_is_whole(count) and _is_whole(size)):
        raise malformed(
            "memray", f"line {number}: {count[:30]!r} allocations of {size[:30]!r} bytes are no numbers"
        )
    # A call without Python frames, as memray writes it: its report has no name for it, either.
    stack = (
        [_frame(part, number) for part in trace.split("|")] if trace else [("[no Python frames]", "", 0, 0)]
    )
    return stack, [int(count), int(size)], {"thread": thread, "allocator": allocator.lower()}


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MAX_VALUE


def _frame(text: str, number: int) -> _Frame:
    parts = text.rsplit(";", 2)
    if len(parts) != 3 or not _is_whole(parts[2]):
        raise malformed("memray", f"line {number}: a frame that is not FUNCTION;FILE;LINE: {text[:60]!r}")
    return parts[0], parts[1], int(parts[2]), 0
