"""`conduit history compare`: two commits, as benchstat compares two files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conduit.cli.history.stored import read_store
from conduit.errors import UsageError

if TYPE_CHECKING:
    from conduit.cli.flags import Parsed
    from conduit.history.series import History, Run

# What differs between two runs of a history and says nothing about which of their results are comparable.
_CONTEXT_KEYS = "commit,commit-date,run-date,dependencies,load,modified"


def compare(parsed: Parsed, old: str = "", new: str = "") -> int:
    """Print benchstat's table of two commits."""
    import tempfile

    from conduit.cli.benchstat import run as run_benchstat
    from conduit.history.store import StoredRun, open_store

    if not new:
        raise UsageError("expected two commits: conduit history compare OLD NEW")
    history = read_store(parsed)
    texts = {
        run.name: run.text
        for run in open_store(parsed["store"], Path.cwd()).runs()
        if isinstance(run, StoredRun)
    }
    with tempfile.TemporaryDirectory(prefix="conduit-history-") as folder:
        files = []
        for number, revision in enumerate((old, new)):
            path = Path(folder) / f"{number}.txt"
            runs = _runs_of(history, revision)
            path.write_text(
                "\n".join(texts[run.name] for run in runs), encoding="utf-8", errors="surrogateescape"
            )
            files.append(f"{revision}={path}")
        return run_benchstat([f"-ignore={_CONTEXT_KEYS}", f"-format={parsed['format']}", *files])


def _runs_of(history: History, revision: str) -> list[Run]:
    """The runs of a commit, given by any revision that git knows or by the beginning of its id."""
    from conduit.history.store import git_line

    commit = git_line(
        Path.cwd(), "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
    )
    runs = [run for run in history.runs if run.commit.startswith(commit or revision) and not run.is_modified]
    commits = sorted({run.commit for run in runs})
    if not commits:
        raise UsageError(
            f"no run of {revision} is kept; `conduit history list` prints the commits that have one"
        )
    if len(commits) > 1:
        raise UsageError(f"{revision} is ambiguous: it begins {', '.join(one[:12] for one in commits[:4])}")
    return runs
