"""The classic comparison, as printed by benchstat before 2023 and in the profiling guide.

For each benchmark, unit and file, outliers (outside 1.5 interquartile ranges of the quartiles) are removed; the
remaining values are shown as their mean and the larger of its two deviations in percent. Two files are compared by the
U test (or Welch's t test, or none) of these values; three or more are shown side by side. Results are grouped by
configuration labels.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.statistics import samples
from conduit.bench.text.numbers import format_fixed, parse_float, parse_int
from conduit.bench.text.reader import key_and_value, lines_of_file, name_parts_as_labels, split_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from conduit.bench.text.reader import InputFile

NO_TEST = -1.0
"""The p-value of no test at all: every difference counts."""

_METRICS = {"ns/op": "time/op", "ns/GC": "time/GC", "B/op": "alloc/op", "MB/s": "speed"}


class ClassicOptions(NamedTuple):
    """How the classic tables are made: `test` is utest, ttest or none; `order` is none, name or delta."""

    alpha: float = 0.05
    test: str = "utest"
    split: tuple[str, ...] = ("pkg", "goos", "goarch")
    order: str = "none"
    reverse: bool = False
    geomean: bool = False


class Metrics:
    """Measurements of one benchmark in one unit and file, and those that are left without the outliers."""

    __slots__ = ("kept", "maximum", "mean", "minimum", "unit", "values")

    def __init__(self, unit: str = "", mean: float = 0.0) -> None:
        self.unit: str = unit
        self.values: list[float] = []
        self.kept: list[float] = []
        self.minimum: float = 0.0
        self.maximum: float = 0.0
        self.mean: float = mean

    def finish(self) -> None:
        """Drop the outliers and computes mean and extremes of the rest; NaN where nothing is left."""
        ordered = samples.sort_values(list(self.values))
        low, high = samples.quantile(ordered, 0.25), samples.quantile(ordered, 0.75)
        reach = 1.5 * (high - low)
        self.kept = [value for value in self.values if low - reach <= value <= high + reach]
        self.minimum = min(self.kept, default=math.nan)
        self.maximum = max(self.kept, default=math.nan)
        self.mean = running_mean(self.kept)

    @property
    def spread(self) -> str:
        """The larger deviation of the extremes from the mean in percent; empty where the mean is 0."""
        if self.mean == 0 or self.maximum == 0:
            return ""
        share = 1 - self.minimum / self.mean
        above = self.maximum / self.mean - 1
        return format_fixed((above if above > share else share) * 100.0, 0) + "%"


_ABSENT = Metrics()


class ClassicRow(NamedTuple):
    """One line of a table. `change` is +1 where the new side is better, -1 where it is worse, else 0."""

    name: str
    group: str
    format: Callable[[float], str]
    metrics: list[Metrics]
    percent: float = 0.0
    delta: str = ""
    note: str = ""
    change: int = 0


class ClassicTable(NamedTuple):
    """One unit's rows; `labels` are the files."""

    metric: str
    labels: list[str]
    rows: list[ClassicRow]


class _Collection:
    """Measurements by file, group, name and unit, each in the order of first appearance."""

    def __init__(self, options: ClassicOptions) -> None:
        self.options = options
        self.labels: list[str] = []
        self.pythons: list[set[str]] = []  # for each file, the versions of Python that it names
        self.units: dict[str, None] = {}
        self.names: dict[str, dict[str, None]] = {}  # by group
        self.metrics: dict[tuple[str, str, str, str], Metrics] = {}

    def add_file(self, input_file: InputFile) -> None:
        self.labels.append(input_file.label)
        groups: dict[str, str] = {}
        version = -1
        pythons: set[str] = set()
        self.pythons.append(pythons)
        for line, labels, changes in _result_lines(input_file):
            if changes != version:
                groups, version = {}, changes
                pythons.update(filter(None, [labels.get("python")]))
            fields = split_fields(line)
            if len(fields) < 4 or not _counts(fields[1]):
                continue
            name = fields[0][9:]
            group = groups.get(name)
            if group is None:
                group = groups[name] = self._group(name, labels)
            for text, unit in zip(fields[2::2], fields[3::2], strict=False):
                self._add(input_file.label, group, name, text, unit)

    def _add(self, label: str, group: str, name: str, text: str, unit: str) -> None:
        try:
            value = parse_float(text)
        except ValueError:
            return
        key = (label, group, name, unit)
        metrics = self.metrics.get(key)
        if metrics is None:
            metrics = self.metrics[key] = Metrics(unit)
            self.names.setdefault(group, {}).setdefault(name)
            self.units.setdefault(unit)
        metrics.values.append(value)

    def _group(self, name: str, labels: dict[str, str]) -> str:
        of_name = name_parts_as_labels(name)
        values = [(key, of_name.get(key) or labels.get(key, "")) for key in self.options.split]
        return " ".join(f"{key}:{value}" for key, value in values if value)


