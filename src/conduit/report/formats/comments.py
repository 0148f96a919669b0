"""`-comments`: the profile's comments, those with `#` too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.report.report import Report


def print_comments(report: Report) -> Iterator[str]:
    """The report's lines."""
    yield from report.profile.comments
