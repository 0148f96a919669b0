"""What a difference means: the guide's verdicts, and the gate that closes on regressions.

The difference is taken the way it hurts: 0.25 is a quarter more time or memory, and, where higher is better, the
speed at which the same work takes a quarter more time. Below 5 % it is noise, up to 20 % minor, up to 50 %
moderate, above major; more than 20 % faster says "verify correctness". Only a significant difference gets a
verdict. Many rows are many chances of a false alarm, so p-values are corrected by Holm's method over all rows that
were tested together: with fifty benchmarks the chance of one false alarm among them is alpha, not fifty times
that. Values that do not vary from run to run (allocations, exact units) need no test and no correction.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from conduit.bench.statistics.samples import divide
from conduit.bench.text.units import tidy_unit
from conduit.errors import ConfigurationError
from conduit.project_file import read_conduit_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from conduit.bench.compare.comparison import Row

Grade = Literal["noise", "minor", "moderate", "major", "faster", "verify", "same", "undecided", "unknown"]
"""`same`: no significant difference; `undecided`: too few samples to decide; `unknown`: the unit does not say which
direction is better."""

SEVERITY: tuple[Grade, ...] = ("minor", "moderate", "major")
DETERMINISTIC_UNITS = frozenset({"B/op", "allocs/op", "bytecodes/op", "peak-B/op"})

WORDS: dict[Grade, str] = {
    "noise": "noise",
    "minor": "minor regression",
    "moderate": "moderate regression",
    "major": "major regression",
    "faster": "faster",
    "verify": "much faster: verify correctness",
    "same": "no significant difference",
    "undecided": "too few samples to decide",
    "unknown": "no verdict: the unit does not say whether more is better",
}


class Levels(NamedTuple):
    """Where the grades begin, as shares (0.05 is 5 %), and the grade from which the gate is closed."""

    minor: float = 0.05
    moderate: float = 0.20
    major: float = 0.50
    verify: float = 0.20
    fail: Grade = "moderate"


class Gates:
    """The levels in force: common ones, and those of single metrics."""

    def __init__(self, common: Levels = Levels(), metrics: Mapping[str, Levels] | None = None) -> None:  # noqa: B008
        self._common = common
        self._metrics = {tidy_unit(unit)[0]: levels for unit, levels in (metrics or {}).items()}

    def levels(self, unit: str) -> Levels:
        """Return the levels for a unit, written or tidied."""
        return self._metrics.get(tidy_unit(unit)[0], self._common)


class Judged(NamedTuple):
    """A row with its verdict. `worse` is the share by which the new side is worse (negative where better)."""

    row: Row
    grade: Grade
    worse: float
    p: float  # corrected for the number of rows
    closes_gate: bool

    @property
    def text(self) -> str:
        """The verdict in words."""
        return WORDS[self.grade]


def worsening(delta: float, better: int) -> float:
    """Return the share by which the new side is worse; for rates, the change in the time for the same work."""
    if better <= 0:
        return delta
    return divide(1.0, 1.0 + delta) - 1.0


def is_deterministic(row: Row) -> bool:
    """Return whether the values need no test: an exact unit, or counts that never varied."""
    if row.alpha == 0.0 and row.p == 0.0:
        return True
    constant = min(row.old_values) == max(row.old_values) and min(row.new_values) == max(row.new_values)
    return row.unit in DETERMINISTIC_UNITS and constant


def correct_by_holm(p_values: Sequence[float]) -> list[float]:
    """Apply Holm's step-down correction: in ascending order, multiply each p by the number of those not yet passed."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for passed, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - passed)))
        corrected[index] = highest
    return corrected


def judge(rows: Sequence[Row], gates: Gates) -> list[Judged]:
    """Give every row its verdict; the rows are one family."""
    tested = [index for index, row in enumerate(rows) if not is_deterministic(row)]
    corrected = dict(zip(tested, correct_by_holm([rows[index].p for index in tested]), strict=True))
    return [_judge(row, corrected.get(index), len(tested), gates) for index, row in enumerate(rows)]


