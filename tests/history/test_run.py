"""`conduit history run` on real repositories: today's benchmarks at yesterday's commits."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from conduit.bench.against import environments
from conduit.bench.against.environments import dependency_digest
from tests.history.repositories import BROKEN, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tmp").mkdir()
    return {
        **os.environ,
        "TMPDIR": str(tmp_path / "tmp"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PIP_NO_INDEX": "1",
    }


def shown(command: Command, repository: Path) -> dict[str, Any]:
    answer = command("history", "show", "-format=json", cwd=repository)
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


def test_every_commit_is_measured_kept_and_compared_with_its_neighbours(
    tmp_path: Path, environment: dict[str, str], short_command: Command
) -> None:
    repository = tmp_path / "shop"
    commits = make_repository(repository, [500, 500, 500, BROKEN, 1500, 1500])
    ran = short_command("history", "run", f"{commits[0]}..{commits[-1]}", cwd=repository, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert "5 of 6 commits measured, 1 gap\n" in ran.stdout
    moved = (
        rf"BenchmarkTotal +sec/op +\+[12]\d\d\.\d+% +{commits[4][:10]} \(change 4\) or one of the 1 before it"
    )
    assert re.search(moved, ran.stdout), ran.stdout
    assert "No module named 'nothing_of_this_name'" in ran.stdout
    document = shown(short_command, repository)
    (times,) = [series for series in document["series"] if series["unit"] == "sec/op"]
    assert [point["commit"] for point in times["points"]] == [commits[at] for at in (0, 1, 2, 4, 5)]
    assert {point["measurements"] for point in times["points"]} == {6}
    assert [gap["commit"] for gap in document["gaps"]] == [commits[3]]
    assert {series["unit"] for series in document["series"]} >= {"sec/op", "B/op", "allocs/op"}
    assert git(repository, "worktree", "list").count("\n") == 0
    assert list((tmp_path / "tmp").iterdir()) == []
    text = short_command("history", "show", "-unit=sec/op", cwd=repository).stdout
    assert f"{commits[3][:10]}  benchmarks/bench_shop:BenchmarkTotal: ModuleNotFoundError" in text


def test_it_measures_the_working_copys_benchmarks_at_commits_that_have_none(
    tmp_path: Path, environment: dict[str, str], short_command: Command
) -> None:
    repository = tmp_path / "shop"
    make_repository(repository, [10, 20])
    benchmarks = repository / "benchmarks"
    (benchmarks / "bench_more.py").write_text(
        (benchmarks / "bench_shop.py").read_text().replace("total(b", "new(b")
    )
    ran = short_command("history", "run", "-bench=New", "HEAD~1..HEAD", cwd=repository, env=environment)
    assert ran.returncode == 0, ran.stderr
    document = shown(short_command, repository)
    (times,) = [series for series in document["series"] if series["unit"] == "sec/op"]
    assert (times["benchmark"].partition(":")[0], len(times["points"])) == ("benchmarks/bench_more", 2)


def test_after_a_kill_the_same_command_goes_on_and_removes_what_was_left(
    tmp_path: Path, environment: dict[str, str], conduit_command: Command
) -> None:
    repository = tmp_path / "shop"
    commits = make_repository(repository, [300, 300, BROKEN, 300, 300])
    words = ["history", "run", f"{commits[0]}..{commits[-1]}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "conduit", *words],
        cwd=repository,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if ": gap, " in line:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    kept = sorted((repository / ".conduit" / "bench").iterdir())
    assert len(kept) == 3
    assert git(repository, "worktree", "list").count("\n") == 2
    again = conduit_command(*words, cwd=repository, env=environment)
    assert again.returncode == 0, again.stderr
    assert "2 are measured already, 1 gap" in again.stderr
    assert again.stderr.count(": measured (") == 2
    assert ": gap, " not in again.stderr
    assert "4 of 5 commits measured, 1 gap" in again.stdout
    assert git(repository, "worktree", "list").count("\n") == 0
    assert list((tmp_path / "tmp").iterdir()) == []
    assert kept == sorted((repository / ".conduit" / "bench").iterdir())[:3]
    retried = conduit_command(*words, "-retry", cwd=repository, env=environment)
    assert retried.stderr.count(": gap, ") == 1


@pytest.mark.slow  # three installations; one that is kept is also tested by tests/bench/test_against.py
def test_an_environment_is_built_once_for_equal_dependencies_and_what_does_not_install_is_a_gap(
    tmp_path: Path, environment: dict[str, str], short_command: Command
) -> None:
    repository = tmp_path / "shop"
    make_repository(repository, [10])
    for number, requirements in enumerate(["# one\n", "# one\n", "nothing-of-this-name==1.0\n", "# two\n"]):
        (repository / "requirements.txt").write_text(requirements)
        (repository / "note.txt").write_text(str(number))
        git(repository, "add", ".")
        git(repository, "commit", "-q", "-m", f"requirements {number}")
    ran = short_command("history", "run", "HEAD~3..HEAD", cwd=repository, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert "3 of 4 commits measured, 1 gap" in ran.stdout
    assert re.search(
        r"requirements 2\) +installing requirements.txt failed .*nothing-of-this-name", ran.stdout
    )
    kept = list((tmp_path / "cache" / "conduit" / "environments").iterdir())
    assert len(kept) == 2
    document = shown(short_command, repository)
    digests = [point["dependencies"] for point in document["series"][0]["points"]]
    assert len(digests) == 3
    assert digests[0] == digests[1] != digests[2]


def test_the_digest_changes_with_dependencies_and_extension_modules_only(tmp_path: Path) -> None:
    def digest() -> str:
        return dependency_digest(tmp_path)

    project = '[project]\nname = "shop"\nversion = "{}"\ndependencies = [{}]\n[tool.ruff]\nline-length = {}\n'
    (tmp_path / "pyproject.toml").write_text(project.format("1", '"a"', 80))
    first = digest()
    (tmp_path / "shop.py").write_text("pass\n")
    (tmp_path / "pyproject.toml").write_text(project.format("2", '"a"', 100))
    assert digest() == first
    (tmp_path / "pyproject.toml").write_text(project.format("2", '"a", "b"', 100))
    second = digest()
    assert second != first
    (tmp_path / "fast.c").write_text("int one;\n")
    assert digest() != second


def test_what_an_installation_built_is_linked_into_the_checkout_and_its_sources_stay_the_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, environment = tmp_path / "tree", tmp_path / "environment"
    site = environment / "lib" / "python3.11" / "site-packages"
    for folder in (
        tree / "src" / "shop",
        site / "shop",
        site / "shop-1.dist-info",
        site / "other-1.dist-info",
    ):
        folder.mkdir(parents=True)
    (tree / "src" / "shop" / "__init__.py").write_text("this commit's\n")
    (site / "shop" / "__init__.py").write_text("another commit's\n")
    (site / "shop" / "_fast.so").write_text("built\n")
    record = [
        "shop/__init__.py,,",
        "shop/_fast.so,,",
        "../../../bin/shop,,",
        "shop-1.dist-info/RECORD,,",
        "top.py,,",
    ]
    (site / "shop-1.dist-info" / "RECORD").write_text("\n".join(record))
    (site / "shop-1.dist-info" / "direct_url.json").write_text("{}")
    (site / "other-1.dist-info" / "RECORD").write_text("shop/of_another_package.py,,")
    monkeypatch.setattr(environments, "installed_environment", lambda *arguments: environment)
    folder, digest = environments.environment_for(tree, lambda text: None)
    assert (folder, digest) == (environment, dependency_digest(tree))
    assert sorted(path.name for path in (tree / "src" / "shop").iterdir()) == ["__init__.py", "_fast.so"]
    assert (tree / "src" / "shop" / "_fast.so").read_text() == "built\n"
    assert (tree / "src" / "shop" / "__init__.py").read_text() == "this commit's\n"
    assert [path.name for path in (tree / "src").iterdir()] == ["shop"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected a range"),
        (["HEAD"], "expected a range GOOD..BAD, such as v1.0..main, found 'HEAD'"),
        (["HEAD~1..HEAD", "-step=0"], "expected a number from 1"),
        (["HEAD~1..HEAD", "-budget=0s"], "expected a time above 0"),
        (["HEAD~1..HEAD", "-bench=("], "("),
        (["HEAD~1..HEAD", "-html=x"], "-html has no effect on `history run`"),
    ],
)
def test_a_wrong_call_says_what_was_found_and_exits_with_2(
    arguments: list[str], said: str, tmp_path: Path, conduit_command: Command
) -> None:
    make_repository(tmp_path / "shop", [1, 2])
    answer = conduit_command("history", "run", *arguments, cwd=tmp_path / "shop")
    assert (answer.returncode, said in answer.stderr) == (2, True), answer.stderr


def test_a_reference_at_which_nothing_runs_ends_the_command(
    tmp_path: Path, environment: dict[str, str], conduit_command: Command
) -> None:
    repository = tmp_path / "shop"
    make_repository(repository, [1, BROKEN])
    answer = conduit_command("history", "run", "HEAD~1..HEAD", cwd=repository, env=environment)
    assert answer.returncode == 1
    assert "nothing_of_this_name" in answer.stderr
    assert not (repository / ".conduit").exists()
