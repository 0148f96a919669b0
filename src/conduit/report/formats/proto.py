"""`-proto` and `-topproto`: the report as a profile in pprof's own format."""

from __future__ import annotations

from array import array
from copy import copy
from typing import TYPE_CHECKING

from conduit.profile.model import Function, Line, Location, Profile, Sample, ValueType
from conduit.report.errors import ReportError
from conduit.report.trimming import trimmed_graph

if TYPE_CHECKING:
    from conduit.profile.model import Mapping
    from conduit.report.frames import Frame
    from conduit.report.report import Report


def reported_profile(report: Report) -> Profile:
    """Return the filtered profile, without the inlined frames if the options omit them."""
    return (
        _outermost_lines(report.profile, report.options.showcolumns)
        if report.options.noinlines
        else report.profile
    )


def _outermost_lines(profile: Profile, columns: bool) -> Profile:
    mappings = {mapping: _without_inlining(mapping) for mapping in profile.mappings}
    copies = {location: _outermost_line(location, mappings, columns) for location in profile.locations}
    return profile.replaced(
        columns=profile.columns, locations=list(copies.values()), mappings=list(mappings.values())
    )


def _without_inlining(mapping: Mapping) -> Mapping:
    other = copy(mapping)
    other.has_inline_frames = False
    return other


def _outermost_line(location: Location, mappings: dict[Mapping, Mapping], columns: bool) -> Location:
    lines = [Line(line.function, line.line, line.column if columns else 0) for line in location.lines[-1:]]
    other = location.with_lines(lines)
    other.mapping = mappings[location.mapping] if location.mapping is not None else None
    return other


def compute_proto(report: Report) -> Profile:
    """Return the profile to write: filtered, and divided by `divide_by`."""
    profile = reported_profile(report)
    if report.ratio <= 0 or report.ratio == 1:
        return profile
    columns = profile.columns
    try:
        values = [array("q", map(report.divided, column)) for column in columns.values]
    except OverflowError:
        raise ReportError("a value divided by -divide_by does not fit into 64 bits") from None
    return profile.replaced(columns=columns.revalued(values))


def compute_topproto(report: Report) -> Profile:
    """Return the rows of `-top` as samples of one frame each, with the values `cum` and `flat` in the report's unit."""
    graph = trimmed_graph(report)
    report = report.in_unit_for(graph.nodes)
    profile, functions = report.profile, dict[tuple[str, str, int], Function]()
    result = Profile(
        sample_types=[ValueType("cum", report.output_unit), ValueType("flat", report.output_unit)],
        time_nanos=profile.time_nanos,
        duration_nanos=profile.duration_nanos,
        period_type=profile.period_type,
        period=profile.period,
    )
    for number, node in enumerate(graph.nodes, 1):
        frame = node.frame
        function = _function(functions, frame)
        location = Location(number, None, frame.address, [Line(function, frame.line, frame.column)])
        result.locations.append(location)
        result.samples.append(
            Sample([location], [report.scaled(node.cum_value), report.scaled(node.flat_value)])
        )
    result.functions.extend(functions.values())
    return result


def _function(functions: dict[tuple[str, str, int], Function], frame: Frame) -> Function:
    key = (frame.name, frame.file, frame.start_line)
    if key not in functions:
        functions[key] = Function(len(functions) + 1, frame.name, "", frame.file, frame.start_line)
    return functions[key]


def print_proto(report: Report) -> bytes:
    """Return the report as gzipped protobuf."""
    from conduit.profile.codec import encode

    return encode(compute_proto(report))


def print_topproto(report: Report) -> bytes:
    """Return the report as gzipped protobuf."""
    from conduit.profile.codec import encode

    return encode(compute_topproto(report))
