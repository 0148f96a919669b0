"""`-speedscope`: the stacks in the file format of speedscope (https://www.speedscope.app/file-format-schema.json)."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from conduit.profile.measurement import find_unit, scale

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from conduit.report.frames import Frame
    from conduit.report.report import Report

_UNITS = {"ns": "nanoseconds", "us": "microseconds", "ms": "milliseconds", "s": "seconds", "B": "bytes"}


def compute_speedscope(report: Report) -> dict[str, Any]:
    """Return the document: all frames, and one sampled profile of the report's type. Negative weights become 0."""
    frames = [_frame(frame) for frame in report.table.frames]
    samples, weights = [], []
    unit, factor = _unit(report.sample_unit)
    columns, table = report.columns, report.table
    numbers_of = [table.of_location[location][::-1] for location in report.profile.locations].__getitem__
    for stack, value, divisor in zip(
        columns.stacks(), report.values.amounts, report.values.divisors, strict=True
    ):
        if value or divisor:
            samples.append(list(chain.from_iterable(map(numbers_of, reversed(stack)))))
            weights.append(max(0, report.divided(value)) * factor)
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": "conduit",
        "name": report.title or report.sample_type,
        "activeProfileIndex": 0,
        "shared": {"frames": frames},
        "profiles": [
            {
                "type": "sampled",
                "name": report.sample_type,
                "unit": unit,
                "startValue": 0,
                "endValue": sum(weights),
                "samples": samples,
                "weights": weights,
            }
        ],
    }


def _unit(unit: str) -> tuple[str, int]:
    """Return the unit as named by the schema, and the factor that converts a value to it."""
    known = find_unit(unit)
    if known is None:
        return "none", 1
    if known.name in _UNITS:
        return _UNITS[known.name], 1
    # Larger sizes and hours are not in the schema: their default units are.
    value, name = scale(1, unit, "B" if known.family.default.name == "B" else "s")
    return _UNITS.get(name, "none"), int(value) if name in _UNITS else 1


def _frame(frame: Frame) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": frame.name or frame.printable_name}
    if frame.file:
        entry["file"] = frame.file
    if frame.line:
        entry["line"] = frame.line
    if frame.column:
        entry["col"] = frame.column
    return entry


def print_speedscope(report: Report) -> Iterator[str]:
    """Yield the document as JSON."""
    import json

    yield json.dumps(compute_speedscope(report), ensure_ascii=False, separators=(",", ":"))
