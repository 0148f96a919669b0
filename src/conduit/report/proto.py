"""`-proto` and `-topproto`: the report as a profile again, in pprof's own format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile.model import Function, Line, Location, Profile, Sample, ValueType
from conduit.report.trimming import trimmed_graph

if TYPE_CHECKING:
    from conduit.report.frames import Frame
    from conduit.report.view import Report


def reported_profile(report: Report) -> Profile:
    """The filtered profile; without the inlined frames where the options leave them out."""
    return (
        _outermost_lines(report.profile, report.options.showcolumns)
        if report.options.noinlines
        else report.profile
    )


def _outermost_lines(profile: Profile, columns: bool) -> Profile:
    copies = {location: _outermost_line(location, columns) for location in profile.locations}
    samples = [
        Sample(
            [copies[location] for location in sample.locations],
            sample.values, sample.labels, sample.numeric_labels, sample.numeric_units,
        )
        for sample in profile.samples
    ]  # fmt: skip
    return _with(profile, samples=samples, locations=list(copies.values()))


def _outermost_line(location: Location, columns: bool) -> Location:
    lines = [Line(line.function, line.line, line.column if columns else 0) for line in location.lines[-1:]]
    return Location(location.id, location.mapping, location.address, lines, location.is_folded)


def _with(profile: Profile, *, samples: list[Sample], locations: list[Location] | None = None) -> Profile:
    return Profile(
        sample_types=profile.sample_types,
        samples=samples,
        mappings=profile.mappings,
        locations=profile.locations if locations is None else locations,
        functions=profile.functions,
        default_sample_type=profile.default_sample_type,
        drop_frames=profile.drop_frames,
        keep_frames=profile.keep_frames,
        time_nanos=profile.time_nanos,
        duration_nanos=profile.duration_nanos,
        period_type=profile.period_type,
        period=profile.period,
        comments=profile.comments,
        doc_url=profile.doc_url,
    )


def compute_proto(report: Report) -> Profile:
    """The profile to write: filtered, and divided by `divide_by`."""
    profile = reported_profile(report)
    if report.ratio <= 0 or report.ratio == 1:
        return profile
    samples = [
        Sample(
            sample.locations, [report.divided(value) for value in sample.values],
            sample.labels, sample.numeric_labels, sample.numeric_units,
        )
        for sample in profile.samples
    ]  # fmt: skip
    return _with(profile, samples=samples)


def compute_topproto(report: Report) -> Profile:
    """The rows of `-top` as samples of one frame each, with the values `cum` and `flat` in the report's unit."""
    graph = trimmed_graph(report)
    report.choose_unit(graph.nodes)
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
    """The report as gzipped protobuf."""
    from conduit.profile.codec import encode

    return encode(compute_proto(report))


def print_topproto(report: Report) -> bytes:
    """The report as gzipped protobuf."""
    from conduit.profile.codec import encode

    return encode(compute_topproto(report))
