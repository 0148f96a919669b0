"""Profiles in the formats of other tools: profiling.sampling's, cProfile's, collapsed stacks, speedscope's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from conduit.fetch.foreign import collapsed, pstats, sampling_binary, speedscope

if TYPE_CHECKING:
    from conduit.fetch.foreign.result import ForeignProfile


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
        collapsed.decode,
    )
    for decode in decoders:
        found = decode(data)
        if found is not None:
            found.profile.check_valid()
            return found
    return None
