"""A comparison of `conduit bench --against` as text, JSON, Markdown or a pull request's comment, and its gate."""

from __future__ import annotations

import io
import json
import math
from typing import TYPE_CHECKING, TextIO

from conduit.cli.gate import remark, say_gate
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.bench.against.interleaved import AgainstResult, AgainstRow

FORMAT_VERSION = 2
COMMENT_MARK = "<!-- conduit bench -->"
"""The first line of `-format=github`: a workflow finds its comment by it and updates it in place."""

SMALL = "too small to matter"
_HEADER = ["benchmark", "unit", "old", "new", "floor", "typical", "p", "pairs", "verdict"]


def report_problems(result: AgainstResult, stream: TextIO) -> None:
    """Print failures with their tracebacks, and the notes."""
    for problem in result.problems:
        print(f"{problem.name} failed on the {problem.side} side:\n{problem.text}", file=stream)
    for note in result.notes:
        print(f"note: {note}", file=stream)


def format_comparison(result: AgainstResult, rows: Sequence[AgainstRow], form: str) -> str:
    """Return the comparison in one of the formats of `-format`."""
    if form == "json":
        return _json(result, rows)
    if form == "markdown":
        return f"`{result.new}` against `{result.old}`\n\n{_markdown_table(rows)}"
    if form == "github":
        return format_github(result, rows)
    from conduit.cli.tables import Page

    page = io.StringIO()
    page.write(f"old: {result.old}\nnew: {result.new}\n")
    if rows:
        Page(page, None, False).table(_HEADER, [_cells(row) for row in rows])
    return page.getvalue()


def _cells(row: AgainstRow) -> list[str]:
    from conduit.bench.text.units import common_scaler, is_binary

    if row.state == "one-sided":
        return [_short(row.name), "", "", "", "", "", "", "", verdict_text(row)]
    scaler = common_scaler([row.old, row.new], is_binary(row.unit))
    paired, count = row.paired, row.counted
    typical = p = pairs = ""
    if paired is not None:
        deciding = min(paired.typical_p, paired.large_p) if row.state == "different" else paired.typical_p
        typical, p, pairs = _percent(paired.typical_delta), _p_text(deciding), str(paired.pairs)
    elif count is not None:
        p = "exact" if count.is_exact else "" if count.p is None else _p_text(count.p)
        pairs = "" if count.is_exact else str(count.pairs)
    return [
        _short(row.name),
        row.unit,
        scaler.format(row.old),
        scaler.format(row.new),
        _percent(row.delta),
        typical,
        p,
        pairs,
        verdict_text(row),
    ]


def _p_text(p: float) -> str:
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"


def _short(name: str) -> str:
    return name.rpartition(":")[2].removeprefix("Benchmark")


def _percent(share: float) -> str:
    return f"{share * 100:+.2f}%" if math.isfinite(share) else "from zero"


def verdict_text(row: AgainstRow) -> str:
    """Return the verdict in words, with what an unresolved row lacks."""
    from conduit.bench.compare.verdicts import WORDS

    if row.state == "one-sided":
        return row.note
    words = "unresolved" if row.state == "unresolved" else WORDS[row.grade]
    if row.grade == "noise" or _is_small_difference(row):
        words = SMALL  # a difference that was told apart from noise, below the first level
    if not row.note:
        return words
    return f"{words}: {row.note}" if row.state == "unresolved" else f"{words} ({row.note})"


def _is_small_difference(row: AgainstRow) -> bool:
    """Return whether counts that vary differ for certain, by less than the least difference that gets a verdict."""
    count = row.counted
    if row.state != "same" or count is None or count.p is None:
        return False
    from conduit.bench.statistics.paired import ALPHA

    return bool(count.delta) and count.p <= ALPHA


