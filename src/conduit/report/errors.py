"""The errors of fetching a profile and making a report from it."""

from __future__ import annotations

from conduit.errors import ConduitError


class ReportError(ConduitError):
    """A report cannot be made: a bad option, a profile without values, nothing to show."""


class NoMatchError(ReportError):
    """The regular expression of `-list`, `-peek` or `-weblist` matches no function that has samples."""


class FetchError(ConduitError):
    """None of the sources gave a profile; the reason for each has been reported already."""
