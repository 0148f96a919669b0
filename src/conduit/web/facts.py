"""The first line of the page: when a profile was taken, for how long, and its total."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from conduit.profile.measurement import label

if TYPE_CHECKING:
    from conduit.report.report import Report


def facts(report: Report) -> list[str]:
    """Return date and time, duration, total, and how many comments the recording left, as far as they are known."""
    profile = report.profile
    comments = sum(1 for comment in profile.comments if not comment.startswith("#"))
    return [
        *(
            [time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(profile.time_nanos // 10**9))]
            if profile.time_nanos
            else []
        ),
        *([f"{label(profile.duration_nanos, 'nanoseconds')} recorded"] if profile.duration_nanos else []),
        f"{label(report.divided(report.total), report.sample_unit)} {report.sample_type} in all",
        *([f"{comments} {'note' if comments == 1 else 'notes'} of the recording"] if comments else []),
    ]
