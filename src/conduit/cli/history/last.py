"""`conduit history last`: the newest commit of a branch that was measured on this class of machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.cli.history.stored import read_store
from conduit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conduit.cli.flags import Parsed
    from conduit.history.series import Run

_COMPARED = ("goos", "goarch", "cpu")


def last(parsed: Parsed, revision: str = "HEAD") -> int:
    """Print the full id of the newest commit up to a revision that has a run from this class of machine."""
    from conduit.bench.run.machine import config_lines
    from conduit.history.store import NOTES, git_line

    here = Path.cwd()
    ancestors = git_line(here, "rev-list", "--first-parent", "--end-of-options", revision).split()
    if not ancestors:
        raise UsageError(f"there is no revision {revision} in {here}")
    machine = dict(line.split(": ", 1) for line in config_lines(""))
    has_store = parsed["store"] == NOTES or (here / parsed["store"]).is_dir()
    measured = _commits_of(read_store(parsed, quiet=True).runs, machine) if has_store else set()
    found = next((commit for commit in ancestors if commit in measured), "")
    if not found:
        words = " ".join(filter(None, [machine.get("cpu"), f"Python {machine['python']}"]))
        print(
            f"conduit history: no commit up to {revision} has a run from {words}: it is {revision} itself then",
            file=sys.stderr,
        )
    print(found or ancestors[0])
    return 0


def _commits_of(runs: Iterable[Run], machine: dict[str, str]) -> set[str]:
    return {run.commit for run in runs if not run.is_modified and _is_same_class(run, machine)}


def _is_same_class(run: Run, machine: dict[str, str]) -> bool:
    get = run.configuration.get
    same = all(get(key, "") == machine.get(key, "") for key in _COMPARED)
    return same and get("python", "").split(".")[:2] == machine["python"].split(".")[:2]
