"""Two commits of a history compared, as benchstat compares two files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.bench.compare.comparison import Options, compare_files
from conduit.bench.compare.table import format_text

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTEXT_KEYS = "commit,commit-date,run-date,dependencies,load,modified,reference,benchmarks,imported-from"
"""What differs between two runs of a history and says nothing about which of their results are comparable."""


def write_commits(folder: Path, commits: Iterable[tuple[str, Iterable[str]]]) -> list[str]:
    """Write the texts of each commit's runs to a file; return the arguments of benchstat, `NAME=FILE`."""
    arguments = []
    for number, (name, texts) in enumerate(commits):
        path = folder / f"{number}.txt"
        path.write_text("\n".join(texts), encoding="utf-8", errors="surrogateescape")
        arguments.append(f"{name}={path}")
    return arguments


def comparison_text(old: tuple[str, Iterable[str]], new: tuple[str, Iterable[str]]) -> str:
    """Return benchstat's table of two commits, each a name and the texts of its runs; empty without a result."""
    with tempfile.TemporaryDirectory(prefix="conduit-history-") as folder:
        files = write_commits(Path(folder), (old, new))
        comparison = compare_files(files, Options(ignore=CONTEXT_KEYS))
    return format_text(comparison) if comparison.tables else ""
