"""Recorded runs of the original benchstat, and what may differ from them by the known departures."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Case = dict[str, Any]


def load_cases(folder: Path, tool: str) -> list[Case]:
    """The cases of one tool (`benchstat`, `benchstat_v1`) in a folder with `cases.jsonl` and `in/`."""
    lines = (folder / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    return [case for case in map(json.loads, lines) if case["tool"] == tool]


def expected_status(case: Case) -> int:
    """The original exits with 0 (the classic one with 1) after an error; here that is 2."""
    return 2 if case["stderr"].startswith("benchstat: ") else int(case["rc"])


def prints_usage(case: Case) -> bool:
    """Whether the original printed its own help, which is not ours."""
    return "sage: benchstat" in case["stderr"]


def tables_of(stdout: str) -> list[tuple[tuple[str, ...], str]]:
    """Each printed table with the whole configuration above it, in an order that does not depend on the output's."""
    configuration: dict[str, str] = {}
    tables = []
    for block in stdout.removesuffix("\n").split("\n\n"):
        lines = block.split("\n")
        while lines and (match := re.fullmatch(r"([a-z][^\s,│]*): (.*)", lines[0])):
            configuration[match[1]] = match[2]
            del lines[0]
        tables.append(
            (tuple(f"{key}: {value}" for key, value in sorted(configuration.items())), "\n".join(lines))
        )
    return sorted(tables)


def without_rows_of_time(tables: list[tuple[tuple[str, ...], str]]) -> list[tuple[tuple[str, ...], str]]:
    """Leaves out the tables that a measurement of zero moves: `ns/op`, `sec/op`, `MB/s`, `B/s`."""
    moved = re.compile(r"(?m)(?:^,|│ +|^ +)(?:ns/op|sec/op|MB/s|B/s)\b")
    return [table for table in tables if not moved.search(table[1])]


def with_unequal_tests_masked(text: str) -> list[str]:
    """The words of every line but the outcome of exact tests between samples of unequal size, and the rules.

    Only these can be touched by the original's mistake with ties: larger samples get the normal approximation.
    """

    def mask(match: re.Match[str]) -> str:
        return "<test>" if max(int(match[1]), int(match[2])) <= 25 else match[0]

    test = re.compile(
        r"(?:~|\?|[+-]?[\d.]+%)[ ,]*\(?(?:p=[\d.]+ )?n=(\d+)\+(\d+)\)?(?: +[¹²³⁴⁵⁶⁷⁸⁹]+)?(?![\d+])"
    )
    return [" ".join(test.sub(mask, line).replace("│", " ").split()) for line in text.splitlines()]
