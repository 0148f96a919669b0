"""The goldens of `go tool pprof`, replayed in this process; and the cases where the original counts wrongly."""

from __future__ import annotations

import difflib
import gzip
import io
import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from conduit.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable


class Outcome(NamedTuple):
    status: int
    stdout: str
    stderr: str


class Case(NamedTuple):
    id: int
    group: str
    arguments: list[str]
    stdin: str
    expected: Outcome


def read_cases(folder: Path) -> list[Case]:
    """The cases of a folder with `cases.jsonl` or `cases.jsonl.gz`."""
    packed = folder / "cases.jsonl.gz"
    text = (
        gzip.decompress(packed.read_bytes()).decode()
        if packed.exists()
        else (folder / "cases.jsonl").read_text(encoding="utf-8")
    )
    rows = [json.loads(line) for line in text.splitlines()]
    return [
        Case(
            row["id"],
            row["group"],
            row["args"],
            row["stdin"],
            Outcome(row["rc"], row["stdout"], row["stderr"]),
        )
        for row in rows
    ]


def is_printable_here(case: Case) -> bool:
    """Whether this machine has the source files of Debian's Python 3.11 that the original showed in its listing."""
    shown = re.findall(r" in (/usr/lib/python3\.11/\S+)$", case.expected.stdout, flags=re.M)
    return all(Path(path).exists() for path in shown)


def prepare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory and the environment that the goldens were printed in; the zone is set back by `restore_zone`."""
    monkeypatch.chdir(folder)
    for name, value in (("TZ", "UTC"), ("HOME", "/nonexistent-home"), ("PPROF_BINARY_PATH", "/nonexistent")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PPROF_TMPDIR", raising=False)
    time.tzset()


def replay(case: Case, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """What `conduit pprof` answers to a case."""
    raw, errors = io.BytesIO(), io.StringIO()
    output = io.TextIOWrapper(raw, encoding="utf-8", errors="surrogateescape", write_through=True)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        patch.setattr(sys, "stderr", errors)
        patch.setattr(sys, "stdin", io.StringIO(case.stdin))
        status = main(["pprof", *case.arguments])
    output.flush()
    return Outcome(status, raw.getvalue().decode("utf-8", "surrogateescape"), errors.getvalue())


def _once_per_sample(text: str) -> str:
    """Row "recursive functions": the cum in a listing's header."""
    return re.sub(
        r"^( *\S+) +\S+ \(flat, cum\) +[\d.e-]+% of Total$", r"\1 CUM (flat, cum)", text, flags=re.M
    )


def _rows_by_file(text: str) -> str:
    """Row "-files": which rows there are; how much they and those that were dropped weigh follows from it."""
    lines = [line for line in text.splitlines() if not line.startswith(("Dropped ", "Showing "))]
    head = [line for line in lines if not re.search(r"%  ?\S*/|%  ?\S+\.\w+( \(\w+\))?$|\|   ", line)]
    names = {
        re.sub(r" \([\w-]+\)$", "", line.split()[-1]) if "(" not in line.split()[-1] else line.split()[-2]
        for line in lines
        if line not in head
    }
    return "\n".join([*head, *sorted(names)])


def _edges_without_amounts(text: str) -> str:
    """Row "-mean": the weights of edges."""
    return re.sub(r"^ {20,}[^|\n]*\|   ", "EDGE | ", text, flags=re.M)


def _options_without_type(text: str) -> str:
    """Row "shell `o`": the sample type shown as chosen."""
    return re.sub(r"^(  sample_index +=) \S+ +", r"\1 TYPE ", text, flags=re.M)


def departure(case: Case) -> Callable[[str], str] | None:
    """What a row of the known departures leaves of a text to compare; None for a case that none of them touches."""
    flags = {argument.partition("=")[0] for argument in case.arguments}
    commands = case.stdin.split("\n")
    if "-files" in flags:
        return _rows_by_file
    if flags & {"-mean", "-mean_delay"} and flags & {"-tree", "-peek"}:
        return _edges_without_amounts
    if "-list" in flags or any(line.startswith("list ") for line in commands):
        return _once_per_sample
    if "o" in commands:
        return _options_without_type
    return None


def disagreement(case: Case, got: Outcome) -> str:
    """Where an outcome differs from the original's, for people; empty where it does not."""
    if got == case.expected:
        return ""
    adjust = departure(case)
    sides = [(case.expected.stdout, got.stdout), (case.expected.stderr, got.stderr)]
    if adjust is not None:
        sides = [(adjust(wanted), adjust(found)) for wanted, found in sides]
    lines = (
        [f"status {got.status}, expected {case.expected.status}"]
        if got.status != case.expected.status
        else []
    )
    for wanted, found in sides:
        lines.extend(
            difflib.unified_diff(
                wanted.splitlines(), found.splitlines(), "original", "here", n=1, lineterm=""
            )
        )
    if not lines:
        return ""
    return "\n".join([f"case {case.id}: pprof {' '.join(case.arguments)}", *lines[:20]])
