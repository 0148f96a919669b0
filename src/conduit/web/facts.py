"""The first line of the page: when a profile was taken, for how long, its total, and what to know about it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from conduit.profile.measurement import label
from conduit.web.comparison import amount_text, change_text, has_base, totals_of

if TYPE_CHECKING:
    from conduit.report.report import Report

_NOTE_LIMIT = 300  # letters of a comment that the page shortens to the room that is left


def facts(report: Report) -> list[str]:
    """Return date and time, duration, total, and the recording's first comment with the number of others, where known.

    Of a comparison: the totals of both sides, since date and duration would be a mixture of both.
    """
    profile = report.profile
    if has_base(profile):
        before, after = totals_of(report)
        amounts = f"{amount_text(report, before)} before, {amount_text(report, after)} after"
        return [f"{report.sample_type}: {amounts} ({change_text(before, after)})", *_notes(report)]
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(profile.time_nanos // 10**9))
    return [
        *([when] if profile.time_nanos else []),
        *([f"{label(profile.duration_nanos, 'nanoseconds')} recorded"] if profile.duration_nanos else []),
        f"{amount_text(report, report.total)} {report.sample_type} in all",
        *_notes(report),
    ]


def _notes(report: Report) -> list[str]:
    comments = [comment.strip() for comment in report.profile.comments if not comment.startswith("#")]
    comments = list(dict.fromkeys(filter(None, comments)))
    if not comments:
        return []
    first = comments[0].splitlines()[0][:_NOTE_LIMIT]
    more = len(comments) - 1
    return [first, *([f"{more} more {'note' if more == 1 else 'notes'}"] if more else [])]
