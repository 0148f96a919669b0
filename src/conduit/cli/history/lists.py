"""`conduit history list` and `prune`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.cli.history.stored import SHORT_COMMIT, read_store
from conduit.errors import UsageError

if TYPE_CHECKING:
    from conduit.cli.flags import Parsed
    from conduit.history.series import Run


def list_runs(parsed: Parsed) -> int:
    """Print the runs, as a table or as JSON."""
    history = read_store(parsed)
    if parsed["format"] == "json":
        print(json.dumps({"version": 1, "runs": [_run_object(run) for run in history.runs]}, indent=2))
        return 0
    from conduit.cli.tables import standard_page

    rows = [_run_cells(run) for run in history.runs]
    rows += [
        [gap.date, gap.commit[:SHORT_COMMIT], "", "", "", "none: a gap", gap.run] for gap in history.gaps
    ]
    standard_page().table(
        ["commit date", "commit", "python", "machine", "load", "results", "run"], rows, keep="run"
    )
    return 0


def _run_object(run: Run) -> dict[str, object]:
    return {"name": run.name, "configuration": dict(run.configuration), "results": len(run.results)}


def _run_cells(run: Run) -> list[str]:
    get = run.configuration.get
    commit = run.commit[:SHORT_COMMIT] + (" modified" if run.is_modified else "")
    date = get("commit-date", "")[:19]
    return [date, commit, get("python", ""), get("cpu", ""), get("load", ""), str(len(run.results)), run.name]


def prune(parsed: Parsed) -> int:
    """Remove runs, and print their names."""
    from conduit.history.store import open_store

    if parsed["keep"] is None and parsed["before"] is None:
        raise UsageError("say what to remove: -keep N, -before YYYY-MM-DD, or both")
    history = read_store(parsed)
    names = _prunable(history.runs, parsed["keep"], parsed["before"] or "")
    for name in names:
        print(name)
    if not parsed["n"]:
        open_store(parsed["store"], Path.cwd()).remove(names)
    print(f"{len(names)} of {len(history.runs)} runs {'would be ' * parsed['n']}removed", file=sys.stderr)
    return 0


def _prunable(runs: tuple[Run, ...], keep: int | None, before: str) -> list[str]:
    of_commit: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.configuration.get("run-date", ""), reverse=True):
        of_commit.setdefault(run.commit, []).append(run)
    surplus = (
        {run.name for found in of_commit.values() for run in found[keep:]} if keep is not None else set()
    )
    old = {run.name for run in runs if before and run.configuration.get("commit-date", before)[:10] < before}
    return sorted(surplus | old)