def _counts(text: str) -> bool:
    """Return whether an iteration count is accepted.

    Zero and text that is not a number are not; a number that is too large is.
    """
    try:
        return parse_int(text) != 0
    except ValueError as error:
        return "range" in str(error)


def _result_lines(input_file: InputFile) -> Iterator[tuple[str, dict[str, str], int]]:
    """Yield result lines with the labels in force, and a number that changes when the labels do.

    Before the first result, the labels above a blank line cannot be set again (until another line of text).
    """
    labels: dict[str, str] = {}
    fixed: dict[str, str] = {}
    started = False
    changes = 0
    for line in lines_of_file(input_file):
        pair = key_and_value(line) if line else None
        if pair is not None:
            if pair[0] not in fixed:
                labels[pair[0]] = pair[1]
                changes += 1
            continue
        if not started:
            fixed = {} if line else dict(labels)
        if line.startswith("Benchmark") and len(line.split(None, 1)[0]) < len(line):
            started = True
            yield line, labels, changes


def running_mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean, updated value by value; NaN of nothing."""
    mean = 0.0
    for count, value in enumerate(values, start=1):
        mean += (value - mean) / count
    return mean if values else math.nan


def classic_tables(
    inputs: Sequence[InputFile], options: ClassicOptions, pythons: list[set[str]] | None = None
) -> list[ClassicTable]:
    """Read the files and make a table for every unit in which there is something to show.

    The versions of Python that each file names are added to `pythons`.
    """
    collection = _Collection(options)
    for input_file in inputs:
        collection.add_file(input_file)
    if pythons is not None:
        pythons += collection.pythons
    for metrics in collection.metrics.values():
        metrics.finish()
    tables = [_table(collection, unit) for unit in collection.units]
    return [table for table in tables if table.rows]


def _table(collection: _Collection, unit: str) -> ClassicTable:
    metric = metric_of(unit)
    rows = []
    for group, names in collection.names.items():
        shown = group if len(collection.names) > 1 else ""
        for name in names:
            cells = [collection.metrics.get((label, group, name, unit)) for label in collection.labels]
            row = _row(collection.options, metric, name, shown, cells)
            if row is not None:
                rows.append(row)
    if not rows:
        return ClassicTable(metric, collection.labels, rows)
    _sort(rows, collection.options)
    if collection.options.geomean:
        rows += _geomean(collection, unit)
    return ClassicTable(metric, collection.labels, rows)


def _row(
    options: ClassicOptions, metric: str, name: str, group: str, cells: list[Metrics | None]
) -> ClassicRow | None:
    present = next((cell for cell in cells if cell is not None), None)
    scale = scaler(present.mean, present.unit) if present else str
    row = ClassicRow(name, group, scale, [cell or _ABSENT for cell in cells])
    if len(cells) != 2:
        return row
    old, new = cells
    if old is None or new is None:
        return None
    return _compared(row, options, metric, old, new)


def _compared(
    row: ClassicRow, options: ClassicOptions, metric: str, old: Metrics, new: Metrics
) -> ClassicRow:
    p, problem = _test(options.test, old, new)
    note = problem
    if not problem and p != NO_TEST:
        note = f"(p={p:.3f} n={len(old.kept)}+{len(new.kept)})"
    if problem or not p < (options.alpha or 0.05):
        return row._replace(delta="~", note=note)
    if new.mean == old.mean:
        return row._replace(delta="0.00%", note=note)
    percent = (samples.divide(new.mean, old.mean) - 1.0) * 100.0
    change = 1 if (percent < 0) == (metric != "speed") else -1
    return row._replace(
        percent=percent, delta=format_fixed(percent, 2, plus=True) + "%", note=note, change=change
    )


def _test(test: str, old: Metrics, new: Metrics) -> tuple[float, str]:
    if test == "none":
        return NO_TEST, ""
    if test == "ttest":
        return _welch_test(old.kept, new.kept)
    if not old.kept or not new.kept:
        return NO_TEST, "(too few samples)"
    p = samples.u_test(sorted(old.kept), sorted(new.kept))
    return (NO_TEST, "(all equal)") if p is None else (p, "")


def _welch_test(old: list[float], new: list[float]) -> tuple[float, str]:
    if len(old) <= 1 or len(new) <= 1:
        return NO_TEST, "(too few samples)"
    share_old, share_new = _variance(old) / len(old), _variance(new) / len(new)
    if share_old == 0 and share_new == 0:
        return NO_TEST, "(zero variance)"
    total = share_old + share_new
    freedom = total**2 / (share_old**2 / (len(old) - 1) + share_new**2 / (len(new) - 1))
    t = (running_mean(old) - running_mean(new)) / math.sqrt(total)
    return samples.student_p(abs(t), freedom), ""


def _variance(values: list[float]) -> float:
    mean = squares = 0.0
    for count, value in enumerate(values, start=1):
        delta = value - mean
        mean += delta / count
        squares += delta * (value - mean)
    return squares / (len(values) - 1)


def _sort(rows: list[ClassicRow], options: ClassicOptions) -> None:
    if options.order == "name":
        rows.sort(key=lambda row: row.name, reverse=options.reverse)
    elif options.order == "delta":
        rows.sort(key=lambda row: abs(row.percent) * row.change, reverse=options.reverse)


def _geomean(collection: _Collection, unit: str) -> list[ClassicRow]:
    """Return the row of geometric means. Zeros are left out of it; a mean of one benchmark is not worth a row."""
    means = []
    for label in collection.labels:
        cells = (
            collection.metrics.get((label, group, name, unit))
            for group, names in collection.names.items()
            for name in names
        )
        means.append([cell.mean for cell in cells if cell is not None and cell.mean != 0])
    if max(map(len, means)) <= 1:
        return []
    centers = [samples.geometric_mean(values) if values else None for values in means]
    metrics = [_ABSENT if center is None else Metrics(unit, center) for center in centers]
    first = next(center for center in centers if center is not None)
    row = ClassicRow("[Geo mean]", "", scaler(first, unit), metrics)
    if len(centers) == 2 and centers[0] is not None and centers[1] is not None:
        percent = (samples.divide(centers[1], centers[0]) - 1.0) * 100.0
        row = row._replace(percent=percent, delta=format_fixed(percent, 2, plus=True) + "%")
    return [row]


def metric_of(unit: str) -> str:
    """What the classic table calls a unit: `ns/op` is `time/op`, `p99-ns/op` is `p99-time/op`."""
    for suffix, metric in _METRICS.items():
        if unit == suffix:
            return metric
        if unit.endswith("-" + suffix):
            return unit.removesuffix(suffix) + metric
    return unit


def _has_base(unit: str, *bases: str) -> bool:
    return any(unit == base or unit.endswith("-" + base) for base in bases)


_TIME_STEPS = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")]
_COUNT_STEPS = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")]


def scaler(value: float, unit: str) -> Callable[[float], str]:
    """Return how the means of one row are printed, from the first of them: three digits and a prefix for all."""
    if _has_base(unit, "ns/op", "ns/GC"):
        return _time_scaler(value)
    before = 1e6 if _has_base(unit, "MB/s") else 1.0
    decimals, step, prefix = _step(value * before, _COUNT_STEPS)
    suffix = prefix
    if _has_base(unit, "B/op", "bytes/op", "bytes"):
        suffix += "B"
    if _has_base(unit, "MB/s"):
        suffix += "B/s"
    divisor = step / before
    return lambda value: format_fixed(value / divisor, decimals) + suffix


def _time_scaler(nanoseconds: float) -> Callable[[float], str]:
    decimals, step, suffix = _step(nanoseconds / 1e9, _TIME_STEPS)
    factor = float(f"{1 / step:.0f}")
    return lambda value: format_fixed(value / 1e9 * factor, decimals) + suffix


def _step(value: float, steps: list[tuple[float, str]]) -> tuple[int, float, str]:
    for step, name in steps:
        for decimals, border in enumerate(("99.5", "9.95", "0.995")):
            if value >= _border(border, step):
                return decimals, step, name
    return 2, *steps[-1]


def _border(border: str, step: float) -> float:
    """Return the border times the step, read from text: 99.5 * 1e-6 is not the float 0.0000995."""
    return float(f"{border}e{round(math.log10(step))}")
