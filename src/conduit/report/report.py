"""The state of a report: the filtered profile, the options, and values derived from both; and the lines above a report.

All formats read it; it never changes and prints nothing. It has the column of values to show, the format of amounts,
the total that percentages refer to, and the frames. The lines above a report say which profile it is, which filters are
active, and how much of the profile is shown.
"""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from conduit.profile.measurement import percentage, scale, scaled_label
from conduit.report.frames import table_of
from conduit.report.node_tags import tags_of_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conduit.profile.columns import Columns, LabelSet, Values
    from conduit.profile.model import Profile
    from conduit.report.commands import Format
    from conduit.report.frames import FrameTable
    from conduit.report.graph import Node, TrimmedGraph
    from conduit.report.node_tags import SampleTags
    from conduit.report.options import Options
    from conduit.report.short_names import ShortName

    Pattern = Callable[[str], object]

SHOWN_FILTERS = (
    "focus",
    "ignore",
    "hide",
    "show",
    "show_from",
    "tagfocus",
    "tagignore",
    "tagshow",
    "taghide",
)
_FILTER_LIMIT = 80  # bytes of a filter that are shown
_OF_THE_FRAMES = (
    "table",
    "short_names",
)  # what costs time to compute, and depends on the profile and options only


class _Fields(NamedTuple):  # importing dataclasses would cost a small report more than printing it
    profile: Profile
    title: str
    format: Format
    options: Options
    values: Values
    total: int
    label_units: dict[str, str]
    output_unit: str
    argument: str = ""
    matches: Pattern | None = None
    compared: bool = False


class Report(_Fields):
    """The data that formats read; `total` is that of the whole profile, unless percentages are relative.

    `title` is the program's file name, or empty. `output_unit` is the unit of printed amounts; with `minimum`,
    `in_unit_for` chooses it. `argument` is the regular expression of formats that take one, and `matches` returns
    whether it matches a name. `compared` is whether a base has been subtracted.
    """

    def in_unit(self, unit: str) -> Report:
        """Return the same report with its amounts printed in a unit."""
        return self if unit == self.output_unit else self._sharing_frames(self._replace(output_unit=unit))

    def in_unit_for(self, nodes: Iterable[Node]) -> Report:
        """Return the same report, printing amounts in one unit that suits all of the nodes."""
        return self.in_unit(self._unit_for(nodes))

    def matching(self, matches: Pattern) -> Report:
        """Return the same report, limited to functions whose name matches."""
        return self._sharing_frames(self._replace(matches=matches))

    def _sharing_frames(self, other: Report) -> Report:
        """Return the other report with this one's frames; its profile and options must be the same."""
        other.__dict__.update((name, self.__dict__[name]) for name in _OF_THE_FRAMES if name in self.__dict__)
        return other

    @cached_property
    def sample_type(self) -> str:
        """The name of the values, with `mean_` if they are means."""
        kind = self.profile.sample_types[self.values.index]
        return f"mean_{kind.type}" if self.values.mean else kind.type

    @cached_property
    def sample_unit(self) -> str:
        """The unit of the values in the profile."""
        return self.profile.sample_types[self.values.index].unit

    @cached_property
    def ratio(self) -> float:
        """The factor for values: 1 over `divide_by`."""
        return 1 / self.options.divide_by

    @property
    def columns(self) -> Columns:
        """The profile's samples."""
        return self.values.columns

    def with_profile(self, profile: Profile) -> Report:
        """Return the same report of another profile, which has the same sample types."""
        return self._replace(profile=profile, values=self.values.of(profile.columns))

    @cached_property
    def table(self) -> FrameTable:
        """The frames of the profile's locations, at the report's granularity."""
        return table_of(self.profile, self.options, object_files=self.format.object_files)

    @cached_property
    def short_names(self) -> dict[str, ShortName]:
        """The short forms of the names that Conduit recorded; other names have none."""
        from conduit.report.short_names import short_names

        return short_names(self.profile.functions)

    def divided(self, value: int) -> int:
        """Return the value after `divide_by`."""
        return int(value * self.ratio) if self.ratio > 0 and self.ratio != 1 else value

    def amount(self, value: int) -> str:
        """Return the value as printed: divided, scaled to the report's unit, with the unit."""
        return scaled_label(self.divided(value), self.sample_unit, self.output_unit)

    def share(self, value: int) -> str:
        """Return a value's share of the total as printed, in six columns."""
        return percentage(value, self.total)

    def amount_or_dot(self, value: int) -> str:
        """Return the value as printed, or `.` for 0."""
        return self.amount(value) if value else "."

    def scaled(self, value: int) -> int:
        """Return the value in whole units of the report, undivided, for formats that contain numbers only."""
        return int(scale(value, self.sample_unit, self.output_unit)[0])

    def _unit_for(self, nodes: Iterable[Node]) -> str:
        """Return one unit for the amounts of all nodes; if the option is `minimum`, the one that suits the smallest."""
        amounts = [abs(node.flat_value) or abs(node.cum_value) for node in nodes]
        if self.options.unit != "minimum" or not amounts:
            return self.output_unit
        largest = self.divided(self.total)
        smallest = self.divided(min((amount for amount in amounts if amount), default=self.total))
        _, unit = scale(smallest, self.sample_unit, "minimum")
        _, largest_unit = scale(largest, self.sample_unit, "minimum")
        if unit != largest_unit and smallest * 100 < largest and self.format.kind != "callgrind":
            # Two decimals are printed, so the smallest amount may be as little as 0.01 of the unit.
            _, unit = scale(100 * smallest, self.sample_unit, "minimum")
        return unit or self.sample_unit

    @cached_property
    def tags_of(self) -> Callable[[LabelSet], SampleTags]:
        """The function that reads a sample's labels for a drawing."""
        return tags_of_labels(
            self.label_units.get("bytes", ""), lambda value, unit: scaled_label(value, unit, self.output_unit)
        )


def encoded_lines(lines: Iterable[str]) -> bytes:
    """Return lines as bytes, each with its line end."""
    return "\n".join([*lines, ""]).encode("utf-8", "surrogateescape")


def profile_labels(report: Report) -> list[str]:
    """Return lines about the profile: file, comments (except those with `#`), type, documentation, time, duration."""
    profile = report.profile
    lines = []
    if profile.mappings:
        mapping = profile.mappings[0]
        if mapping.filename:
            lines.append(f"File: {report.title}")
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
    duration = scaled_label(nanos, "nanoseconds", "auto")
    return f"Duration: {duration}, Total samples = {report.amount(report.total)} {share}"


def with_header(report: Report, graph: TrimmedGraph, *, full: bool = False) -> tuple[Report, list[str]]:
    """Return the report in a unit that suits all nodes that it shows, and its header.

    `full` is for drawings, which stand alone.
    """
    report = report.in_unit_for(graph.nodes)
    shown = sum(node.flat_value for node in graph.nodes)
    return report, [
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
    for name in SHOWN_FILTERS:
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
    share = report.share(shown).strip()
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
