"""Profiles in the formats of other tools: cProfile's statistics, collapsed stacks, speedscope's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.fetch.foreign import collapsed, pstats, speedscope

if TYPE_CHECKING:
    from conduit.fetch.foreign.result import ForeignProfile


def decode_foreign(data: bytes) -> ForeignProfile | None:
    """Return the profile in the bytes of another tool's file, or None if the format is none of those known.

    Raise `MalformedProfileError` if the format is known and the file is damaged.
    """
    for decode in (pstats.decode, speedscope.decode, collapsed.decode):
        found = decode(data)
        if found is not None:
            found.profile.check_valid()
            return found
    return None
