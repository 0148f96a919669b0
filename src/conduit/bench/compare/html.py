"""A comparison as one HTML file without any other, in light and dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from conduit.bench.compare.exports import delta_text, verdict_text
from conduit.bench.text.units import common_scaler, is_binary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from conduit.bench.compare.comparison import Cell, Comparison, Table
    from conduit.bench.compare.keys import Key
    from conduit.bench.compare.verdicts import Judged

    _Verdicts: TypeAlias = Mapping[tuple[tuple[tuple[str, str], ...], str, str, str], Judged]

_STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --worse: #b42318; --better: #1a7f37;
  --dim: #656d76; --head: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3d444d; --worse: #ff7b72; --better: #56d364; --dim: #9198a1; --head: #151b23; }
  body { background: #0d1117; color: #e6edf3; }
}
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem; }
table { border-collapse: collapse; margin: 0 0 2rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { border: 1px solid var(--line); padding: .25rem .6rem; text-align: right; white-space: nowrap; }
th { background: var(--head); }
th:first-child, td:first-child, td.verdict { text-align: left; }
td { font-variant-numeric: tabular-nums; }
.worse { color: var(--worse); font-weight: 600; }
.better { color: var(--better); }
.dim, .note { color: var(--dim); }
"""
_CLASSES = {"minor": "worse", "moderate": "worse", "major": "worse", "faster": "better", "verify": "better"}


def format_html(comparison: Comparison, judged: Sequence[Judged]) -> str:
    """Return the comparison as a complete document; differences have their verdicts."""
    verdicts = {
        (entry.row.configuration, entry.row.unit, entry.row.name, entry.row.column): entry for entry in judged
    }
    body = "".join(_table(table, verdicts) for table in comparison.tables)
    errors = "".join(f"<li>{escape(str(error))}</li>" for error in comparison.errors)
    if errors:
        body += f"<h2>Lines that could not be read</h2><ul class=note>{errors}</ul>"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Benchmarks</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body><h1>Benchmarks</h1>\n{body}</body></html>\n"
    )


def _table(table: Table, verdicts: _Verdicts) -> str:
    labels = [" ".join(texts) for texts in table.column_labels]
    configuration = ", ".join(f"{key}: {value}" for key, value in table.configuration if value)
    caption = escape(table.unit) + (
        f" <span class=dim>{escape(configuration)}</span>" if configuration else ""
    )
    head = "<th>benchmark" + "".join(
        f"<th>{escape(label)}" + ("<th>delta<th>p<th>verdict" if index else "")
        for index, label in enumerate(labels)
    )
    rows = "".join(
        f"<tr><td>{escape(label)}{_cells(table, row, label, labels, verdicts)}</tr>\n"
        for row, label in zip(table.rows, table.row_labels, strict=True)
    )
    notes = dict.fromkeys(
        text
        for row in table.rows
        for column in table.columns
        if (cell := table.cells.get((row, column))) is not None
        for text in (*cell.warnings, *cell.summary.warnings, *(cell.test.warnings if cell.test else ()))
    )
    footer = f"<p class=note>{escape('; '.join(notes))}</p>" if notes else ""
    return f"<table><caption>{caption}</caption>\n<tr>{head}</tr>\n{rows}{_means(table)}</table>{footer}\n"


def _cells(table: Table, row: Key, label: str, labels: Sequence[str], verdicts: _Verdicts) -> str:
    cells = [table.cells.get((row, column)) for column in table.columns]
    scaler = common_scaler([cell.summary.center for cell in cells if cell], is_binary(table.unit))
    text = ""
    for index, cell in enumerate(cells):
        shown = f"{scaler.format(cell.summary.center)} ± {cell.summary.range_text}" if cell else ""
        text += f"<td>{escape(shown)}"
        if index:
            verdict = verdicts.get((tuple(table.configuration), table.unit, label, labels[index]))
            text += _verdict(cell, verdict)
    return text


def _verdict(cell: Cell | None, judged: Judged | None) -> str:
    if cell is None or cell.test is None or judged is None:
        return "<td><td><td>"
    name = _CLASSES.get(judged.grade, "dim")
    return (
        f'<td class="{name}">{escape(delta_text(judged))}<td class=dim>{escape(cell.test.text)}'
        f'<td class="verdict {name}">{escape(verdict_text(judged))}'
    )


def _means(table: Table) -> str:
    if len(table.rows) < 2:
        return ""
    text = "<tr><th>geomean"
    for index, summary in enumerate(table.summaries):
        center = summary.center
        shown = "" if center is None else common_scaler([center], is_binary(table.unit)).format(center)
        text += f"<td>{escape(shown)}"
        if index:
            ratio = "" if summary.ratio is None else f"{(summary.ratio - 1) * 100:+.2f}%"
            text += f"<td>{ratio}<td><td>"
    return text + "</tr>\n"
