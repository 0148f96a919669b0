"""The stores: what is saved is read again, two writers lose nothing, and damage costs only itself."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from conduit.history.series import read_history
from conduit.history.store import (
    FolderStore,
    NotesStore,
    StoredRun,
    StoreError,
    context_lines,
    dependency_digest,
)

RUN = "commit: {commit}\ncommit-date: {date}\ngoos: linux\npython: 3.13.{patch}\npkg: shop\nBenchmarkTotal-2 1000 {ns} ns/op\n"


def run_text(
    commit: str = "a" * 40, date: str = "2026-01-01T00:00:00Z", ns: float = 100, patch: int = 0
) -> str:
    return RUN.format(commit=commit, date=date, ns=ns, patch=patch)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    for number in range(3):
        (tmp_path / "file").write_text(str(number))
        git(tmp_path, "add", "file")
        git(tmp_path, "commit", "--quiet", "-m", str(number))
    git(tmp_path, "config", "user.name", "n")
    git(tmp_path, "config", "user.email", "n@example.org")
    return tmp_path


def test_only_points_whose_runs_all_name_a_reference_are_known_to_be_independent() -> None:
    def is_paired(*texts: str) -> bool:
        runs = [StoredRun(str(number), text) for number, text in enumerate(texts)]
        (series,) = read_history(runs).series
        return series.is_paired

    filled = f"reference: {'b' * 40}\n{run_text()}"
    assert is_paired(filled, filled.replace("a" * 40, "c" * 40))
    assert not is_paired(run_text())
    assert not is_paired(filled, run_text(commit="c" * 40))
    assert not is_paired(filled, run_text())


def test_a_run_in_a_folder_is_a_file_that_any_reader_of_benchmark_text_reads(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "new" / "folder")
    name = store.save(run_text(), "a" * 40)
    assert Path(name).read_text() == run_text()
    assert list(store.runs()) == [StoredRun(name, run_text())]


def test_writers_at_the_same_time_lose_nothing_in_a_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda ns: FolderStore(tmp_path).save(run_text(ns=ns), "a" * 40), range(100)))
    assert len(list(FolderStore(tmp_path).runs())) == 100


def test_writers_at_the_same_time_lose_nothing_in_notes(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda ns: NotesStore(repository).save(run_text(commit, ns=ns), commit), range(12)))
    history = read_history(NotesStore(repository).runs())
    (series,) = history.series
    assert series.points[0].measurements == 12
    assert not history.warnings


def test_notes_survive_a_clone_that_fetches_their_ref(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    NotesStore(repository).save(run_text(commit), commit)
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "clone", "--quiet", str(repository), "copy")
    git(clone / "copy", "fetch", "--quiet", "origin", "refs/notes/*:refs/notes/*")
    assert [run.text.strip() for run in NotesStore(clone / "copy").runs() if isinstance(run, StoredRun)] == [
        run_text(commit).strip()
    ]


def test_a_note_loses_the_removed_run_only_and_goes_with_its_last(repository: Path) -> None:
    store, commit = NotesStore(repository), git(repository, "rev-parse", "HEAD")
    first, second = store.save(run_text(commit, ns=1), commit), store.save(run_text(commit, ns=2), commit)
    store.remove([first])
    assert [run.name for run in store.runs() if isinstance(run, StoredRun)] == [second]
    store.remove([second])
    assert list(store.runs()) == []


def test_a_note_needs_a_commit(repository: Path) -> None:
    with pytest.raises(StoreError, match="belong to commits"):
        NotesStore(repository).save(run_text(), "")


def test_damaged_and_foreign_files_are_named_and_passed_over(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.save(run_text(), "a" * 40)
    (tmp_path / "binary.txt").write_bytes(b"Benchmark\0\0")
    (tmp_path / "letter.txt").write_text("Dear reader,\n")
    (tmp_path / "half.txt").write_text(run_text() + "BenchmarkOther-2 10")
    history = read_history(store.runs())
    assert len(history.runs) == 2
    said = "\n".join(history.warnings)
    assert "binary.txt: binary data" in said
    assert "letter.txt: no benchmark results" in said
    assert "half.txt:7: missing measurements" in said


def test_runs_of_a_modified_working_copy_and_of_no_commit_are_no_points(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.save("modified: true\n" + run_text(), "a" * 40)
    store.save(run_text().partition("\n")[2], "")
    history = read_history(store.runs())
    assert (len(history.runs), history.series) == (2, ())
    assert len(history.warnings) == 2


def test_machines_and_minor_versions_of_python_are_series_of_their_own_and_point_releases_are_not(
    tmp_path: Path,
) -> None:
    store = FolderStore(tmp_path)
    store.save(run_text("a" * 40, patch=0), "a" * 40)
    store.save(run_text("b" * 40, "2026-01-02T00:00:00Z", patch=5), "b" * 40)
    store.save(run_text("b" * 40).replace("3.13.0", "3.14.0"), "b" * 40)
    store.save(run_text("b" * 40).replace("linux", "darwin"), "b" * 40)
    history = read_history(store.runs())
    assert [(one.key.machine, one.key.python, len(one.points)) for one in history.series] == [
        ("darwin", "3.13", 1),
        ("linux", "3.13", 2),
        ("linux", "3.14", 1),
    ]


def test_points_are_in_the_order_of_the_repository_and_without_one_by_date(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.save(run_text("a" * 40, "2026-01-02T01:00:00+02:00"), "a" * 40)  # 23:00 on the first in UTC
    store.save(run_text("b" * 40, "2026-01-02T00:00:00Z"), "b" * 40)
    by_date = read_history(store.runs()).series[0]
    assert [point.commit[0] for point in by_date.points] == ["a", "b"]
    assert by_date.points[0].date == "2026-01-01T23:00:00Z"
    by_order = read_history(store.runs(), ["b" * 40, "a" * 40]).series[0]
    assert [point.commit[0] for point in by_order.points] == ["b", "a"]


def test_the_context_of_a_run_names_commit_date_and_packages(repository: Path) -> None:
    commit, lines = context_lines(repository)
    assert commit == git(repository, "rev-parse", "HEAD")
    assert f"commit: {commit}" in lines
    assert f"dependencies: {dependency_digest()}" in lines
    assert "modified: true" not in lines
    (repository / "file").write_text("changed")
    assert "modified: true" in context_lines(repository)[1]


def test_outside_of_a_repository_a_run_has_no_commit(tmp_path: Path) -> None:
    commit, lines = context_lines(tmp_path)
    assert commit == ""
    assert not [line for line in lines if line.startswith("commit")]


def test_inside_of_another_repositorys_hook_a_run_names_its_own_folders_commit(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "--quiet")
    own = git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert context_lines(repository)[0] == own
    NotesStore(repository).save(run_text(own), own)
    assert len(list(NotesStore(repository).runs())) == 1


def test_the_stamp_of_a_store_changes_with_its_runs(repository: Path, tmp_path: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    for store in (FolderStore(tmp_path / "runs"), NotesStore(repository)):
        stamps = [store.stamp()]
        for ns in (1, 2):
            store.save(run_text(commit, ns=ns), commit)
            stamps.append(store.stamp())
        assert stamps[-1] == store.stamp()
        store.remove([run.name for run in store.runs() if isinstance(run, StoredRun)][:1])
        stamps.append(store.stamp())
        assert all(before != after for before, after in pairwise(stamps))
