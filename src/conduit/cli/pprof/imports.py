"""`-without_imports`: whether the memory of imports is in a report. By default it is not in tables of heap profiles.

Listings of source leave it out as well: their shares of the total are those of the tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit.profile.imports import without_imports
from conduit.report.errors import ReportError
from conduit.report.pipeline import sample_index
from conduit.units import counted, format_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.model import Profile
    from conduit.report.options import Options

_TABLES = ("top", "text", "tree", "peek", "list", "weblist")
_SPACES = ("inuse_space", "alloc_space")
_HEAP = (*_SPACES, "inuse_objects", "alloc_objects")


class ImportChoice(NamedTuple):
    """The flag as given, None if it was not; `say` gets the line about samples left out."""

    chosen: bool | None
    say: Callable[[str], None]

    def applied(self, profile: Profile, format: str, options: Options) -> Profile:
        """Return the profile that a report of this format is to show."""
        if self.chosen is False or (self.chosen is None and format not in _TABLES):
            return profile
        try:
            index = sample_index(profile, options.sample_index)
        except ReportError:  # the report says so itself
            return profile
        kind = profile.sample_types[index].type
        if self.chosen is None and kind not in _HEAP:
            return profile
        kept, left_out = without_imports(profile, index)
        if left_out and self.chosen is None:
            verb = "is" if left_out == 1 and kind not in _SPACES else "are"
            amount = format_size(left_out) if kind in _SPACES else counted(left_out, "object")
            self.say(f"{amount} that imports allocated {verb} left out; -without_imports=false shows them")
        return kept