def _markdown_table(rows: Sequence[AgainstRow]) -> str:
    lines = ["| " + " | ".join(_HEADER) + " |", "|:--|:--|" + "--:|" * 6 + ":--|"]
    for row in rows:
        cells = _cells(row)
        if row.closes_gate:
            cells[-1] = f"**{cells[-1]}**"
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def format_github(result: AgainstResult, rows: Sequence[AgainstRow]) -> str:
    """Return a pull request's comment: a summary, the rows that matter, and the rest folded."""
    important = [row for row in rows if _is_important(row)]
    rest = [row for row in rows if not _is_important(row)]
    lines = [COMMENT_MARK, f"### Benchmarks: {_summary(rows)}", ""]
    if important:
        lines += [_markdown_table(important)]
    if rest:
        lines += [
            f"<details><summary>{counted(len(rest), 'row')} without a difference that matters</summary>",
            "",
        ]
        lines += [_markdown_table(rest), "</details>", ""]
    lines += [f"<details><summary>{result.new} against {result.old}: machine and notes</summary>", ""]
    lines += [f"- {line}" for line in (*_machine_lines(), *result.notes)]
    lines += [
        f"- {problem.name} failed on the {problem.side} side: {problem.reason}" for problem in result.problems
    ]
    return "\n".join([*lines, "", "</details>"]) + "\n"


def _is_important(row: AgainstRow) -> bool:
    return row.state in ("unresolved", "one-sided") or row.grade not in ("same", "noise")


def _summary(rows: Sequence[AgainstRow]) -> str:
    slower = sum(row.grade in ("minor", "moderate", "major") for row in rows)
    faster = sum(row.grade in ("faster", "verify") for row in rows)
    unresolved = sum(row.state == "unresolved" for row in rows)
    missing = sum(row.state == "one-sided" for row in rows)
    parts = [
        counted(slower, "regression") if slower else "no regression",
        *([counted(faster, "improvement")] if faster else []),
        *([f"{unresolved} unresolved"] if unresolved else []),
        *([f"{missing} on one side only"] if missing else []),
    ]
    return ", ".join(parts)


def _machine_lines() -> list[str]:
    from conduit.bench.run.machine import cpu_model, machine_warnings, processors, python_version

    lines = [
        f"Python {python_version()}, {cpu_model() or 'unknown processor'}, {counted(processors(), 'processor')}"
    ]
    return [*lines, *_load_lines(processors()), *(str(warning) for warning in machine_warnings())]


def _load_lines(processors: int) -> list[str]:
    """Return the machine's load of the last minute, and a remark where more was ready to run than it has processors."""
    import os

    try:
        load = os.getloadavg()[0]
    except OSError:
        return []
    line = f"load {load:.1f} in the last minute, about 1 of it the comparison's own"
    if load > processors:
        line += ": other programs used the processors, so that more rows are unresolved"
    return [line]


def _json(result: AgainstResult, rows: Sequence[AgainstRow]) -> str:
    document = {
        "version": FORMAT_VERSION,
        "old": result.old,
        "new": result.new,
        "rows": [_row_object(row) for row in rows],
        "one_side_only": [entry._asdict() for entry in result.one_sided],
        "problems": [problem._asdict() for problem in result.problems],
        "notes": result.notes,
        "interrupted": result.interrupted,
    }
    return json.dumps(document, indent=2) + "\n"


def _row_object(row: AgainstRow) -> dict[str, object]:
    values = row._asdict()
    values["paired"] = row.paired._asdict() if row.paired else None
    values["counted"] = row.counted._asdict() if row.counted else None
    values["verdict"] = verdict_text(row)
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def report_gate(rows: Sequence[AgainstRow], mode: str) -> int:
    """Print what closes the gate on standard error and return the exit status."""
    closing = [row for row in rows if row.closes_gate]
    unresolved = [row for row in rows if row.state == "unresolved"]
    missing = [row for row in rows if row.state == "one-sided"]
    for row in closing:
        say_gate(f"{_short(row.name)}: {row.unit}: {_percent(row.delta)}: {verdict_text(row)}")
    if closing:
        say_gate(f"closed: {len(closing)} of {len(rows)} comparisons")
        return 1
    is_strict = mode == "strict"
    state, words = "closed" if is_strict else "not passed", remark(is_failure=is_strict)
    if unresolved:
        for row in unresolved:
            say_gate(f"{_short(row.name)}: {row.unit}: {verdict_text(row)}")
        say_gate(
            f"{state}: {len(unresolved)} of {len(rows)} comparisons {'is' if len(unresolved) == 1 else 'are'} "
            f"unresolved; raise -budget{words}"
        )
    if missing:
        names = ", ".join(_short(row.name) for row in missing)
        say_gate(f"{state}: {len(missing)} on one side only: {names}{words}")
    return int(is_strict and bool(unresolved or missing))
