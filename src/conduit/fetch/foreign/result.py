"""What a reader of another tool's format returns, and how it reports a damaged file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit.errors import MalformedProfileError

if TYPE_CHECKING:
    from conduit.profile.model import Profile

MAX_VALUE = 2**63 - 1

# (Thread or "", frames, leaf first) → number of samples.
SampledStacks = dict[tuple[str, tuple[tuple[str, str, int, int], ...]], int]


class ForeignProfile(NamedTuple):
    """A profile read from another tool's file, and what that format cannot say ("" for nothing)."""

    profile: Profile
    caveat: str = ""


def malformed(format: str, problem: str) -> MalformedProfileError:
    """Return the error for a damaged file of a format."""
    return MalformedProfileError(f"parsing profile: {format}: {problem}")
