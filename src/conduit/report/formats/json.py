"""`-json`: the rows of `-top` for programs, with values in the profile's own unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.report.formats.top import compute_top

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from conduit.report.report import Report


def compute_rows(report: Report) -> dict[str, Any]:
    """Return the document: the sample type and unit, the total, the header's lines, and a row for each function.

    `flat_share` and `cum_share` are shares of the total, signed, 0 to 1; they are null if the total is 0.
    """
    top = compute_top(report)
    total = report.total
    return {
        "sample_type": report.sample_type,
        "unit": report.sample_unit,
        "total": report.divided(total),
        "duration_nanos": report.profile.duration_nanos,
        "labels": top.labels,
        "rows": [
            {
                "name": row.name,
                "flat": report.divided(row.flat),
                "cum": report.divided(row.cum),
                "flat_share": row.flat / total if total else None,
                "cum_share": row.cum / total if total else None,
                "inline": row.inline.strip("()"),
            }
            for row in top.rows
        ],
    }


def print_rows(report: Report) -> Iterator[str]:
    """Yield the document as JSON."""
    import json

    yield json.dumps(compute_rows(report), ensure_ascii=False, indent=2)
