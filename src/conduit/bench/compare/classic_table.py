"""The classic tables as text and as comma-separated values.

All tables of a text have columns of the same widths, those of the widest table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.bench.compare.table import csv_line
from conduit.bench.text.numbers import format_shortest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.bench.compare.classic import ClassicRow, ClassicTable, Metrics


def format_classic_text(tables: Sequence[ClassicTable]) -> str:
    """Return the tables as text. A line keeps the blanks that stand for a missing deviation, as the original does."""
    pages = [_text_rows(table) for table in tables]
    widths: list[int] = []
    for row in (row for page in pages for row in page if len(row) != 1):
        widths += [0] * (len(row) - len(widths))
        for index, text in enumerate(row):
            widths[index] = max(widths[index], len(text))
    return "\n".join(
        "".join([_heading(page[0], widths), *[_line(row, widths) for row in page[1:]]]) for page in pages
    )


def _text_rows(table: ClassicTable) -> list[list[str]]:
    rows = [_text_header(table)]
    group = ""
    for row in table.rows:
        if row.group != group:
            group = row.group
            rows.append([group])
        cells = [row.name, *[_mean_and_spread(metrics, row) for metrics in row.metrics]]
        if len(table.labels) == 2:
            cells += ["~   " if row.delta == "~" else row.delta, row.note]
        rows.append(cells)
    return [_trimmed(row) for row in rows]


def _text_header(table: ClassicTable) -> list[str]:
    metric = table.metric
    if len(table.labels) == 1:
        return ["name", metric]
    if len(table.labels) == 2:
        return ["name", f"old {metric}", f"new {metric}", "delta"]
    return [f"name \\ {metric}", *table.labels]


def _mean_and_spread(metrics: Metrics, row: ClassicRow) -> str:
    if not metrics.unit:
        return ""
    mean, spread = row.format(metrics.mean), metrics.spread
    return f"{mean} ±{spread:>3}" if spread else mean + "     "


def _trimmed(row: list[str]) -> list[str]:
    while row and not row[-1]:
        row = row[:-1]
    return row


def _heading(row: list[str], widths: list[int]) -> str:
    cells = [text.ljust(width) for text, width in zip(row[:-1], widths, strict=False)]
    return "  ".join([*cells, row[-1]]) + "\n"


def _line(row: list[str], widths: list[int]) -> str:
    if len(row) < 2:
        return "".join(row) + "\n"
    cells = [row[0].ljust(widths[0])]
    for index, text in enumerate(row[1:], start=1):
        is_note = index == len(row) - 1 and text.startswith("(")
        cells.append(text if is_note else text.rjust(widths[index]))
    return "  ".join(cells) + "\n"


def format_classic_csv(tables: Sequence[ClassicTable], *, ranges: bool = True) -> str:
    """Return the tables as comma-separated values, a blank line between; without `ranges`, means only."""
    pages = ["".join(csv_line(row) + "\n" for row in _csv_rows(table, ranges)) for table in tables]
    return "\n".join(pages)


def _csv_rows(table: ClassicTable, ranges: bool) -> list[list[str]]:
    rows = [_csv_header(table, ranges)]
    group = ""
    for row in table.rows:
        if row.group != group:
            group = row.group
            rows.append([group])
        cells = [row.name]
        for metrics in row.metrics:
            cells.append(_scientific(metrics.mean) if metrics.unit else "")
            if ranges:
                cells.append(metrics.spread if metrics.unit else "")
        if len(table.labels) == 2:
            cells += [row.delta, row.note]
        rows.append(cells)
    return [_trimmed(row) for row in rows]


def _csv_header(table: ClassicTable, ranges: bool) -> list[str]:
    metric = table.metric
    unit = f" ({table.rows[0].metrics[0].unit})"
    if len(table.labels) == 1:
        name, columns = "name", [metric + unit]
    elif len(table.labels) == 2:
        name, columns = "name", [f"old {metric}{unit}", f"new {metric}{unit}", "delta"]
    else:
        name, columns = f"name \\ {metric}{unit}", _without_common_folder(table.labels)
    header = [name]
    for column in columns:
        header += [column, "±"] if ranges else [column]
    return header


def _without_common_folder(paths: Sequence[str]) -> list[str]:
    named = [path for path in paths if path]
    if len(named) < 2:
        return list(paths)
    first, last = min(named), max(named)
    length = next(
        (i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first)
    )
    length = first[:length].rfind("/") + 1
    return [path[length:] for path in paths]


def _scientific(value: float) -> str:
    text = f"{value:.5E}"
    return text if text[-1].isdigit() else format_shortest(value)
