"""`conduit history` and `conduit bench -save`, as real processes in real repositories."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., subprocess.CompletedProcess[str]]

BENCHMARK = """
import shop

def bench_total(b):
    for _ in b:
        shop.total()
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, objects: int) -> str:
    (folder / "shop.py").write_text(f"def total():\n    return [object() for _ in range({objects})]\n")
    git(folder, "add", "shop.py", "benchmarks")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", f"{objects} objects")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "bench_shop.py").write_text(BENCHMARK)
    (tmp_path / ".git" / "info").mkdir(parents=True)
    (tmp_path / ".git" / "info" / "exclude").write_text("__pycache__/\n")
    git(tmp_path, "init", "--quiet")
    return tmp_path


def test_saved_runs_show_the_commit_that_allocates_more(project: Path, conduit_command: Command) -> None:
    commits = []
    for objects in (10, 10, 200, 200):  # of another length, so that no stale bytecode of the same second fits
        commits.append(commit(project, objects))
        saved = conduit_command("bench", "-save", "-benchmem", "-benchtime=5x", cwd=project)
        assert saved.returncode == 0, saved.stderr
        assert "kept as .conduit/bench/" in saved.stderr
    document = json.loads(conduit_command("history", "show", "-format=json", cwd=project).stdout)
    (step,) = [step for step in document["steps"] if step["unit"] == "allocs/op"]
    assert (step["after_commit"], step["first_commit"]) == (commits[1], commits[2])
    assert step["direction"] == "worse"
    smallest = {series["unit"]: series["smallest_step"] for series in document["series"]}
    assert (smallest["allocs/op"], smallest["sec/op"]) == (0, None)  # any change; four points show none
    shown = conduit_command("history", "show", "-steps", "-unit=allocs/op", "Total", cwd=project)
    assert f"{commits[1][:10]}..{commits[2][:10]}" in shown.stdout
    assert "exact" in shown.stdout
    listed = conduit_command("history", "list", cwd=project).stdout.splitlines()
    assert [line.split()[1] for line in listed[1:]] == [one[:10] for one in commits]


def test_prune_says_what_it_would_remove_and_then_removes_it(project: Path, conduit_command: Command) -> None:
    commit(project, 1)
    for _ in range(3):
        conduit_command("bench", "-save=runs", "-benchtime=1x", cwd=project)
    assert len(list((project / "runs").iterdir())) == 3
    asked = conduit_command("history", "prune", "-store=runs", "-keep=1", "-n", cwd=project)
    assert asked.stderr == "2 of 3 runs would be removed\n"
    assert len(list((project / "runs").iterdir())) == 3
    done = conduit_command("history", "prune", "-store=runs", "-keep=1", cwd=project)
    assert done.stdout == asked.stdout
    assert len(list((project / "runs").iterdir())) == 1


