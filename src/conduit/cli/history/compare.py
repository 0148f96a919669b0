"""`conduit history compare`: two commits, as benchstat compares two files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conduit.cli.history.stored import read_store
from conduit.errors import UsageError

if TYPE_CHECKING:
    from conduit.cli.flags import Parsed
    from conduit.history.series import History, Run


def compare(parsed: Parsed, old: str = "", new: str = "") -> int:
    """Print benchstat's table of two commits."""
    import tempfile

    from conduit.cli.benchstat import run as run_benchstat
    from conduit.history.compared import CONTEXT_KEYS, write_commits

    if not new:
        raise UsageError("expected two commits: conduit history compare OLD NEW")
    history = read_store(parsed)
    commits = [(revision, texts_of(parsed, history, revision)) for revision in (old, new)]
    with tempfile.TemporaryDirectory(prefix="conduit-history-") as folder:
        files = write_commits(Path(folder), commits)
        return run_benchstat([f"-ignore={CONTEXT_KEYS}", f"-format={parsed['format']}", *files])


def texts_of(parsed: Parsed, history: History, revision: str) -> list[str]:
    """Return the texts of a commit's runs. Raises `UsageError` for a commit without any, or an ambiguous one."""
    from conduit.history.store import StoredRun, open_store

    names = {run.name for run in _runs_of(history, revision)}
    stored = open_store(parsed["store"], Path.cwd()).runs()
    return [run.text for run in stored if isinstance(run, StoredRun) and run.name in names]


def _runs_of(history: History, revision: str) -> list[Run]:
    """Return the runs of a commit, given by any revision that git knows or by the beginning of its id."""
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
