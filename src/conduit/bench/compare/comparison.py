"""Comparison of old and new: results arranged in tables, each cell summarised and compared with the first column.

There is one table for each unit and configuration, one row for each benchmark, and one column for each file, unless
projections say otherwise (see `keys`). The last row of a column is the geometric mean of its centres, and of its ratios
to the first column. Everything is computed here; `table` and `exports` print it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from conduit._native import available
from conduit.bench.compare.keys import Projections, ResultFilter, differing_fields
from conduit.bench.statistics import samples
from conduit.bench.text.reader import Reader, Result, groups_of_lines, name_inputs
from conduit.bench.text.unit_metadata import UnitMetadata
from conduit.errors import QuerySyntaxError, UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from conduit.bench.compare.keys import Key, Projection
    from conduit.bench.statistics.samples import Comparison as Test
    from conduit.bench.statistics.samples import Summary
    from conduit.bench.text.reader import Column, Configuration, InputFile
    from conduit.errors import BenchmarkSyntaxError

    Plan = tuple[list[float] | None, ...]  # where each value of a result goes; None leaves it out


if available():
    from conduit._native.results import add_results as _add_results
else:

    def _add_results(
        lines: list[str],
        at: int,
        plans: dict[str, tuple[tuple[list[float] | None, ...], tuple[float, ...]]],
        /,
    ) -> tuple[int, str | None]:
        """Leave every line to the reader."""
        return at, None


class Options(NamedTuple):
    """How results are arranged and judged; the defaults are benchstat's."""

    table: str = ".config"
    row: str = ".fullname"
    column: str = ".file"
    ignore: str = ""
    filter: str = "*"
    alpha: float = 0.05
    confidence: float = 0.95


class Cell:
    """The measurements of one row in one column, in ascending order once the table is finished."""

    __slots__ = ("baseline", "residues", "summary", "test", "values", "warnings")

    def __init__(self) -> None:
        self.values: list[float] = []
        self.residues: set[Key] = set()
        self.summary: Summary = _NOTHING
        self.baseline: Cell | None = None  # the cell in the first column, for the columns behind it
        self.test: Test | None = None  # against the baseline, where there is one
        self.warnings: tuple[str, ...] = ()


_NOTHING = samples.Summary(math.nan, math.nan, math.nan)


class ColumnSummary(NamedTuple):
    """The geometric means of one column: of its centres, and of its ratios to the first column."""

    center: float | None
    ratio: float | None
    warnings: tuple[str, ...]


class Table:
    """One unit's cells. `cells[row, column]` exists where something was measured."""

    def __init__(self, unit: str, configuration: list[tuple[str, str]]) -> None:
        self.unit = unit
        self.configuration = configuration  # the fields by which results are split into tables
        self.rows: list[Key] = []
        self.columns: list[Key] = []
        self.row_labels: list[str] = []
        self.column_labels: list[list[str]] = []  # for each column, one text a level of the header
        self.cells: dict[tuple[Key, Key], Cell] = {}
        self.summaries: list[ColumnSummary] = []
        self.better = 0  # +1 where higher values are better, -1 where lower ones are, 0 where unknown
        self.pythons: list[set[str]] = []  # for each column, the versions of Python that its files name


class Row(NamedTuple):
    """One benchmark in one unit, old against new. Values are in `unit`; `delta` is a share (0.05 is 5 % more)."""

    name: str
    unit: str
    old: Summary
    new: Summary
    old_values: tuple[float, ...]
    new_values: tuple[float, ...]
    p: float
    alpha: float
    delta: float
    is_significant: bool
    better: int  # +1 where higher is better, -1 where lower is, 0 where unknown
    configuration: tuple[tuple[str, str], ...]
    column: str
    warnings: tuple[str, ...]


class Comparison:
    """What a comparison found: `tables` as arranged, `rows` as pairs of old and new, `errors` in the input."""

    def __init__(self, tables: list[Table], errors: list[BenchmarkSyntaxError], options: Options) -> None:
        self.tables = tables
        self.errors = errors
        self.options = options

    @property
    def rows(self) -> list[Row]:
        """Every cell that has something to be compared with, table by table."""
        return [row for table in self.tables for row in _rows_of(table)]

    @property
    def unpaired(self) -> list[tuple[str, str, str]]:
        """(name, unit, column) of each benchmark that has no counterpart in the other column."""
        return [entry for table in self.tables for entry in _unpaired_of(table)]


