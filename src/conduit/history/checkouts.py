"""Commits of a repository, checked out one after the other, with the working copy's benchmark files in each."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.against.environments import CheckoutError, environment_for, needs_environment
from conduit.bench.against.overlay import copy_into_worktree
from conduit.bench.against.worktree import Checkout, git, source_folders, switch_worktree, worktree_of
from conduit.errors import UsageError
from conduit.history.culprit import CannotMeasureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from conduit.bench.against.worktree import Environment


class Commit(NamedTuple):
    """A commit: its full id, its date (ISO 8601), and the first line of its message."""

    id: str
    date: str
    author: str
    subject: str


class CommitWorktree:
    """A worktree that becomes any commit's, and the dependency digest of the one that it is."""

    def __init__(
        self,
        root: Path,
        tree: Path,
        files: Sequence[Path],
        environment: Environment,
        notify: Callable[[str], None],
    ) -> None:
        self._root = root
        self._tree = tree
        self._files = files
        self._environment = environment
        self._notify = notify
        self._commit = ""
        self._checkout: Checkout | None = None
        self.dependencies = ""

    def at(self, commit: str) -> Checkout:
        """Return a checkout of the commit. Raises `CannotMeasureError` if it cannot be checked out or installed."""
        if self._checkout is not None and commit == self._commit:
            return self._checkout
        self._checkout, self._commit = None, commit
        try:
            switch_worktree(self._tree, commit)
            python = self._python()
            copy_into_worktree(self._root, self._tree, self._files)
        except CheckoutError as error:
            raise CannotMeasureError(str(error)) from None
        self._checkout = Checkout(commit[:10], self._tree, python, source_folders(self._tree), True)
        return self._checkout

    def _python(self) -> str:
        self.dependencies = ""
        if self._environment == "shared" or not needs_environment(self._tree):
            return sys.executable
        folder, self.dependencies = environment_for(self._tree, self._notify)
        return str(folder / "bin" / "python")


@contextmanager
def commit_worktree(
    root: Path,
    commit: str,
    files: Sequence[Path],
    environment: Environment,
    notify: Callable[[str], None],
) -> Iterator[CommitWorktree]:
    """Lend a worktree for commits of the repository at `root`; `files` are benchmark files, relative to it."""
    with worktree_of(root, commit) as tree:
        yield CommitWorktree(root, tree, files, environment, notify)


def read_range(root: Path, text: str) -> tuple[str, str]:
    """Return the two revisions of `GOOD..BAD`; the second is HEAD where it is left out. Raises `UsageError`."""
    first, dots, last = text.partition("..")
    if not dots or not first or last.startswith("."):
        raise UsageError(f"expected a range GOOD..BAD, such as v1.0..main, found {text!r}")
    return first, last or "HEAD"


def commits_between(root: Path, first: str, last: str) -> list[Commit]:
    """Return the commits from `first` to `last`, both included, oldest first.

    Where `first` lies on the line of first parents of `last`, it is that line: a merge stands for all that it brought.
    Raises `UsageError` for revisions that git does not know or that do not follow each other.
    """
    ends = [_resolve(root, revision) for revision in (first, last)]
    if ends[0] == ends[1]:
        raise UsageError(f"{first} and {last} are the same commit, {ends[0][:10]}")
    listed = _log(root, "--first-parent", *ends)
    if not listed or not _follows(root, ends[0], listed[0].id):
        listed = _log(root, "--ancestry-path", *ends)
    if not listed:
        raise UsageError(f"{last} does not descend from {first}: expected the older revision first")
    return [commit_of(root, ends[0]), *listed]


def commit_of(root: Path, revision: str) -> Commit:
    """Return one commit. Raises `UsageError`."""
    return _parsed(git(root, "log", "-1", f"--format={_FORMAT}", _resolve(root, revision)))[0]


_FORMAT = "%H%x00%cI%x00%an%x00%s"


def _log(root: Path, kind: str, first: str, last: str) -> list[Commit]:
    return _parsed(
        git(root, "log", "--reverse", "--topo-order", kind, f"--format={_FORMAT}", f"{first}..{last}")
    )


def _parsed(text: str) -> list[Commit]:
    return [Commit(*line.split("\0", 3)) for line in text.splitlines() if line.count("\0") >= 3]


def _follows(root: Path, parent: str, child: str) -> bool:
    parents = git(root, "rev-list", "--parents", "-1", child).split()
    return parents[1:2] == [parent]


def _resolve(root: Path, revision: str) -> str:
    try:
        return git(
            root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        ).strip()
    except CheckoutError:
        raise UsageError(f"there is no revision {revision} in {root}") from None
