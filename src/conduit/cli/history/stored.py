"""The runs of a store as every subcommand reads them, and the choice among their series."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.cli.flags import Parsed
    from conduit.history.series import History, Series

SHORT_COMMIT = 10


def read_store(parsed: Parsed, *, quiet: bool = False) -> History:
    """Read the store that a command line names; warnings go to standard error, unless `quiet`. Raises `UsageError`."""
    from conduit.history.series import read_history
    from conduit.history.store import NOTES, open_store

    where, here = parsed["store"], Path.cwd()
    if where != NOTES and not (here / where).is_dir():
        raise UsageError(
            f"there is no folder {where} with runs; `conduit bench -save` makes it, -store names another"
        )
    history = read_history(open_store(where, here).runs(), _commit_order(here))
    for warning in () if quiet else history.warnings:
        print(f"conduit history: {warning}", file=sys.stderr)
    return history


def _commit_order(folder: Path) -> list[str]:
    """Return all commits of the repository, oldest first; none outside of a repository."""
    from conduit.history.store import git_line

    return git_line(folder, "rev-list", "--topo-order", "--reverse", "--all").split()


def commit_subjects(folder: Path) -> dict[str, str]:
    """Return the first line of every commit's message; none outside of a repository."""
    from conduit.history.store import git_line

    lines = git_line(folder, "log", "--all", "--format=%H %s").splitlines()
    return {commit: subject for commit, _, subject in (line.partition(" ") for line in lines)}


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return whether a name matches a pattern. Raises `UsageError`."""
    from conduit.regexps import PatternError, compile_pattern

    try:
        return compile_pattern(pattern).matches if pattern else lambda _: True
    except PatternError as error:
        raise UsageError(f"invalid REGEX {pattern!r}: {error}") from None


def chosen_series(
    series: tuple[Series, ...], unit: str | None, matches: Callable[[str], bool]
) -> list[Series]:
    """Return the series of a unit whose benchmark matches. Raises `UsageError` where none is left."""
    chosen = [one for one in series if matches(one.key.benchmark) and unit in (None, one.key.unit)]
    if series and not chosen:
        units = sorted({one.key.unit for one in series})
        raise UsageError(f"no series is left; there are {len(series)}, in the units {', '.join(units)}")
    return chosen
