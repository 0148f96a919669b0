"""`conduit history show`: series and their steps as a table, as JSON or as a page."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from conduit.cli.history.stored import SHORT_COMMIT, chosen_series, matcher, read_store

if TYPE_CHECKING:
    from conduit.cli.flags import Parsed
    from conduit.cli.tables import Page
    from conduit.history.findings import Finding
    from conduit.history.series import Gap, Series


def show(parsed: Parsed, pattern: str = "") -> int:
    """Print the series whose benchmark matches, and their steps."""
    from conduit.history.findings import find_all

    history = read_store(parsed)
    series = chosen_series(history.series, parsed["unit"], matcher(pattern))
    findings = find_all(series)
    if parsed["steps"]:
        moved = {finding.key for finding in findings}
        series = [one for one in series if one.key in moved]
    if parsed["html"] is not None:
        from conduit.cli.history.page import write_page

        write_page(parsed["html"], series, findings)
        return 0
    if parsed["format"] == "json":
        print(json.dumps(_document(series, findings, history.gaps), indent=2))
        return 0
    from conduit.cli.tables import standard_page

    page = standard_page()
    _print_series(page, series, findings)
    if history.gaps:
        page.line()
        page.heading("commits that could not be measured")
        page.table(
            ["commit", "reason"],
            [[gap.commit[:SHORT_COMMIT], gap.reason] for gap in history.gaps],
            keep="reason",
        )
    return 0


def _document(series: list[Series], findings: list[Finding], gaps: tuple[Gap, ...]) -> dict[str, object]:
    return {
        "version": 1,
        "series": [_series_object(one, findings) for one in series],
        "steps": [_step_object(finding) for finding in findings],
        "gaps": [{"commit": gap.commit, "date": gap.date, "reason": gap.reason} for gap in gaps],
    }


def _series_object(series: Series, findings: list[Finding]) -> dict[str, object]:
    from conduit.history.findings import visible_step

    smallest = visible_step(series, findings)
    return {
        **series.key._asdict(),
        "smallest_step": smallest if math.isfinite(smallest) else None,
        "points": [point._asdict() for point in series.points],
    }


def _step_object(finding: Finding) -> dict[str, object]:
    return {
        **finding.key._asdict(),
        **finding.step._asdict(),
        "direction": finding.direction,
        "after_commit": finding.last_before.commit,
        "first_commit": finding.first_after.commit,
        "also_changed": list(finding.also_changed),
    }


def _print_series(page: Page, series: list[Series], findings: list[Finding]) -> None:
    from conduit.bench.text.units import common_scaler, is_binary
    from conduit.history.findings import visible_step, visible_step_text
    from conduit.history.sensitivity import AFTER

    rows = []
    for one in series:
        values = one.values
        scaler = common_scaler([values[0], values[-1]], is_binary(one.key.unit))
        steps = sum(finding.key == one.key for finding in findings)
        key = one.key
        smallest = visible_step_text(visible_step(one, findings))
        rows.append([key.benchmark, key.unit, key.python, str(len(values)), scaler.format(values[0]),
                     scaler.format(values[-1]), str(steps), smallest, sparkline(values)])  # fmt: skip
    page.table(
        ["benchmark", "unit", "python", "commits", "first", "last", "steps", "smallest", "trend"],
        rows,
        keep="benchmark",
    )
    page.paragraph(
        f"smallest: the smallest increase that would be found within {AFTER} points in 95 of 100 cases"
    )
    if findings:
        page.line()
        page.heading("steps")
        page.table(
            ["benchmark", "unit", "commits", "change", "interval", "p", "points", "what", "also changed"],
            [_step_cells(finding) for finding in findings],
            keep="benchmark",
        )


def _step_cells(finding: Finding) -> list[str]:
    from conduit.history.findings import p_text

    step = finding.step
    return [
        finding.key.benchmark,
        finding.key.unit,
        finding.commits,
        f"{step.delta:+.2%}",
        f"{step.low:+.2%} to {step.high:+.2%}",
        p_text(step),
        str(step.points),
        finding.direction if step.holds else f"{finding.direction}, then back",
        ", ".join(finding.also_changed),
    ]


_BARS = "▁▂▃▄▅▆▇█"
_SPARK_WIDTH = 24


def sparkline(values: list[float]) -> str:
    """Return the medians of up to 24 stretches of a series as bars; the lowest value is the lowest bar."""
    from itertools import pairwise
    from statistics import median

    count = min(_SPARK_WIDTH, len(values))
    edges = [round(number * len(values) / count) for number in range(count + 1)]
    levels = [median(values[low:high]) for low, high in pairwise(edges)]
    low, high = min(levels), max(levels)
    if high <= low * 1.001:
        return _BARS[0] * count
    return "".join(_BARS[min(int((level - low) / (high - low) * 8), 7)] for level in levels)
