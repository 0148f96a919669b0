"""The order and choice of a comparison's rows: by name, by change, only the significant ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.bench.compare.comparison import Comparison, Table
    from conduit.bench.compare.keys import Key
    from conduit.bench.compare.verdicts import Judged

MACHINE_KEYS = frozenset({"cpu", "goos", "goarch", "python"})


def arrange_rows(
    comparison: Comparison, order: str, *, reverse: bool = False, only_significant: bool = False
) -> int:
    """Sort and filter the rows of each table in place; return the number of rows left out.

    `order` is none, name or delta. By delta, the largest regression comes first and the largest improvement last, by
    the last column with a significant difference; where the unit does not say which direction is better, the largest
    increase comes first. Geometric means still cover all rows.
    """
    hidden = 0
    for table in comparison.tables:
        labels = dict(zip(table.rows, table.row_labels, strict=True))
        rows = table.rows
        if only_significant and len(table.columns) > 1:
            rows = [row for row in rows if _is_significant(table, row)]
            hidden += len(table.rows) - len(rows)
        if order == "name":
            rows = sorted(rows, key=lambda row: labels[row], reverse=reverse)
        elif order == "delta":
            rows = sorted(rows, key=_worsening_of(table), reverse=not reverse)
        table.rows = list(rows)
        table.row_labels = [labels[row] for row in rows]
    return hidden


def _is_significant(table: Table, row: Key) -> bool:
    return any(_delta(table, row, column) for column in table.columns[1:])


def _worsening_of(table: Table) -> Callable[[Key], float]:
    sign = -1.0 if table.better > 0 else 1.0

    def worsening(row: Key) -> float:
        deltas = [delta for column in table.columns[1:] if (delta := _delta(table, row, column))]
        return sign * deltas[-1] if deltas else 0.0

    return worsening


def _delta(table: Table, row: Key, column: Key) -> float:
    """Return the significant difference of a cell as a share of its baseline; 0 if there is none."""
    cell = table.cells.get((row, column))
    if cell is None or cell.baseline is None or cell.test is None or not cell.test.is_significant:
        return 0.0
    old, new = cell.baseline.summary.center, cell.summary.center
    if old == new:
        return 0.0
    return new / old - 1 if old else float("inf")


def in_row_order(judged: Sequence[Judged], comparison: Comparison) -> list[Judged]:
    """Return verdicts in the order of the comparison's rows, without those of rows that were left out."""
    by_row = {
        (entry.row.configuration, entry.row.unit, entry.row.name, entry.row.column): entry for entry in judged
    }
    return [
        by_row[row.configuration, row.unit, row.name, row.column]
        for row in comparison.rows
        if (row.configuration, row.unit, row.name, row.column) in by_row
    ]


def differing_configuration(comparison: Comparison) -> list[str]:
    """Return the keys that keep results of different columns in different tables, so that nothing is compared.

    Empty unless no table has more than one column, and only keys that describe the machine differ.
    """
    tables = comparison.tables
    columns = {tuple(labels) for table in tables for labels in table.column_labels}
    if len(columns) < 2 or any(len(table.columns) > 1 for table in tables):
        return []
    configurations = [dict(table.configuration) for table in tables]
    keys = dict.fromkeys(key for configuration in configurations for key in configuration)
    differing = [key for key in keys if len({found.get(key, "") for found in configurations}) > 1]
    return differing if MACHINE_KEYS.issuperset(differing) else []


def differing_pythons(comparison: Comparison) -> list[str]:
    """Return the versions of Python in the order of the columns, where a table compares several; else nothing."""
    for table in comparison.tables:
        if len({frozenset(versions) for versions in table.pythons if versions}) > 1:
            return list(dict.fromkeys(version for versions in table.pythons for version in sorted(versions)))
    return []
