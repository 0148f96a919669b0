"""Small git repositories with a benchmark whose cost the test decides for each commit."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BENCHMARK = """
import shop

def bench_total(b):
    for _ in b:
        shop.total()
"""
BROKEN = -1
"""In place of a cost: the module cannot be imported at this commit."""


def git(folder: Path, *arguments: str) -> str:
    """What git prints in a folder."""
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def make_repository(folder: Path, costs: Iterable[int]) -> list[str]:
    """A repository with a commit for each cost, which is how many numbers an operation adds; the commits' ids."""
    (folder / "benchmarks").mkdir(parents=True)
    (folder / "benchmarks" / "bench_shop.py").write_text(BENCHMARK)
    git(folder, "init", "--quiet")
    commits = []
    for number, cost in enumerate(costs):
        broken = "import nothing_of_this_name\n" if cost == BROKEN else ""
        (folder / "shop.py").write_text(
            f"{broken}NUMBER = {number}\n\ndef total():\n    return sum([i * 3 % 7 for i in range({cost})])\n"
        )
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", f"change {number}")
        commits.append(git(folder, "rev-parse", "HEAD"))
    return commits
