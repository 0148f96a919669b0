"""`-raw`: the whole profile as text, table by table; `-comments`: its comments, with those that start with `#`."""

from __future__ import annotations

import time
from itertools import chain
from typing import TYPE_CHECKING

from conduit.profile import loops
from conduit.profile.columns import LabelTable
from conduit.report.report import encoded_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.profile.model import Location, Mapping, Profile
    from conduit.report.report import Report

_LABEL_MARKS = b"\n", b" " * 16, b" ", b"]", b"\n"
_LINE_INDENT = " " * 13


def print_comments(report: Report) -> Iterator[str]:
    """Yield the profile's comments, including those that start with `#`."""
    yield from report.profile.comments


def print_raw(report: Report) -> bytes:
    """Return the text of the report."""
    from conduit.report.formats.proto import reported_profile

    profile = reported_profile(report)
    return b"".join(
        (
            encoded_lines(_header(profile)),
            _samples(profile),
            encoded_lines(chain(["Locations"], *map(_location_lines, profile.locations))),
            encoded_lines(["Mappings", *map(_mapping_line, profile.mappings)]),
        )
    )


def _samples(profile: Profile) -> bytes:
    """Return the samples as text: values and ids of the stack, then labels."""
    columns = profile.columns
    ids = [b"%d " % location.id for location in profile.locations]
    table = LabelTable.of(columns.label_sets)
    labels = loops.join_labels(
        table.runs, table.rows, table.strings, _LABEL_MARKS, _head_of_label, _number_text
    )
    form = b" %10d" * len(columns.values) + b": "
    values = [form % row for row in zip(*columns.values, strict=True)]
    after = list(map(labels.__getitem__, columns.label_of))
    return loops.join_texts(columns.bounds, columns.frames, ids, ids, values, after)


def _header(profile: Profile) -> Iterator[str]:
    yield from (f"Comment: {comment}" for comment in profile.comments)
    if profile.doc_url:
        yield f"Doc: {profile.doc_url}"
    if profile.period_type is not None:
        yield f"PeriodType: {profile.period_type.type} {profile.period_type.unit}"
    yield f"Period: {profile.period}"
    if profile.time_nanos:
        yield f"Time: {_moment(profile.time_nanos)}"
    if profile.duration_nanos:
        # Four characters of it: what the original's format string makes of a duration.
        yield f"Duration: {go_duration(profile.duration_nanos)[:4]}"
    yield "Samples:"
    yield " ".join(
        f"{kind.type}/{kind.unit}{'[dflt]' if kind.type == profile.default_sample_type else ''}"
        for kind in profile.sample_types
    ).strip()


def _moment(nanos: int) -> str:
    seconds, rest = divmod(nanos, 10**9)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    moment = time.localtime(seconds)
    return time.strftime("%Y-%m-%d %H:%M:%S", moment) + fraction + time.strftime(" %z %Z", moment)


def go_duration(nanos: int) -> str:
    """Return a duration in Go's notation: `2.345678912s`, `1h0m0s`, `450ms`."""
    if nanos < 0:
        return "-" + go_duration(-nanos)
    for unit, factor in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if nanos < factor * 1000 and nanos < 10**9:
            return _decimal(nanos, factor) + unit
    minutes, rest = divmod(nanos, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = _decimal(rest, 10**9) + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _decimal(value: int, factor: int) -> str:
    whole, rest = divmod(value, factor)
    if not rest:
        return str(whole)
    digits = len(str(factor)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0")


def _head_of_label(key: str) -> bytes:
    return f"{key}:[".encode("utf-8", "surrogateescape")


def _number_text(key: str, number: int, unit: str | None) -> bytes:
    text = f"{number}" if unit is None else f"{number} {unit}"
    return text.encode("utf-8", "surrogateescape")


def _location_lines(location: Location) -> Iterator[str]:
    start = f"{location.id:6d}: {location.address:#x} "
    if location.mapping is not None:
        start += f"M={location.mapping.id} "
    if location.is_folded:
        start += "[F] "
    if not location.lines:
        yield start
    for line in location.lines:
        function = line.function
        if function is None:
            yield start + "??"
        else:
            text = f"{function.name} {function.filename}:{line.line}:{line.column} s={function.start_line}"
            other = f"({function.system_name})" if function.name != function.system_name else ""
            yield start + text + other
        start = _LINE_INDENT


def _mapping_line(mapping: Mapping) -> str:
    flags = (
        ("[FN]", mapping.has_functions),
        ("[FL]", mapping.has_filenames),
        ("[LN]", mapping.has_line_numbers),
        ("[IN]", mapping.has_inline_frames),
    )
    known = "".join(mark for mark, is_set in flags if is_set)
    place = f"{mapping.start:#x}/{mapping.limit:#x}/{mapping.offset:#x}"
    return f"{mapping.id}: {place} {mapping.filename} {mapping.build_id} {known}"