def compare_benchmarks(
    old: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    new: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    options: Options = Options(),  # noqa: B008 (immutable)
) -> Comparison:
    """Compare benchmark text in files: `old` and `new` are a path each, or several whose results are pooled.

    Lines that are wrong are left out and listed in `errors`. Raises `BenchmarkFileError` for a file that cannot
    be read, `QuerySyntaxError` for a wrong filter or projection, `ValueError` for a level outside 0 to 1.
    """
    arguments = [f"old={path}" for path in _paths(old)] + [f"new={path}" for path in _paths(new)]
    return compare_files(arguments, options)


def _paths(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    import os

    if isinstance(paths, (str, os.PathLike)):
        return [os.fspath(paths)]
    return [os.fspath(path) for path in paths]


def compare_files(arguments: Sequence[str], options: Options) -> Comparison:
    """Compare the files of a command line (`path` or `label=path`, `-` is standard input)."""
    units = UnitMetadata()
    builder = Builder(options)
    errors: list[BenchmarkSyntaxError] = []
    for input_file in name_inputs(arguments):
        builder.add_file(input_file, units, errors.append)
    return Comparison(builder.tables(units), errors, options)


class Builder:
    """Collects results into cells. Raises `UsageError` when the options cannot be understood."""

    def __init__(self, options: Options) -> None:
        self.options = options
        try:
            self._filter = ResultFilter(options.filter)
        except QuerySyntaxError as error:
            raise UsageError(f"parsing -filter: {error}") from None
        projections = Projections(self._filter)
        self._table_by = _parse(projections, "-table", options.table)
        self._row_by = _parse(projections, "-row", options.row)
        self._column_by = _parse(projections, "-col", options.column)
        _parse(projections, "-ignore", options.ignore)
        self._residue = projections.residue()
        for name, level in (("alpha", options.alpha), ("confidence", options.confidence)):
            if not 0 <= level <= 1:
                raise UsageError(f"-{name} must be in range [0, 1]")
        self._unit = self._table_by.add_field(self._table_by.add_group(None), ".unit", "first")
        self._cells: dict[Key, dict[tuple[Key, Key], Cell]] = {}
        self._pythons: dict[tuple[Key, Key], set[str]] = {}  # by table and column
        # Where each value goes, by name and columns, for each configuration. Most results repeat an earlier one.
        self._plans: dict[Configuration, dict[tuple[str, int], Plan]] = {}
        self._known: dict[tuple[str, int], Plan] = {}
        # The same by the keys of `add_results`.
        self._line_plans: dict[Configuration, dict[str, tuple[Plan, tuple[float, ...]]]] = {}
        self._configuration: Configuration | None = None
        self._tables_of: dict[tuple[tuple[str, ...], int, tuple[bool, ...]], list[Key]] = {}
        self._last_rows: tuple[set[Key], list[Key], list[str]] = set(), [], []
        self._columns_in_use: list[object] = []  # keeps the ids in the plans' keys from being used again

    def add_file(
        self, input_file: InputFile, units: UnitMetadata, on_error: Callable[[BenchmarkSyntaxError], None]
    ) -> None:
        """Add the results of a file, handing the lines that are wrong to `on_error`."""
        reader = Reader(input_file, units)
        number = 1  # of the group's first line
        for lines in groups_of_lines(input_file):
            at = 0
            while True:
                at, key = _add_results(
                    lines, at, self._line_plans.setdefault(reader.configuration_in_force(), {})
                )
                if at == len(lines):
                    break
                if key is not None:
                    self._learn(key, reader)
                    continue
                for record in reader.records(lines[at], number + at):
                    if isinstance(record, Result):
                        self.add(record)
                    else:
                        on_error(record)
                at += 1
            number += len(lines)

    def _learn(self, key: str, reader: Reader) -> None:
        """Find out where the values of a plain line go; it is read again then."""
        name, *units = key.split("\t")
        columns = reader.columns(tuple(units))
        configuration = reader.configuration_in_force()
        result = Result(name.removeprefix("Benchmark"), 1, columns, [], configuration, reader.path, 0)
        factors = tuple([column.factor for column in columns])
        self._line_plans[configuration][key] = self._plan_of(result), factors

    def add(self, result: Result) -> None:
        """Add the values of a result that pass the filter to their cells."""
        plan = self._plan_of(result)
        for values, value in zip(plan, result.values):  # noqa: B905 (as long as each other; told a million times)
            if values is not None:
                values.append(value)

    def _plan_of(self, result: Result) -> Plan:
        if result.configuration is not self._configuration:
            self._configuration = result.configuration
            self._known = self._plans.setdefault(result.configuration, {})
        key = (result.name, id(result.columns))
        plan = self._known.get(key)
        if plan is None:
            plan = self._known[key] = self._plan(result)
        return plan

    def _plan(self, result: Result) -> Plan:
        self._columns_in_use.append(result.columns)
        passes = self._filter.columns(result)
        if not any(passes):
            return (None,) * len(passes)
        table_row = self._table_by.project(result)
        table_keys = self._table_keys(table_row, result.columns, passes)
        row = self._row_by.key(self._row_by.project(result))
        column_key = self._column_by.key(self._column_by.project(result))
        residue = self._residue.key(self._residue.project(result))
        if python := result.configuration.get("python"):
            for table in table_keys:
                self._pythons.setdefault((table, column_key), set()).add(python)
        remaining = iter(table_keys)
        return tuple(
            [
                self._cell(next(remaining), row, column_key, residue).values if passed else None
                for passed in passes
            ]
        )

    def _table_keys(self, row: list[str], columns: tuple[Column, ...], passes: list[bool]) -> list[Key]:
        """Return the table of each value that passes; the projected row lacks the unit."""
        known = (tuple(row), id(columns), tuple(passes))
        keys = self._tables_of.get(known)
        if keys is None:
            keys = self._tables_of[known] = []
            for column, passed in zip(columns, passes, strict=True):
                if passed:
                    row[self._unit.index] = column.unit
                    keys.append(self._table_by.key(row))
        return keys

    def _cell(self, table: Key, row: Key, column: Key, residue: Key) -> Cell:
        cells = self._cells.setdefault(table, {})
        cell = cells.get((row, column))
        if cell is None:
            cell = cells[row, column] = Cell()
        cell.residues.add(residue)
        return cell

    def tables(self, units: UnitMetadata) -> list[Table]:
        """Summarise and compare all cells. The builder cannot be used again."""
        keys = self._table_by.sorted(set(self._cells))
        return [self._table(key, units) for key in keys]

    def _table(self, key: Key, units: UnitMetadata) -> Table:
        unit = self._unit.value(key)
        fields = [field for field in self._table_by.fields if field is not self._unit]
        table = Table(unit, [(field.name, field.value(key)) for field in fields])
        table.cells = self._cells[key]
        table.better = units.better(unit)
        table.rows, table.row_labels = self._rows({row for row, _ in table.cells})
        table.columns = self._column_by.sorted({column for _, column in table.cells})
        levels = self._column_by.fields
        table.column_labels = [[field.value(column) for field in levels] for column in table.columns]
        table.pythons = [self._pythons.get((key, column), set()) for column in table.columns]
        self._judge(table, units.is_exact(unit))
        table.summaries = [_summarize_column(table, index) for index in range(len(table.columns))]
        return table

    def _rows(self, rows: set[Key]) -> tuple[list[Key], list[str]]:
        """Return the rows in order, and their labels; the tables of several units mostly have the same."""
        if rows != self._last_rows[0]:
            ordered = self._row_by.sorted(rows)
            self._last_rows = rows, ordered, [self._row_by.text(row) for row in ordered]
        return self._last_rows[1].copy(), self._last_rows[2].copy()

    def _judge(self, table: Table, exact: bool) -> None:
        first = table.columns[0]
        confidence, alpha = self.options.confidence, self.options.alpha
        for cell in table.cells.values():
            ordered = samples.sort_values(cell.values)
            cell.summary = (
                samples.summarize_exact(ordered) if exact else samples.summarize(ordered, confidence)
            )
            if len(cell.residues) > 1:
                differing = differing_fields(self._residue, cell.residues)
                cell.warnings = (f"benchmarks vary in {', '.join(differing)}",)
        for (row, column), cell in table.cells.items():
            base = table.cells.get((row, first)) if column != first else None
            if base is not None:
                cell.baseline = base
                cell.test = (
                    samples.compare_exact(base.values, cell.values)
                    if exact
                    else samples.compare(base.values, cell.values, alpha)
                )


def _parse(projections: Projections, flag: str, query: str) -> Projection:
    try:
        return projections.parse(query)
    except QuerySyntaxError as error:
        raise UsageError(f"parsing {flag}: {error}") from None


def _summarize_column(table: Table, index: int) -> ColumnSummary:
    """Return the mean of ratios, not the ratio of means: where the rows differ, it still speaks of one set of rows."""
    column, first = table.columns[index], table.columns[0]
    centers: list[float] = []
    ratios: list[float | None] = []
    for row in table.rows:
        cell = table.cells.get((row, column))
        if cell is None:
            continue
        centers.append(cell.summary.center)
        if cell.baseline is not None:
            ratios.append(_ratio(cell.summary.center, cell.baseline.summary.center))
    warnings = []
    in_baseline = sum((row, first) in table.cells for row in table.rows)
    if index and in_baseline != len(ratios):
        warnings.append("benchmark set differs from baseline; geomeans may not be comparable")
    center = _mean_or_none(centers)
    if center is None:
        warnings.append("summaries must be >0 to compute geomean")
    ratio = None
    if index and None not in ratios:
        ratio = _mean_or_none([ratio for ratio in ratios if ratio is not None])
        if ratio is None:
            warnings.append("ratios must be >0 to compute geomean")
    return ColumnSummary(center, ratio, tuple(warnings))


def _ratio(new: float, old: float) -> float | None:
    if new == old:
        return 1.0  # 0 against 0 included
    return None if old == 0 else new / old


def _mean_or_none(values: list[float]) -> float | None:
    mean = samples.geometric_mean(values)
    return None if math.isnan(mean) else mean


def _rows_of(table: Table) -> list[Row]:
    rows = []
    labels = dict(zip(table.rows, table.row_labels, strict=True))
    for row in table.rows:
        for column, texts in zip(table.columns[1:], table.column_labels[1:], strict=True):
            cell = table.cells.get((row, column))
            if cell is None or cell.baseline is None or cell.test is None:
                continue
            rows.append(_row(table, labels[row], " ".join(texts), cell, cell.baseline, cell.test))
    return rows


def _row(table: Table, label: str, column: str, cell: Cell, base: Cell, test: Test) -> Row:
    old, new = base.summary, cell.summary
    delta = 0.0 if old.center == new.center else samples.divide(new.center, old.center) - 1
    return Row(
        name=label,
        unit=table.unit,
        old=old,
        new=new,
        old_values=tuple(base.values),
        new_values=tuple(cell.values),
        p=test.p,
        alpha=test.alpha,
        delta=delta,
        is_significant=test.is_significant and old.center != new.center,
        better=table.better,
        configuration=tuple(table.configuration),
        column=column,
        warnings=tuple(
            dict.fromkeys((*base.warnings, *old.warnings, *cell.warnings, *new.warnings, *test.warnings))
        ),
    )


def _unpaired_of(table: Table) -> list[tuple[str, str, str]]:
    if not table.columns[1:]:
        return []
    found = []
    first = table.columns[0]
    for row, label in zip(table.rows, table.row_labels, strict=True):
        has_base = (row, first) in table.cells
        for index, column in enumerate(table.columns):
            unpaired = (
                not has_base if index else not any((row, other) in table.cells for other in table.columns[1:])
            )
            if unpaired and (row, column) in table.cells:
                found.append((label, table.unit, " ".join(table.column_labels[index])))
    return found
