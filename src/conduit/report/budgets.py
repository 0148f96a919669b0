"""Budgets: limits on the share or amount of a function or of the whole program, checked against a profile.

A rule is a table: `match` (a regular expression on function names), `max_flat` and `max_cum` (limits for each function
that matches), `max_total` (the limit for the whole profile), and `sample_type` (default: the one reported). A limit is
a share of the total (`"20%"`) or an amount (`"300ms"`, `"10MB"`, `1000`). `pyproject.toml` keeps rules in
`[tool.conduit.budgets]`, as one table for each rule name or as an array of tables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from conduit.profile.measurement import find_unit
from conduit.regexps import PatternError, compile_pattern
from conduit.report.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from conduit.profile.model import Profile
    from conduit.report.graph import Node
    from conduit.report.options import Options
    from conduit.report.report import Report

_LIMITS = ("max_flat", "max_cum", "max_total")
_KEYS = ("match", "sample_type", *_LIMITS)
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([^\s0-9.]*)")


class Budget(NamedTuple):
    """One limit of a rule: `share` (0 to 1) or `amount` in `unit` (empty: the unit of the sample type)."""

    name: str
    match: str
    measure: str  # flat, cum or total
    limit: str  # as it was written
    share: float | None
    amount: float
    unit: str
    sample_type: str


class Overrun(NamedTuple):
    """A function over a budget: its value as printed, and its share of the total (0 to 1)."""

    function: str
    value: str
    share: float


class Verdict(NamedTuple):
    """The result of checking a budget; `matched` is whether any function of the profile matches."""

    budget: Budget
    sample_type: str
    matched: bool
    overruns: list[Overrun]


def read_budgets(text: str) -> list[Budget]:
    """Return the budgets of a rule in TOML's inline notation, or of the file that the text names.

    Raise `ReportError` for an invalid rule or file.
    """
    import tomllib

    if text.lstrip().startswith("{"):
        try:
            return _budgets_of_rule("-check", tomllib.loads(f"rule = {text}")["rule"])
        except tomllib.TOMLDecodeError as error:
            raise ReportError(f"-check {text}: not a rule in TOML's notation: {error}") from None
    try:
        with open(text, "rb") as file:  # noqa: PTH123 (pathlib would slow the start)
            document = tomllib.load(file)
    except OSError as error:
        raise ReportError(f"-check {text}: {(error.strerror or str(error)).lower()}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReportError(f"-check {text}: not TOML: {error}") from None
    rules = document.get("tool", {}).get("conduit", {}).get("budgets", document.get("budgets"))
    budgets = [budget for name, rule in _named(rules) for budget in _budgets_of_rule(name, rule)]
    if not budgets:
        raise ReportError(f"-check {text}: expected rules in a table [tool.conduit.budgets], found none")
    return budgets


def _named(rules: Any) -> list[tuple[str, Any]]:
    if isinstance(rules, dict):
        return list(rules.items())
    return [(f"budget {number}", rule) for number, rule in enumerate(rules or (), 1)]


def _budgets_of_rule(name: str, rule: Any) -> list[Budget]:
    if not isinstance(rule, dict):
        raise ReportError(f"{name}: a rule is a table with {', '.join(_KEYS)}; found {rule!r}")
    unknown = sorted(rule.keys() - set(_KEYS))
    if unknown:
        raise ReportError(f"{name}: unknown key {unknown[0]!r}; expected {', '.join(_KEYS)}")
    limits = [key for key in _LIMITS if key in rule]
    if not limits:
        raise ReportError(f"{name}: a rule needs a limit: {', '.join(_LIMITS)}")
    match = rule.get("match", "")
    if not isinstance(match, str) or (not match and limits != ["max_total"]):
        raise ReportError(f"{name}: match must be a regular expression on function names; found {match!r}")
    return [_budget(name, match, key, rule[key], str(rule.get("sample_type", ""))) for key in limits]


def _budget(name: str, match: str, key: str, limit: Any, sample_type: str) -> Budget:
    text = str(limit)
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or isinstance(limit, bool):
        raise ReportError(
            f'{name}: {key} must be a share such as "20%" or an amount such as "300ms"; found {limit!r}'
        )
    number, unit = float(found[1]), found[2]
    share = number / 100 if unit == "%" else None
    measure = key.removeprefix("max_")
    if measure == "total" and share is not None:
        raise ReportError(f"{name}: max_total is an amount; a share of the total is always 100%")
    return Budget(name, match, measure, text, share, number, "" if share is not None else unit, sample_type)


def check_profile(
    profile: Profile, budgets: list[Budget], options: Options, warn: Callable[[str], None]
) -> list[Verdict]:
    """Return every budget with the functions that exceed it.

    Raise `ReportError` for an invalid rule, and for a profile without samples.
    """
    return [_check(profile, budget, options, warn) for budget in budgets]


def _check(profile: Profile, budget: Budget, options: Options, warn: Callable[[str], None]) -> Verdict:
    from conduit.report.pipeline import prepare_report
    from conduit.report.trimming import flat_order, whole_graph

    chosen = options.copy(sample_index=budget.sample_type or options.sample_index)
    report = prepare_report(profile, "json", chosen, warn)
    if not report.total:
        raise ReportError(
            f"{budget.name}: the profile has no {report.sample_type} samples, so nothing can be said of its budgets"
        )
    limit = _limit(report, budget)
    if budget.measure == "total":
        rows = [("the whole profile", report.divided(report.total))]
        return Verdict(budget, report.sample_type, True, list(_overruns(report, rows, limit)))
    matches = _compile(budget)
    nodes = [node for node in flat_order(whole_graph(report)) if matches(node.frame.name)]
    report = report.in_unit_for(nodes)
    rows = [(node.name, report.divided(_value(node, budget))) for node in nodes]
    return Verdict(budget, report.sample_type, bool(nodes), list(_overruns(report, rows, limit)))


def _value(node: Node, budget: Budget) -> int:
    return node.flat_value if budget.measure == "flat" else node.cum_value


def _overruns(report: Report, rows: list[tuple[str, int]], limit: float) -> Iterator[Overrun]:
    from conduit.profile.measurement import scaled_label

    total = abs(report.divided(report.total)) or 1
    for name, value in rows:
        if value > limit:
            yield Overrun(name, scaled_label(value, report.sample_unit, report.output_unit), value / total)


def _limit(report: Report, budget: Budget) -> float:
    """Return the limit in the profile's own unit."""
    if budget.share is not None:
        return budget.share * abs(report.divided(report.total))
    if not budget.unit:
        return budget.amount
    given, own = find_unit(budget.unit), find_unit(report.sample_unit)
    if given is None or own is None or given.family is not own.family:
        raise ReportError(
            f"{budget.name}: the limit {budget.limit} cannot be compared with {report.sample_type}, "
            f"which is in {report.sample_unit}"
        )
    return budget.amount * given.factor / own.factor


def _compile(budget: Budget) -> Callable[[str], bool]:
    try:
        return compile_pattern(budget.match).matches
    except PatternError as error:
        raise ReportError(f"{budget.name}: match: {error}") from None
