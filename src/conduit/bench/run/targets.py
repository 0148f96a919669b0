"""Targets: limits for benchmark results, read from `[tool.conduit.targets]`.

    [tool.conduit.targets."SimpleQueries/*"]
    time = { target = "1ms", acceptable = "5ms", unacceptable = "10ms" }
    allocs = { target = "0 allocs", acceptable = "3 allocs" }

The key is a shell pattern for the benchmark's name, with or without the prefix `Benchmark` and without the `-N`
suffix; `*` also matches `/`. A metric is `time` (ns/op), `memory` (B/op), `allocs` (allocs/op) or any unit that
benchmarks report. A value meets a limit if it does not exceed it; for rates (`MB/s`, units that end in `/s`), if it
does not fall below it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from conduit.errors import ConfigurationError
from conduit.project_file import read_conduit_table
from conduit.units import format_duration, format_size, parse_duration_ns, parse_size_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any, TypeAlias

    from conduit.bench.result import BenchmarkResult

    Grade: TypeAlias = Literal["target met", "acceptable", "missed", "unacceptable", "not measured"]

UNIT_OF_METRIC = {"time": "ns/op", "memory": "B/op", "allocs": "allocs/op"}
LEVELS = ("target", "acceptable", "unacceptable")
_COUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([^\d\s].*)?")


@dataclass(frozen=True, slots=True)
class Target:
    """The limits for one metric of the benchmarks whose name matches `pattern`; a limit that is None is not set."""

    pattern: str
    unit: str
    target: float | None = None
    acceptable: float | None = None
    unacceptable: float | None = None

    @property
    def higher_is_better(self) -> bool:
        """Whether more is better: rates."""
        return self.unit.endswith("/s")

    def matches(self, name: str) -> bool:
        """Return whether this is for the benchmark of that full name (without `-N`)."""
        return fnmatchcase(name, self.pattern) or fnmatchcase(name.removeprefix("Benchmark"), self.pattern)

    def grade(self, value: float) -> Grade:
        """Return the grade of a value."""
        if self.target is not None and self._reaches(value, self.target):
            return "target met"
        passing = self.unacceptable if self.acceptable is None else self.acceptable
        if passing is not None and self._reaches(value, passing):
            return "acceptable"
        is_worst = self.unacceptable is not None and not self._reaches(value, self.unacceptable)
        return "unacceptable" if is_worst else "missed"

    def _reaches(self, value: float, limit: float) -> bool:
        return value >= limit if self.higher_is_better else value <= limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target against one benchmark. `value` is None where nothing was measured, and `reason` says why."""

    name: str
    target: Target
    value: float | None
    grade: Grade
    reason: str = ""

    @property
    def passes(self) -> bool:
        """Whether the acceptable limit holds; what was not measured does not pass."""
        return self.grade in ("target met", "acceptable")


def read_targets(path: Path) -> list[Target]:
    """Return the targets of a `pyproject.toml`, in its order; none if it has none. Raises `ConfigurationError`."""
    table = read_conduit_table(path, "targets")
    return [
        _read_target(f"{path}: tool.conduit.targets.{pattern!r}.{metric}", pattern, metric, limits)
        for pattern, metrics in table.items()
        for metric, limits in _entries(f"{path}: tool.conduit.targets.{pattern!r}", metrics)
    ]


def _entries(path: str, metrics: object) -> list[tuple[str, Any]]:
    if not isinstance(metrics, dict):
        raise ConfigurationError(
            f'{path}: expected metrics, such as time = {{ target = "10ms" }}, found {metrics!r}'
        )
    return list(metrics.items())


def _read_target(path: str, pattern: str, metric: str, limits: object) -> Target:
    if not isinstance(limits, dict) or not limits:
        raise ConfigurationError(f"{path}: expected at least one of {', '.join(LEVELS)}, found {limits!r}")
    unknown = sorted(set(limits) - set(LEVELS))
    if unknown:
        raise ConfigurationError(f"{path}: unknown limit {unknown[0]!r}; expected {', '.join(LEVELS)}")
    unit = UNIT_OF_METRIC.get(metric, metric)
    return Target(
        pattern, unit, **{level: _read_limit(f"{path}.{level}", unit, limits[level]) for level in limits}
    )


def _read_limit(path: str, unit: str, value: object) -> float:
    try:
        return parse_amount(unit, value)
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def parse_amount(unit: str, value: object) -> float:
    """Return an amount from a configuration: `"10ms"` for ns/op, `"2kB"` for B/op and `…-B`, else `3`, `"3 allocs"`.

    Raises `ValueError` for anything else.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        raise ValueError(f"expected a number or a text with a unit, found {value!r}")
    if unit == "ns/op":
        return float(parse_duration_ns(value))
    if _is_size(unit):
        return float(parse_size_bytes(value))
    match = _COUNT.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"invalid amount {value!r}: expected a number, such as 3 or '3 allocs'")
    word = (match[2] or "").strip()
    if word and unit.partition("/")[0] != word.partition("/")[0]:
        raise ValueError(f"invalid amount {value!r}: expected a number of {unit}")
    return float(match[1])


def format_amount(unit: str, value: float | None) -> str:
    """Return an amount for people; a dash for None."""
    if value is None:
        return "-"
    if unit == "ns/op":
        return format_duration(value)
    if _is_size(unit):
        return format_size(value)
    return f"{value:g}"


def _is_size(unit: str) -> bool:
    return unit.endswith(("B/op", "-B"))


def judge(
    targets: Sequence[Target],
    results: Sequence[BenchmarkResult],
    unavailable: Mapping[str, str],
    *,
    reports_absent: bool = True,
) -> list[Verdict]:
    """Compare every target with every benchmark that it is for, in the order of the targets.

    `unavailable` says, by unit, why this machine cannot measure it. A target that is for no benchmark at all
    gives a verdict of its own, under its pattern, unless `reports_absent` is off.
    """
    verdicts: list[Verdict] = []
    for target in targets:
        matching = [result for result in results if target.matches(result.name)]
        if not matching and reports_absent:
            verdicts.append(Verdict(target.pattern, target, None, "not measured", "no such benchmark ran"))
        verdicts += [_judge_one(target, result, unavailable) for result in matching]
    return verdicts


def _judge_one(target: Target, result: BenchmarkResult, unavailable: Mapping[str, str]) -> Verdict:
    value = result.value(target.unit)
    if value is None and target.unit == "ns/op" and result.samples:
        value = result.ns_per_op
    if value is None:
        reason = unavailable.get(target.unit, f"the benchmark does not report {target.unit}")
        return Verdict(result.name, target, None, "not measured", reason)
    varies = any(warning.code == "varying-counts" for warning in result.warnings)
    reason = "varies between processes" if varies and target.unit in ("B/op", "allocs/op") else ""
    return Verdict(result.name, target, value, target.grade(value), reason)


def verdict_row(verdict: Verdict) -> list[str]:
    """Return name, metric, value, the three limits, and the verdict: the cells of a table."""
    target = verdict.target
    shown = "n/a" if verdict.value is None else format_amount(target.unit, verdict.value)
    limits = [
        format_amount(target.unit, limit) for limit in (target.target, target.acceptable, target.unacceptable)
    ]
    grade = f"{verdict.grade}: {verdict.reason}" if verdict.reason else verdict.grade
    return [verdict.name.removeprefix("Benchmark"), target.unit, shown, *limits, grade]


VERDICT_HEADER = ["benchmark", "metric", "measured", "target", "acceptable", "unacceptable", "verdict"]
