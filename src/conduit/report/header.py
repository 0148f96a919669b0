"""The lines above a report: which profile it is, the active filters, and how much of the profile is shown."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from conduit.profile.measurement import label, percentage, scale
from conduit.report.frames import base_name

if TYPE_CHECKING:
    from conduit.report.report import Report
    from conduit.report.trimming import TrimmedGraph

_FILTERS = ("focus", "ignore", "hide", "show", "show_from", "tagfocus", "tagignore", "tagshow", "taghide")
_FILTER_LIMIT = 80  # bytes of a filter that are shown


def profile_labels(report: Report) -> list[str]:
    """Return lines about the profile: file, comments (except those with `#`), type, documentation, time, duration."""
    profile = report.profile
    lines = []
    if profile.mappings:
        mapping = profile.mappings[0]
        if mapping.filename:
            lines.append(f"File: {base_name(mapping.filename)}")
        if mapping.build_id:
            lines.append(f"Build ID: {mapping.build_id}")
    lines.extend(comment for comment in profile.comments if not comment.startswith("#"))
    if report.sample_type:
        lines.append(f"Type: {report.sample_type}")
    if profile.doc_url:
        lines.append(f"Doc: {profile.doc_url}")
    if profile.time_nanos:
        lines.append(
            "Time: " + time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(profile.time_nanos // 10**9))
        )
    if profile.duration_nanos:
        lines.append(_duration(report))
    return lines


def _duration(report: Report) -> str:
    nanos = report.profile.duration_nanos
    in_nanos, unit = scale(report.total, report.sample_unit, "nanoseconds")
    share = f"({percentage(int(in_nanos), nanos)})" if unit == "ns" and in_nanos else ""
    return f"Duration: {label(nanos, 'nanoseconds')}, Total samples = {report.amount(report.total)} {share}"


def report_labels(report: Report, graph: TrimmedGraph, *, full: bool = False) -> list[str]:
    """Return the header of a report that shows nodes; `full` is for drawings, which stand alone."""
    shown = sum(node.flat_value for node in graph.nodes)
    return [
        *(profile_labels(report) if full or not report.options.compact_labels else ()),
        *active_filters(report),
        _accounting(report, shown),
        *(_omissions(report, graph, full=full) if report.total else ()),
        *(["\nSee https://git.io/JfYMW for how to read the graph"] if full else ()),
    ]


def whole_labels(report: Report) -> list[str]:
    """Return the header of a report that omits nothing, such as a flame graph."""
    return [
        *(() if report.options.compact_labels else profile_labels(report)),
        *active_filters(report),
        _accounting(report, report.total),
    ]


def active_filters(report: Report) -> list[str]:
    """Return a title and a line for each active filter; empty if there are none."""
    lines = []
    for name in _FILTERS:
        value = getattr(report.options, name)
        if value:
            lines.append("   " + _shortened(f"{name}={value}"))
    return ["Active filters:", *lines] if lines else []


def _shortened(text: str) -> str:
    encoded = text.encode("utf-8", "surrogateescape")
    if len(encoded) <= _FILTER_LIMIT:
        return text
    return encoded[:_FILTER_LIMIT].decode("utf-8", "surrogateescape") + "…"


def _accounting(report: Report, shown: int) -> str:
    share = percentage(shown, report.total).strip()
    return (
        f"Showing nodes accounting for {report.amount(shown)}, {share} of {report.amount(report.total)} total"
    )


def _omissions(report: Report, graph: TrimmedGraph, *, full: bool) -> list[str]:
    options, lines = report.options, []
    if graph.dropped_nodes > 0:
        lines.append(_dropped(report, graph.dropped_nodes, "node", "cum", options.nodefraction))
    if full and graph.dropped_edges > 0:
        lines.append(_dropped(report, graph.dropped_edges, "edge", "freq", options.edgefraction))
    if 0 < len(graph.nodes) < graph.original_count:
        lines.append(f"Showing top {len(graph.nodes)} nodes out of {graph.original_count}")
    return lines


def _dropped(report: Report, count: int, thing: str, measure: str, fraction: float) -> str:
    cutoff = report.amount(abs(int(report.total * fraction)))
    return f"Dropped {count} {thing}{'s' if count > 1 else ''} ({measure} <= {cutoff})"