def _judge(row: Row, p: float | None, family: int, gates: Gates) -> Judged:
    levels = gates.levels(row.unit)
    worse = worsening(row.delta, row.better)
    if p is None:
        grade = grade_of(worse, levels) if row.delta else "same"
    elif row.delta and p <= row.alpha:
        grade = grade_of(worse, levels)
    elif smallest_p(len(row.old_values), len(row.new_values)) * family > row.alpha:
        grade = "undecided"
    else:
        grade = "same"
    if not row.better and grade not in ("same", "undecided"):
        grade = "unknown"
    return Judged(row, grade, worse, 0.0 if p is None else p, closes(grade, levels))


def grade_of(worse: float, levels: Levels) -> Grade:
    """Return the grade of a difference that is known to be real."""
    if math.isnan(worse):
        return "undecided"
    if worse > levels.major:
        return "major"
    if worse >= levels.moderate:
        return "moderate"
    if worse >= levels.minor:
        return "minor"
    if worse < -levels.verify:
        return "verify"
    return "faster" if worse <= -levels.minor else "noise"


def closes(grade: Grade, levels: Levels) -> bool:
    """Return whether a grade closes the gate."""
    return grade in SEVERITY and SEVERITY.index(grade) >= SEVERITY.index(levels.fail)


def smallest_p(n_old: int, n_new: int) -> float:
    """Return the smallest p that the U test can give for samples of these sizes."""
    return min(1.0, 2 / math.comb(n_old + n_new, n_old)) if n_old and n_new else 1.0


class Outcome(NamedTuple):
    """Whether a gate is open: `closing` are the regressions, `undecided` the rows that are no pass either."""

    closing: list[Judged]
    undecided: list[Judged]

    def status(self, *, strict: bool) -> int:
        """Return the exit status: 1 where the gate is closed, and, if `strict`, where it could not be decided."""
        return int(bool(self.closing or (strict and self.undecided)))


def outcome(judged: Iterable[Judged]) -> Outcome:
    """Return the rows that close the gate and the undecided ones."""
    rows = list(judged)
    return Outcome(
        [row for row in rows if row.closes_gate], [row for row in rows if row.grade == "undecided"]
    )


def read_gates(path: Path) -> Gates:
    """Read `[tool.conduit.gates]` of a `pyproject.toml`; the guide's levels where there is none.

    `minor`, `moderate`, `major` and `verify` are percentages (`20` or `"20%"`), `fail` is the grade from which the
    gate is closed; a table named like a unit (`[tool.conduit.gates."B/op"]`) holds for that unit. Raises
    `ConfigurationError`.
    """
    table = read_conduit_table(path, "gates")
    common = _levels(path, "tool.conduit.gates", table, Levels())
    metrics = {
        unit: _levels(path, f'tool.conduit.gates."{unit}"', entries, common)
        for unit, entries in table.items()
        if isinstance(entries, dict)
    }
    return Gates(common, metrics)


def _levels(path: Path, key_path: str, table: Mapping[str, object], base: Levels) -> Levels:
    levels = base
    for key, value in table.items():
        if isinstance(value, dict):
            continue
        if key == "fail":
            if value not in SEVERITY:
                raise ConfigurationError(
                    f"{path}: {key_path}.fail: expected one of {', '.join(SEVERITY)}, found {value!r}"
                )
            levels = levels._replace(fail=value)
        elif key in ("minor", "moderate", "major", "verify"):
            levels = levels._replace(**{key: _share(path, f"{key_path}.{key}", value)})  # type: ignore[arg-type]
        else:
            raise ConfigurationError(
                f"{path}: {key_path}.{key}: there is no such level; expected minor, moderate, major, verify, fail "
                'or a table named like a unit ("B/op")'
            )
    if not levels.minor <= levels.moderate <= levels.major:
        raise ConfigurationError(f"{path}: {key_path}: expected minor <= moderate <= major")
    return levels


def _share(path: Path, key_path: str, value: object) -> float:
    text = value.removesuffix("%").strip() if isinstance(value, str) else value
    try:
        percent = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        percent = math.nan
    if isinstance(value, bool) or not 0 <= percent < math.inf:
        raise ConfigurationError(
            f'{path}: {key_path}: expected a percentage such as 20 or "20%", found {value!r}'
        )
    return percent / 100
