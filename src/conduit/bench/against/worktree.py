"""The old side of a comparison: a checkout of another revision, and its environment.

A revision is checked out with `git worktree add --detach` into a temporary folder, without hooks, and removed
afterwards; the user's checkout and index are only read. Its environment is built once and kept (see `environments`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from conduit.bench.against.environments import CheckoutError, installed_environment, needs_environment
from conduit.bench.against.held_folders import held_folder, is_abandoned
from conduit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Environment = Literal["own", "shared"]


_HOLDER = "conduit-worktree-"


class Checkout(NamedTuple):
    """A folder with code, its interpreter, and the folders to put before that interpreter's path.

    `is_temporary`: the folder was made for this comparison and may be changed. `stands_for` is the working copy that it
    is another revision of: a folder of that one in PYTHONPATH means the same folder here.
    """

    name: str
    root: Path
    python: str
    import_from: tuple[str, ...]
    is_temporary: bool = False
    stands_for: Path | None = None

    def python_path(self, given: str) -> str:
        """Return PYTHONPATH for this checkout, from that of the working copy's environment."""
        if self.stands_for is None:
            return given
        working_copy = self.stands_for.resolve()
        moved = []
        for entry in given.split(os.pathsep):
            folder = Path(entry).resolve()
            is_inside = bool(entry) and folder.is_relative_to(working_copy)
            moved.append(str(self.root / folder.relative_to(working_copy)) if is_inside else entry)
        return os.pathsep.join(moved)


def benchmark_file(checkout: Checkout, name: str) -> Path:
    """Return the file of a benchmark that is known by its package and name, as in `folder/bench_file:Name/sub`."""
    return checkout.root / f"{name.partition(':')[0]}.py"


def git_environment() -> dict[str, str]:
    """Return the environment for git in a folder: without optional locks, questions, and what a hook has set."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    # A hook that called us has set these for its own repository.
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"):
        environment.pop(name, None)
    return environment


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder without taking optional locks; return what it printed. Raises `CheckoutError`."""
    environment = git_environment()
    command = ["git", "-c", "core.hooksPath=/dev/null", "-C", str(folder), *arguments]
    try:
        run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    except FileNotFoundError:
        raise CheckoutError("git is not installed, and --against REV needs it; give a path instead") from None
    if run.returncode:
        said = run.stderr.strip().splitlines()
        raise CheckoutError(f"git {arguments[0]}: {said[-1] if said else f'exit status {run.returncode}'}")
    return run.stdout


def repository_root(folder: Path) -> Path:
    """Return the top of the git checkout around a folder. Raise `UsageError` where there is none."""
    try:
        return Path(git(folder, "rev-parse", "--show-toplevel").rstrip("\n"))
    except CheckoutError as error:
        raise UsageError(f"--against REV needs a git checkout around {folder}: {error}") from None


def resolve_revision(root: Path, revision: str) -> str:
    """Return the full commit id of a revision. Raise `UsageError` for one that git does not know."""
    try:
        return git(
            root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        ).strip()
    except CheckoutError:
        raise UsageError(
            f"--against {revision}: there is no such revision in {root}, and no such folder "
            "(a branch of a remote has to be fetched first)"
        ) from None


def dirty_submodules(root: Path) -> list[str]:
    """Return the submodules whose content is not the recorded commit: the new side has it, a revision cannot."""
    if not (root / ".gitmodules").is_file():
        return []
    lines = git(root, "submodule", "status", "--recursive").splitlines()
    moved = {line[1:].split()[1] for line in lines if line[:1] in "+U"}
    changed = git(root, "status", "--porcelain=v2", "--ignore-submodules=none").splitlines()
    modified = {
        line.split(" ", 8)[8] for line in changed if line.startswith("1 ") and line.split(" ")[2][0] == "S"
    }
    return sorted(moved | modified)


@contextmanager
def revision_checked_out(
    root: Path, revision: str, commit: str, environment: Environment, notify: Callable[[str], None]
) -> Iterator[Checkout]:
    """Lend a checkout of a commit; gone when the block is left, however it is left. Raises `CheckoutError`.

    `notify` is told what could not be done as it should be.
    """
    with worktree_of(root, commit) as tree:
        checkout = _checkout(f"{revision} ({commit[:10]})", tree, commit, environment, notify)
        yield checkout._replace(stands_for=root)


@contextmanager
def worktree_of(root: Path, commit: str) -> Iterator[Path]:
    """Lend a worktree of a commit in a temporary folder. Raises `CheckoutError`.

    Worktrees that killed processes have left in this repository are removed first.
    """
    _remove_stale_worktrees(root)
    with held_folder(_HOLDER) as holder:
        tree = holder / root.name
        try:
            git(root, "worktree", "add", "--detach", "--quiet", str(tree), commit)
            _update_submodules(tree)
            yield tree
        finally:
            _remove_worktree(root, tree)


def _remove_stale_worktrees(root: Path) -> None:
    for line in git(root, "worktree", "list", "--porcelain").splitlines():
        tree = Path(line.removeprefix("worktree "))
        if (
            line.startswith("worktree ")
            and tree.parent.name.startswith(_HOLDER)
            and is_abandoned(tree.parent)
        ):
            _remove_worktree(root, tree)
            shutil.rmtree(tree.parent, ignore_errors=True)


def switch_worktree(tree: Path, commit: str) -> None:
    """Make a temporary worktree that of another commit; everything else in it goes. Raises `CheckoutError`."""
    git(tree, "checkout", "--detach", "--force", "--quiet", commit)
    git(tree, "clean", "--quiet", "-ffdx")
    _update_submodules(tree)


def _update_submodules(tree: Path) -> None:
    if (tree / ".gitmodules").is_file():
        git(tree, "submodule", "update", "--init", "--recursive", "--force", "--quiet")


def _remove_worktree(root: Path, tree: Path) -> None:
    # Even after half an `add`, git knows the worktree by its path, or does not know it and has nothing to forget.
    try:
        git(root, "worktree", "remove", "--force", "--force", str(tree))
    except CheckoutError:
        shutil.rmtree(tree, ignore_errors=True)
        git(root, "worktree", "prune")


def folder_as_checkout(folder: Path, environment: Environment) -> Checkout:
    """Return a checkout that exists already: it is left as it is, and runs in its own `.venv` where it has one."""
    python = folder / ".venv" / "bin" / "python"
    if environment == "own" and python.exists():
        return Checkout(str(folder), folder, str(python), (str(folder),))
    return Checkout(str(folder), folder, sys.executable, source_folders(folder))


def current_checkout(root: Path) -> Checkout:
    """Return the side of the caller: this interpreter, with the checkout's sources before everything installed."""
    return Checkout("working copy", root, sys.executable, source_folders(root))


def source_folders(root: Path) -> tuple[str, ...]:
    """Return the folders to put on the path so that a checkout's own packages are imported without an installation."""
    source = root / "src"
    return (str(source), str(root)) if source.is_dir() else (str(root),)


def _checkout(
    name: str, tree: Path, commit: str, environment: Environment, notify: Callable[[str], None]
) -> Checkout:
    if environment == "shared" or not needs_environment(tree):
        return Checkout(name, tree, sys.executable, source_folders(tree), True)
    try:
        folder = installed_environment(tree, commit[:16], notify)
    except CheckoutError as error:
        raise CheckoutError(
            f"{error}\n(--against-env=shared runs the revision's sources in this environment instead)"
        ) from None
    return Checkout(name, tree, str(folder / "bin" / "python"), (), True)
