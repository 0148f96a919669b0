"""A comparison for programs (JSON) and for pull requests (Markdown), both from the same rows as the text."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from conduit.bench.compare.verdicts import outcome
from conduit.bench.text.units import common_scaler, is_binary
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conduit.bench.compare.comparison import Cell, Comparison, Table
    from conduit.bench.compare.verdicts import Judged

FORMAT_VERSION = 1


def format_json(comparison: Comparison, judged: Sequence[Judged]) -> str:
    """Return the comparison as one JSON object.

    Values are in tidied units, shares 0 to 1; NaN and infinity are null.
    """
    closing = outcome(judged)
    document = {
        "version": FORMAT_VERSION,
        "alpha": comparison.options.alpha,
        "confidence": comparison.options.confidence,
        "tables": [_table_object(table) for table in comparison.tables],
        "rows": [_row_object(row) for row in judged],
        "unpaired": [
            {"name": name, "unit": unit, "column": column} for name, unit, column in comparison.unpaired
        ],
        "gate": {"closed": bool(closing.closing), "undecided": len(closing.undecided)},
        "errors": [{"path": e.path, "line": e.line, "message": e.message} for e in comparison.errors],
    }
    return json.dumps(_plain(document), ensure_ascii=True, indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _table_object(table: Table) -> dict[str, Any]:
    return {
        "unit": table.unit,
        "better": {1: "higher", -1: "lower"}.get(table.better),
        "configuration": dict(table.configuration),
        "columns": [" ".join(texts) for texts in table.column_labels],
        "benchmarks": [
            {
                "name": label,
                "cells": [_cell_object(table.cells.get((row, column))) for column in table.columns],
            }
            for row, label in zip(table.rows, table.row_labels, strict=True)
        ],
        "geomean": [{"center": s.center, "ratio": s.ratio, "warnings": s.warnings} for s in table.summaries],
    }


def _cell_object(cell: Cell | None) -> dict[str, Any] | None:
    if cell is None:
        return None
    summary = cell.summary
    return {
        "center": summary.center,
        "low": summary.low,
        "high": summary.high,
        "values": cell.values,
        "warnings": (*cell.warnings, *summary.warnings),
    }


def _row_object(judged: Judged) -> dict[str, Any]:
    row = judged.row
    return {
        "name": row.name,
        "unit": row.unit,
        "column": row.column,
        "configuration": dict(row.configuration),
        "old": row.old.center,
        "new": row.new.center,
        "delta": row.delta,
        "p": row.p,
        "p_corrected": judged.p,
        "significant": row.is_significant,
        "worse": judged.worse,
        "verdict": judged.grade,
        "closes_gate": judged.closes_gate,
        "n_old": len(row.old_values),
        "n_new": len(row.new_values),
        "warnings": row.warnings,
    }


def format_markdown(comparison: Comparison, judged: Sequence[Judged]) -> str:
    """Return the comparison as Markdown tables, the summary first; medians alone if there is nothing to compare."""
    if not judged:
        return "\n".join([*_medians(comparison.tables), *_unpaired_lines(comparison)]) + "\n"
    lines = [_summary(judged), ""]
    several = len({row.row.column for row in judged}) > 1
    by_configuration: dict[tuple[tuple[str, str], ...], list[Judged]] = {}
    for row in judged:
        by_configuration.setdefault(row.row.configuration, []).append(row)
    for configuration, rows in by_configuration.items():
        lines += _configuration_lines(configuration)
        lines += ["| benchmark | unit | old | new | delta | p | verdict |", "|:--|:--|--:|--:|--:|--:|:--|"]
        lines += [_markdown_row(row, several) for row in rows]
        lines.append("")
    return "\n".join([*lines, *_unpaired_lines(comparison)]).rstrip("\n") + "\n"


def _summary(judged: Sequence[Judged]) -> str:
    result = outcome(judged)
    differing = sum(row.grade not in ("same", "undecided", "noise") for row in judged)
    parts = [counted(len(judged), "comparison"), f"{differing} with a difference that matters"]
    if result.undecided:
        parts.append(f"{len(result.undecided)} with too few samples to decide")
    head = f"**{counted(len(result.closing), 'regression')}**" if result.closing else "No regression"
    return f"{head} ({', '.join(parts)})."


def _configuration_lines(configuration: Iterable[tuple[str, str]]) -> list[str]:
    said = [f"{_escape(key)}: {_escape(value)}" for key, value in configuration if value]
    return [" · ".join(said), ""] if said else []


def _markdown_row(judged: Judged, several: bool) -> str:
    row = judged.row
    scaler = common_scaler([row.old.center, row.new.center], is_binary(row.unit))
    name = row.name if not several else f"{row.name} ({row.column})"
    cells = [
        _code(name),
        _escape(row.unit),
        f"{scaler.format(row.old.center)} ± {row.old.range_text}",
        f"{scaler.format(row.new.center)} ± {row.new.range_text}",
        delta_text(judged),
        f"{row.p:.3f}" if row.p else "exact",
        f"**{verdict_text(judged)}**" if judged.closes_gate else verdict_text(judged),
    ]
    return "| " + " | ".join(cells) + " |"


def verdict_text(judged: Judged) -> str:
    """Return the verdict in words.

    It names a p that is below alpha, and above it once corrected for the number of rows.
    """
    row = judged.row
    if judged.grade == "same" and row.p <= row.alpha < judged.p:
        return f"not significant among this many comparisons (corrected p={judged.p:.3f})"
    return judged.text


def delta_text(judged: Judged) -> str:
    """Return the difference in percent; `~` if none was found."""
    delta = judged.row.delta
    if judged.grade in ("same", "undecided"):
        return "~"
    return f"{delta * 100:+.2f}%" if math.isfinite(delta) else "from zero"


def _medians(tables: Sequence[Table]) -> list[str]:
    lines: list[str] = []
    for table in tables:
        columns = [" ".join(texts) for texts in table.column_labels]
        lines += _configuration_lines(table.configuration)
        lines.append(
            "| benchmark | " + " | ".join(_escape(f"{column} ({table.unit})") for column in columns) + " |"
        )
        lines.append("|:--|" + "--:|" * len(columns))
        for row, label in zip(table.rows, table.row_labels, strict=True):
            cells = [table.cells.get((row, column)) for column in table.columns]
            scaler = common_scaler([cell.summary.center for cell in cells if cell], is_binary(table.unit))
            texts = [
                f"{scaler.format(cell.summary.center)} ± {cell.summary.range_text}" if cell else ""
                for cell in cells
            ]
            lines.append(f"| {_code(label)} | " + " | ".join(texts) + " |")
        lines.append("")
    return lines


def _unpaired_lines(comparison: Comparison) -> list[str]:
    found = comparison.unpaired
    if not found:
        return []
    listed = dict.fromkeys((name, column) for name, _, column in found)
    return ["On one side only:", "", *[f"- {_code(name)} ({_escape(column)})" for name, column in listed], ""]


def _escape(text: str) -> str:
    return "".join("\\" + c if c in "\\|`*_<>[]" else " " if ord(c) < 32 else c for c in text)


def _code(text: str) -> str:
    """Return a name as code; a pipe would end the cell, and a backquote the code."""
    return "`" + text.replace("`", "'").replace("|", "\\|").replace("\n", " ") + "`"
