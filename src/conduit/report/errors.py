"""What can go wrong between a profile and its report."""

from __future__ import annotations

from conduit.errors import ConduitError


class ReportError(ConduitError):
    """A report cannot be made: a bad option, a profile without values, nothing to show."""


class NoMatchError(ReportError):
    """The regular expression of `-list`, `-peek` or `-weblist` matches no function that has samples."""


class FetchError(ConduitError):
    """No profile could be had from any of the sources; what each lacked has been said already."""
