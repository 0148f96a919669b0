"""The first lines of the page: when a profile was taken, for how long, its total, and what to know about it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from conduit.profile.measurement import label
from conduit.report.leaks import SURE_SAMPLES, sampled_bytes
from conduit.units import counted, format_size
from conduit.web.comparison import amount_text, change_text, has_base, sample_counts, split, totals_of
from conduit.web.memory import is_heap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.profile.model import Profile
    from conduit.report.report import Report

_NOTES = 2  # comments that stand on the page; the others open with its title
_NOTE_LIMIT = 400  # letters of one
_FEW_SAMPLES = 100  # of fewer, the recorder warns as well
_ACCURACY = re.compile(r"only [\d,]+ samples?: ")  # as the recorder warns


def facts(report: Report, repeats: tuple[Sequence[Profile], Sequence[Profile]] | None = None) -> list[str]:
    """Return date and time, duration and total, where known.

    Of a comparison: the totals and the samples of both sides, since date and duration would be a mixture of both. With
    `repeats`, the profiles before and after whose sums are compared: how many these are. Of a difference whose sides
    are not marked (`-base`): the sums of its increases and of its decreases.
    """
    profile = report.profile
    if has_base(profile):
        before, after = totals_of(report)
        amounts = f"{amount_text(report, before)} before, {amount_text(report, after)} after"
        return [
            f"{report.sample_type}: {amounts} ({change_text(before, after)})",
            *_side_counts(report),
            *([f"sums of {len(repeats[0])} and {counted(len(repeats[1]), 'profile')}"] if repeats else []),
        ]
    values = profile.columns.values[report.values.index]
    if min(values, default=0) < 0:
        more, net = sum(value for value in values if value > 0), sum(values)
        amounts = (
            f"+{amount_text(report, more)} in stacks that grew, -{amount_text(report, more - net)} in others"
        )
        return [
            f"{report.sample_type}: {amounts} ({'+' if net > 0 else ''}{amount_text(report, net)} in all)"
        ]
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(profile.time_nanos // 10**9))
    return [
        *([when] if profile.time_nanos else []),
        *([f"{label(profile.duration_nanos, 'nanoseconds')} recorded"] if profile.duration_nanos else []),
        f"{amount_text(report, report.total)} {report.sample_type} in all",
    ]


def _side_counts(report: Report) -> list[str]:
    """Return how many samples the sides of a comparison have, where that is known."""
    counts = sample_counts(report)
    if counts is None or report.options.normalize:
        return []
    index, unit = counts
    before, after = (round(sum(profile.columns.values[index]) / unit) for profile in split(report.profile))
    text = f"{counted(before, 'sample')} before, {after:,} after"
    if 0 < min(before, after) < _FEW_SAMPLES:
        accuracy = " and ".join(f"{50 / count**0.5:.0f}" for count in (before, after))
        text += f": their shares are accurate to about {accuracy} percentage points"
    return [text]


def notes(report: Report, *, says_errors: bool = False) -> list[str]:
    """Return the first lines of the recording's first comments, and the number of others.

    The recorder's warnings are comments: how accurate shares are, how many samples were lost. Of a comparison, `facts`
    says how accurate both sides are, and not each recording for itself. Of a sampled heap, the first note says which
    amounts are uncertain, unless the view says the error of each (`says_errors`).
    """
    comments = [comment.strip() for comment in report.profile.comments if not comment.startswith("#")]
    comments = list(dict.fromkeys(filter(None, comments)))
    if has_base(report.profile):
        comments = [comment for comment in comments if not _ACCURACY.match(comment)]
    firsts = [comment.splitlines()[0] for comment in comments[:_NOTES]]
    more = len(comments) - _NOTES
    return [
        *([] if says_errors else _uncertain_amounts(report)),
        *(text if len(text) <= _NOTE_LIMIT else f"{text[:_NOTE_LIMIT]}…" for text in firsts),
        *([f"{counted(more, 'more note')}: click the title above"] if more > 0 else []),
    ]


def _uncertain_amounts(report: Report) -> list[str]:
    every = sampled_bytes(report.profile) if is_heap(report.profile) else 0
    if not every or has_base(report.profile):
        return []
    few = format_size(SURE_SAMPLES * every)
    sampled = f"The heap was sampled, on average one object for each {format_size(every)} allocated"
    return [f"{sampled}: amounts below {few} rest on few samples and may be far off"]
