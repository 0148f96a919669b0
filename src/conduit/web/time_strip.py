"""The samples of each thread over time, and a range of it selected, where samples say when they were taken."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from conduit.profile.model import TIME_LABEL
from conduit.web.time_order import has_times, thread_of

if TYPE_CHECKING:
    from conduit.profile.columns import LabelSet
    from conduit.profile.model import Profile

BINS = 300
MAX_THREADS = 12  # with a row each; the others share one


class RangeError(ValueError):
    """A range that is none; the text is for the reader."""


def time_of(labels: LabelSet) -> int | None:
    """Return when a sample was taken, in nanoseconds, or None where it does not say."""
    times = labels.numeric_labels.get(TIME_LABEL)
    return times[0] if times else None


def strip_document(profile: Profile, index: int) -> dict[str, Any] | None:
    """Return rows of threads, each with its amount of the sample type `index` in `BINS` equal parts of the time.

    A sample of a time ends when it says, and took as long as its value; others count where they were taken. None where
    no sample has a time, or all have the same.
    """
    timed = _timed(profile, index)
    if not timed or timed[0][0] == timed[-1][0]:
        return None
    start, end = timed[0][0], timed[-1][0]
    rows: dict[str, list[float]] = {}
    is_time = profile.sample_types[index].unit == "nanoseconds"
    for time, thread, value in timed:
        name = thread if thread in rows or len(rows) < MAX_THREADS else "other threads"
        row = rows.setdefault(name, [0.0] * BINS)
        last = (time - start) * BINS / (end - start)
        _spread(row, max(0.0, last - value * BINS / (end - start)) if is_time else last, last, value)
    return {
        "seconds": (end - start) / 1e9,
        "threads": [
            {"name": name, "amounts": [round(amount) for amount in amounts]} for name, amounts in rows.items()
        ],
    }


def time_span(profile: Profile, index: int) -> tuple[int, int] | None:
    """Return the first and the last time of the strip, in nanoseconds; None where there is no strip."""
    timed = _timed(profile, index)
    return (timed[0][0], timed[-1][0]) if timed and timed[0][0] < timed[-1][0] else None


def _timed(profile: Profile, index: int) -> list[tuple[int, str, int]]:
    """Return time, thread and amount of each sample that has a time and an amount, in order."""
    if not has_times(profile):
        return []
    columns = profile.columns
    values = columns.values[index]
    timed = []
    for sample, number in enumerate(columns.label_of):
        labels = columns.label_sets[number]
        time = time_of(labels)
        if time is not None and values[sample]:
            timed.append((time, thread_of(labels), abs(values[sample])))
    timed.sort()
    return timed


def _spread(row: list[float], first: float, last: float, value: int) -> None:
    """Add a value to the bins from `first` to `last`, to each as much as it covers of them."""
    low, high = min(BINS - 1, int(first)), min(BINS - 1, int(last))
    if low == high:
        row[low] += value
        return
    for number in range(low, high + 1):
        row[number] += value * (min(last, number + 1) - max(first, number)) / (last - first)


def parse_range(text: str) -> tuple[float, float]:
    """Return the two ends, in seconds since the first sample, of `START,END`. Raises `RangeError`."""
    first, comma, last = text.partition(",")
    try:
        start, end = float(first), float(last)
    except ValueError:
        start = end = math.nan
    if not comma or not (math.isfinite(start) and math.isfinite(end) and start < end):
        raise RangeError(f"invalid range={text[:40]!r}: expected START,END in seconds since the first sample")
    return start, end


def range_filter(profile: Profile, start: float, end: float) -> str:
    """Return `-tagfocus`' expression for the samples of a range; empty where no sample has a time."""
    ends = _ends(profile, start, end)
    return "" if ends is None else f"{TIME_LABEL}={math.ceil(ends[0])}ns:{math.floor(ends[1])}ns"


def _ends(profile: Profile, start: float, end: float) -> tuple[float, float] | None:
    sets = profile.columns.used_sets()
    first = min((time for labels in sets if (time := time_of(labels)) is not None), default=None)
    return None if first is None else (first + start * 1e9, first + end * 1e9)


def in_range(profile: Profile, start: float, end: float) -> Profile:
    """Return the samples taken from `start` to `end`, in seconds since the first; those without a time are left out."""
    columns = profile.columns
    ends = _ends(profile, start, end)
    if ends is None:
        return profile
    low, high = ends

    def inside(labels: LabelSet) -> bool:
        time = time_of(labels)
        return time is not None and low <= time <= high

    return profile.replaced(columns=columns.selected(columns.mask_of(inside)))
