"""Profiles in the formats of other tools, recognised by their first bytes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from conduit.fetch.foreign import (
    collapsed,
    gecko,
    memray,
    memray_reports,
    pstats,
    pyinstrument,
    sampling_binary,
    sampling_flamegraph,
    speedscope,
    trace_events,
)
from conduit.profile.codec import decompress
from conduit.profile.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from conduit.fetch.foreign.result import ForeignProfile

_GZIP_MAGIC = b"\x1f\x8b"


def decode_foreign(data: bytes, *, times: bool = False) -> ForeignProfile | None:
    """Return the profile in the bytes of another tool's file, or None if the format is none of those known.

    With `times`, samples of a format that orders them in time say when they were taken (`end_timestamp_ns`), each
    sample alone; otherwise equal ones are added up.

    Raise `MalformedProfileError` if the format is known and the file is damaged.
    """
    decoders = (
        sampling_binary.decode,
        pstats.decode,
        partial(speedscope.decode, times=times),
        partial(gecko.decode, times=times),
        partial(pyinstrument.decode, times=times),
        partial(trace_events.decode, times=times),
        memray.decode,
        memray_reports.decode,
        sampling_flamegraph.decode,
        collapsed.decode,
    )
    if data[:2] == _GZIP_MAGIC:
        data = decompress(data, DEFAULT_LIMITS.size_bytes)
    for decode in decoders:
        found = decode(data)
        if found is not None:
            found.profile.check_valid()
            return found
    return None
