"""The history of benchmarks as one HTML file: every series as a small picture, one large, two commits compared.

A file that has no server to ask holds all that was measured, so that its scripts can test two commits as benchstat
does; only where that is more than `MAX_SAMPLES` values it has medians and intervals alone.
"""

from __future__ import annotations

import base64
from array import array
from typing import TYPE_CHECKING, Any

from conduit.bench.text.units import common_scaler, is_binary
from conduit.history.findings import p_text, visible_step, visible_step_text
from conduit.web.page import FRAME_SCRIPTS, FRAME_STYLES, document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conduit.history.findings import Finding
    from conduit.history.series import Point, Series

SCRIPTS = (*FRAME_SCRIPTS, "history_data.js", "history.js")
STYLES = (*FRAME_STYLES, "history.css")
MAX_SAMPLES = 200_000  # at 11 bytes each
_SPAN_PARTS = 10_000
_MAX_SPAN = 65_535  # an interval's end is kept as parts of 10,000 of the value, in 16 bits


def history_file(
    title: str,
    series: Sequence[Series],
    findings: Iterable[Finding],
    subjects: Mapping[str, str],
    *,
    is_served: bool = False,
) -> bytes:
    """Return the page as one self-contained document; `subjects` are the commits' first lines, where they are known.

    `is_served`: the page asks its server for benchstat's tables, at `compare` beside it.
    """
    holds_samples = not is_served and _sample_count(series) <= MAX_SAMPLES
    data = page_data(title, series, findings, subjects, holds_samples=holds_samples)
    data["served"] = is_served
    return document("history.html", data, STYLES, SCRIPTS, asks_server=is_served)


def _sample_count(series: Iterable[Series]) -> int:
    return sum(len(point.samples) for one in series for point in one.points)


def page_data(
    title: str,
    series: Sequence[Series],
    findings: Iterable[Finding],
    subjects: Mapping[str, str],
    *,
    holds_samples: bool = False,
) -> dict[str, Any]:
    """Return what the page's scripts read: numbers as base64 of little-endian arrays, texts as they are shown."""
    commits: dict[str, int] = {}
    dates: list[str] = []
    sets: dict[str, int] = {}
    by_series: dict[object, list[Finding]] = {}
    for finding in findings:
        by_series.setdefault(finding.key, []).append(finding)
    rows = []
    for one in series:
        for point in one.points:
            if point.commit not in commits:
                commits[point.commit] = len(commits)
                dates.append(point.date)
        used = _packed("I", [commits[point.commit] for point in one.points])
        row = _series_object(one, sets.setdefault(used, len(sets)), by_series.get(one.key, []))
        rows.append({**row, **(_samples_object(one) if holds_samples else {})})
    return {
        "title": title,
        "commits": [
            {"id": commit, "date": date, "subject": subjects.get(commit, "")}
            for commit, date in zip(commits, dates, strict=True)
        ],
        "commit_sets": list(sets),
        "units": sorted({one.key.unit for one in series}),
        "series": rows,
    }


def _series_object(series: Series, commit_set: int, findings: list[Finding]) -> dict[str, Any]:
    values = series.values
    scaler = common_scaler([value for value in values if value] or [0.0], is_binary(series.key.unit))
    return {
        **series.key._asdict(),
        "commits": commit_set,
        "values": _packed("f", values),
        "span": _packed("H", [part for point in series.points for part in _span(point)]),
        "last": scaler.format(values[-1]),
        "format": {"divisor": scaler.factor, "suffix": scaler.prefix, "decimals": scaler.decimals},
        "steps": [_step_object(finding) for finding in findings],
        "smallest_step": visible_step_text(visible_step(series, findings)),
    }


def _samples_object(series: Series) -> dict[str, str]:
    """Return all values of a series, point by point, and how many each point has."""
    return {
        "counts": _packed("I", [len(point.samples) for point in series.points]),
        "samples": _packed("d", [value for point in series.points for value in point.samples]),
    }


def _span(point: Point) -> tuple[int, int]:
    if not point.value > 0:
        return 0, 0
    below, above = 1 - point.low / point.value, point.high / point.value - 1
    return (
        min(round(max(below, 0.0) * _SPAN_PARTS), _SPAN_PARTS),
        min(round(max(above, 0.0) * _SPAN_PARTS), _MAX_SPAN),
    )


def _step_object(finding: Finding) -> dict[str, Any]:
    step = finding.step
    notes = [] if step.holds else ["came back later"]
    if finding.also_changed:
        notes.append(f"also changed: {', '.join(finding.also_changed)}")
    return {
        "position": step.position,
        "direction": finding.direction,
        "delta": f"{step.delta:+.2%}",
        "interval": f"{step.low:+.2%} to {step.high:+.2%}",
        "p": p_text(step),
        "commits": finding.commits,
        "first_commit": finding.first_after.commit,
        "note": "; ".join(notes),
    }


def _packed(kind: str, numbers: Iterable[float]) -> str:
    import sys

    packed = array(kind, numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode()
