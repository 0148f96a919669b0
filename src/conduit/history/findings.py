"""Findings: the steps of all series, each with the commits between which it happened and what else changed there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.text.unit_metadata import UnitMetadata
from conduit.history.sensitivity import smallest_visible_step
from conduit.history.steps import P_LIMIT, SMALLEST_P, SMALLEST_STEP, find_steps

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from conduit.history.series import Point, Series, SeriesKey
    from conduit.history.steps import Step

    Direction = Literal["better", "worse", "changed"]


class Finding(NamedTuple):
    """A step of one series: it happened after `last_before` and not later than `first_after`."""

    key: SeriesKey
    step: Step
    direction: Direction
    last_before: Point
    first_after: Point
    also_changed: tuple[str, ...]  # other explanations: `Python 3.13.0 → 3.13.5`, `installed packages`

    @property
    def commits(self) -> str:
        """The commit range in git's notation."""
        return f"{self.last_before.commit[:10]}..{self.first_after.commit[:10]}"


def find_all(
    series: Iterable[Series], *, p_limit: float = P_LIMIT, smallest: float = SMALLEST_STEP
) -> list[Finding]:
    """Return the steps of all series, in the order of the series, then of the commits."""
    return [
        finding
        for one in series
        for step in find_steps(one.values, p_limit=p_limit, smallest=smallest, independent=one.is_paired)
        for finding in [_finding(one, step)]
    ]


def _finding(series: Series, step: Step) -> Finding:
    before, after = series.points[step.position - 1], series.points[step.position]
    return Finding(
        series.key, step, _direction(series.key.unit, step), before, after, _also_changed(before, after)
    )


def _direction(unit: str, step: Step) -> Direction:
    sign = UnitMetadata().better(unit)
    if not sign:
        return "changed"
    return "better" if (step.after > step.before) == (sign > 0) else "worse"


def _also_changed(before: Point, after: Point) -> tuple[str, ...]:
    changes = []
    if before.python != after.python:
        changes.append(f"Python {before.python or '?'} → {after.python or '?'}")
    if before.dependencies != after.dependencies:
        changes.append("installed packages")
    return tuple(changes)


def visible_step(series: Series, findings: Iterable[Finding]) -> float:
    """Return the smallest increase that a series can show (see `smallest_visible_step`); it may be 0 or infinite."""
    found = [finding.step for finding in findings if finding.key == series.key]
    return smallest_visible_step(series.values, found, independent=series.is_paired)


def visible_step_text(smallest: float) -> str:
    """Return it as it is shown: `5.1%`, `any` where the values never vary, `none` where 8 points show nothing."""
    if not smallest:
        return "any"
    return "none" if math.isinf(smallest) else f"{smallest:.{1 if smallest < 0.1 else 0}%}"


def p_text(step: Step) -> str:
    """Return the p-value of a step as it is shown: `2e-07`, `<1e-15`, `exact` where the values never vary."""
    if not step.p:
        return "exact"
    return f"<{SMALLEST_P:.0e}" if step.p <= SMALLEST_P else f"{step.p:.0e}"
