"""The errors of fetching a profile and making a report from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.errors import ConduitError

if TYPE_CHECKING:
    from collections.abc import Iterable


class ReportError(ConduitError):
    """A report cannot be made: a bad option, a profile without values, nothing to show."""


class NoMatchError(ReportError):
    """The regular expression of `-list`, `-peek` or `-weblist` matches no function that has samples."""


class FetchError(ConduitError):
    """None of the sources gave a profile; the reason for each, in `reasons`, has been reported already."""

    def __init__(self, message: str, reasons: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.reasons = tuple(reasons)