def test_a_run_kept_as_a_note_is_listed_with_its_commit(project: Path, conduit_command: Command) -> None:
    first = commit(project, 1)
    git(project, "config", "user.name", "n")
    git(project, "config", "user.email", "n@example.org")
    saved = conduit_command("bench", "-save=notes", "-benchtime=1x", cwd=project)
    assert f"kept as note of {first}" in saved.stderr
    assert first[:10] in conduit_command("history", "list", "-store=notes", cwd=project).stdout
    assert git(project, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected list, show, compare, bisect, run, import, last or prune first, found nothing"),
        (["shwo"], "expected list, show, compare, bisect, run, import, last or prune first, found 'shwo'"),
        (["show"], "there is no folder .conduit/bench with runs"),
        (["show", "-store=here", "("], "invalid REGEX '('"),
        (["show", "-store=here", "-unit=B/s"], "no series is left; there are 1, in the units sec/op"),
        (["show", "-store=here", "-keep=1"], "-keep has no effect on `history show`"),
        (["prune", "-store=here"], "say what to remove"),
        (["prune", "-store=here", "-keep=0"], 'invalid value "0" for flag -keep'),
    ],
)
def test_a_wrong_call_says_what_was_found_and_exits_with_2(
    arguments: list[str], said: str, tmp_path: Path, conduit_command: Command
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.txt").write_text("commit: abc\nBenchmarkA 1 1 ns/op\n")
    answer = conduit_command("history", *arguments, cwd=tmp_path)
    assert answer.returncode == 2
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_damaged_file_is_named_and_the_rest_is_shown(tmp_path: Path, conduit_command: Command) -> None:
    folder = tmp_path / ".conduit" / "bench"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("commit: abc\nBenchmarkA 1 1 ns/op\n")
    (folder / "b.txt").write_bytes(bytes(100))
    answer = conduit_command("history", "show", cwd=tmp_path)
    assert answer.returncode == 0
    assert "b.txt: binary data" in answer.stderr
    assert "A" in answer.stdout


def test_two_commits_are_compared_as_benchstat_compares_two_files(
    tmp_path: Path, conduit_command: Command
) -> None:
    folder = tmp_path / ".conduit" / "bench"
    folder.mkdir(parents=True)
    for name, ns in (("abc1", 100), ("abd2", 150)):
        lines = "".join(f"BenchmarkA 10 {ns + extra} ns/op\n" for extra in range(5))
        context = f"commit: {name}\ncommit-date: 2026-01-01T00:00:00Z\nload: {ns}\n"
        (folder / f"{name}.txt").write_text(f"{context}pkg: shop\n{lines}")
    answer = conduit_command("history", "compare", "abc1", "abd2", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "+49.02% (p=0.008 n=5)" in answer.stdout
    ambiguous = conduit_command("history", "compare", "ab", "abd2", cwd=tmp_path)
    assert (ambiguous.returncode, "ab is ambiguous" in ambiguous.stderr) == (2, True)
    unknown = conduit_command("history", "compare", "abc1", "fff", cwd=tmp_path)
    assert (unknown.returncode, "no run of fff is kept" in unknown.stderr) == (2, True)


def test_runs_saved_and_runs_filled_in_are_compared_all_the_same(
    tmp_path: Path, conduit_command: Command
) -> None:
    folder = tmp_path / ".conduit" / "bench"
    folder.mkdir(parents=True)
    lines = "".join(f"BenchmarkA 10 {100 + extra} ns/op\n" for extra in range(5))
    (folder / "a.txt").write_text(f"commit: abc1\nload: 1\npkg: shop\n{lines}")
    (folder / "b.txt").write_text(f"commit: abd2\nreference: abc\nbenchmarks: 1\npkg: shop\n{lines}")
    answer = conduit_command("history", "compare", "abc1", "abd2", cwd=tmp_path)
    assert "~ (p=1.000 n=5)" in answer.stdout, answer.stdout + answer.stderr


def test_the_page_is_served_with_what_was_saved_since_and_with_benchstats_table(tmp_path: Path) -> None:
    folder = tmp_path / ".conduit" / "bench"
    folder.mkdir(parents=True)
    for name, ns in (("abc1", 100), ("abd2", 150)):
        lines = "".join(f"BenchmarkA 10 {ns + extra} ns/op\n" for extra in range(5))
        (folder / f"{name}.txt").write_text(f"commit: {name}\npkg: shop\n{lines}")
    process = subprocess.Popen(
        [sys.executable, "-m", "conduit", "history", "-http=:0", "-no_browser"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        found = re.search(r"http://localhost:\d+", process.stderr.readline())
        assert found is not None
        with urllib.request.urlopen(f"{found[0]}/compare?old=abc1&new=abd2") as answer:
            assert "+49.02% (p=0.008 n=5)" in json.load(answer)["table"]
        (folder / "c.txt").write_text("commit: abe3\nBenchmarkNew 1 1 ns/op\n")
        with urllib.request.urlopen(found[0]) as answer:
            assert b'"benchmark":"New"' in answer.read()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        process.stderr.close()


def test_history_alone_writes_the_page_of_all_series(tmp_path: Path, conduit_command: Command) -> None:
    folder = tmp_path / ".conduit" / "bench"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("commit: abc\nBenchmarkA 1 1 ns/op\n")
    assert conduit_command("history", "-html=page.html", cwd=tmp_path).returncode == 0
    assert b'"benchmark":"A"' in (tmp_path / "page.html").read_bytes()
    both = conduit_command("history", "-html=page.html", "-http=:0", cwd=tmp_path)
    assert (both.returncode, "drop one" in both.stderr) == (2, True)


def test_the_last_commit_with_a_run_from_this_class_of_machine_is_named(
    project: Path, conduit_command: Command
) -> None:
    commits = [commit(project, objects) for objects in (1, 2, 3, 4)]
    for at in (0, 1):
        git(project, "checkout", "-q", commits[at])
        conduit_command("bench", "-save=runs", "-benchtime=1x", cwd=project)
    other = next(iter((project / "runs").iterdir())).read_text()
    other = re.sub("^commit: .*", f"commit: {commits[2]}", re.sub("cpu: .*", "cpu: another one", other))
    (project / "runs" / "other.txt").write_text(other)
    answer = conduit_command("history", "last", commits[3], "-store=runs", cwd=project)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, f"{commits[1]}\n", "")
    none = conduit_command("history", "last", commits[3], cwd=project)
    assert (none.returncode, none.stdout) == (0, f"{commits[3]}\n")
    assert "no commit up to" in none.stderr
    assert conduit_command("history", "last", "nothing", cwd=project).returncode == 2


def test_the_page_is_one_file_that_is_written_whole(tmp_path: Path, conduit_command: Command) -> None:
    folder = tmp_path / ".conduit" / "bench"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("commit: abc\nBenchmarkA 1 1 ns/op\n")
    answer = conduit_command("history", "show", "-html=out/page.html", cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (0, "")
    assert (tmp_path / "out" / "page.html").read_text().startswith("<!DOCTYPE html>")


def test_the_served_page_is_made_again_only_when_a_run_was_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conduit.cli.history import page

    pages = iter((b"page 1", b"page 2"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "_document", lambda *_, **__: next(pages))
    (tmp_path / "store").mkdir()
    text = f"commit: {'a' * 40}\n\nBenchmarkSum 1000 250 ns/op\n"
    (tmp_path / "store" / "1.txt").write_text(text)
    source = page._Source({"store": "store"})  # type: ignore[arg-type]
    assert [source.document(), source.document()] == [b"page 1", b"page 1"]
    (tmp_path / "store" / "2.txt").write_text(text.replace("250", "260"))
    assert source.document() == b"page 2"
