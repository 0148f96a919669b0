"""Folders that a killed process leaves, and the next one removes."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from conduit.bench.against import environments
from conduit.bench.against.environments import CheckoutError
from conduit.bench.against.held_folders import held_folder, is_abandoned
from conduit.bench.against.worktree import worktree_of

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    words = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def test_a_folder_is_abandoned_once_its_holder_has_left_it(tmp_path: Path) -> None:
    with held_folder("conduit-", tmp_path) as folder:
        assert not is_abandoned(folder)
    assert not folder.exists()
    folder.mkdir()  # as a killed process leaves it
    assert is_abandoned(folder)


def test_a_worktree_that_a_killed_process_left_is_removed_by_the_next(
    repository: Path, tmp_path: Path
) -> None:
    left = tmp_path / "temporary" / "conduit-worktree-left" / "repository"
    git(repository, "worktree", "add", "--detach", "--quiet", str(left))
    with worktree_of(repository, "HEAD") as tree:
        assert tree.is_dir()
        assert not left.parent.exists()
        assert len(list((repository / ".git" / "worktrees").iterdir())) == 1
        with worktree_of(repository, "HEAD"):
            assert tree.is_dir()  # held: it is not taken for one that was left
    assert not (repository / ".git" / "worktrees").exists()


def test_a_worktree_whose_folder_is_gone_is_forgotten_by_git(repository: Path, tmp_path: Path) -> None:
    left = tmp_path / "temporary" / "conduit-worktree-left"
    git(repository, "worktree", "add", "--detach", "--quiet", str(left / "repository"))
    left.rename(tmp_path / "elsewhere")
    with worktree_of(repository, "HEAD"):
        assert "conduit-worktree-left" not in git(repository, "worktree", "list")


def test_half_an_environment_that_a_killed_process_left_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "cache_folder", lambda: tmp_path)
    kept = tmp_path / "environments"
    names = ("a.unfinished-old", "a.unfinished-new", "whole")
    for name in names:
        (kept / name).mkdir(parents=True)
    os.utime(kept / "a.unfinished-old", (0, 0))

    def fail(*_: object) -> str:
        raise CheckoutError("no environment here")

    monkeypatch.setattr(environments, "_run", fail)
    tree = tmp_path / "tree"
    tree.mkdir()
    with pytest.raises(CheckoutError):
        environments.installed_environment(tree, "key", print)
    assert sorted(path.name for path in kept.iterdir()) == ["a.unfinished-new", "whole"]
