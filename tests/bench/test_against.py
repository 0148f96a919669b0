from __future__ import annotations

import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from conduit.bench.against import environments
from conduit.bench.against.interleaved import Plan, run_against
from conduit.bench.against.worktree import Checkout, current_checkout
from conduit.bench.compare.verdicts import Gates

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., subprocess.CompletedProcess[str]]

BENCHMARK = """
from code_under_test import work

def bench_work(b):
    for _ in b:
        work()

def bench_group(b):
    def child(b):
        for _ in b:
            work()
    b.run("child", child)
"""
QUICK = "def work():\n    return [i * i for i in range(300)]\n"
SLOW = "def work():\n    return [i * i for i in range(900)]\n"


def git(folder: Path, *arguments: str) -> str:
    identity = [
        "-c",
        "user.name=Nobody",
        "-c",
        "user.email=nobody@example.com",
        "-c",
        "init.defaultBranch=main",
    ]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A project without dependencies: HEAD is quick, the working copy slow."""
    root = tmp_path / "project"
    (root / "benchmarks").mkdir(parents=True)
    (root / "benchmarks" / "bench_code.py").write_text(BENCHMARK)
    (root / "code_under_test.py").write_text(QUICK)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "quick")
    (root / "code_under_test.py").write_text(SLOW)
    return root


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Temporary files and caches of the command, where the test can look at them."""
    (tmp_path / "tmp").mkdir()
    return {
        **os.environ,
        "TMPDIR": str(tmp_path / "tmp"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PIP_NO_INDEX": "1",
    }


def left_behind(root: Path) -> tuple[list[str], list[str]]:
    worktrees = git(root, "worktree", "list", "--porcelain").count("worktree ")
    return [path.name for path in (root.parent / "tmp").iterdir()], ["worktree"] * (worktrees - 1)


def state_of(root: Path) -> tuple[str, bytes, str]:
    return (
        git(root, "status", "--porcelain"),
        (root / ".git" / "index").read_bytes(),
        git(root, "stash", "list"),
    )


def test_uncommitted_changes_are_compared_with_a_revision_and_nothing_is_left_behind(
    repository: Path, environment: dict[str, str], conduit_command: Command
) -> None:
    before = state_of(repository)
    run = conduit_command(
        "bench",
        "--against",
        "HEAD",
        "--budget=25s",
        "--gate",
        "--format=json",
        cwd=repository,
        env=environment,
    )
    document = json.loads(run.stdout)
    by_unit = {(row["name"].rpartition(":")[2], row["unit"]): row for row in document["rows"]}
    slower = by_unit["BenchmarkWork", "sec/op"]
    assert slower["delta"] > 0
    assert (slower["state"], slower["grade"]) == ("different", "major")
    # By how much is told by what is counted, which a busy machine does not change: small numbers are no new objects.
    counted = by_unit["BenchmarkWork", "allocs/op"]
    assert counted["counted"]["is_exact"]
    assert 2.5 < counted["delta"] < 4.5
    assert by_unit["BenchmarkGroup/child", "sec/op"]["grade"] == "major"
    assert run.returncode == 1
    assert "gate: closed" in run.stderr
    assert left_behind(repository) == ([], [])
    assert state_of(repository) == before


def test_a_path_is_a_side_too_and_what_one_side_lacks_is_listed(
    repository: Path, tmp_path: Path, environment: dict[str, str], conduit_command: Command
) -> None:
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(repository), str(other))
    (repository / "benchmarks" / "bench_new.py").write_text("def bench_new(b):\n    for _ in b: pass\n")
    run = conduit_command(
        "bench", "--against", str(other), "--budget=1s", "-bench=Work|New", cwd=repository, env=environment
    )
    assert run.returncode == 0
    assert re.search(r"^New +\S+ .*", run.stdout, re.MULTILINE)
    assert "Work" in run.stdout


def test_a_benchmark_that_crashes_on_one_side_does_not_stop_the_others(
    repository: Path, environment: dict[str, str], conduit_command: Command
) -> None:
    code = (
        BENCHMARK
        + "\ndef bench_crash(b):\n    import code_under_test\n    code_under_test.only_there()\n    for _ in b: pass\n"
    )
    (repository / "benchmarks" / "bench_code.py").write_text(code)
    (repository / "code_under_test.py").write_text(QUICK + "def only_there(): pass\n")
    git(repository, "commit", "-q", "-am", "with a third")
    (repository / "code_under_test.py").write_text(SLOW)
    run = conduit_command("bench", "--against", "HEAD", "--budget=1s", cwd=repository, env=environment)
    assert run.returncode == 1
    assert "BenchmarkCrash failed on the new side" in run.stderr
    assert "AttributeError" in run.stderr
    assert "Work" in run.stdout
    assert left_behind(repository) == ([], [])


def test_a_side_that_kills_its_process_is_named_and_nothing_is_left_behind(
    repository: Path, environment: dict[str, str], conduit_command: Command
) -> None:
    (repository / "code_under_test.py").write_text("import os\ndef work():\n    os._exit(7)\n")
    run = conduit_command("bench", "--against", "HEAD", "--budget=1s", cwd=repository, env=environment)
    assert run.returncode == 1
    assert "working copy: the process ended (exit status 7" in run.stderr
    assert left_behind(repository) == ([], [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_everything_that_was_started_and_removes_what_was_made(
    repository: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    marker = repository.parent / "started"
    slow = f"import time, pathlib\ndef work():\n    pathlib.Path({str(marker)!r}).touch()\n    time.sleep(0.05)\n"
    (repository / "code_under_test.py").write_text(slow)
    git(repository, "commit", "-q", "-am", "waits")
    command = [sys.executable, "-m", "conduit", "bench", "--against", "HEAD", "--budget=60s"]
    with subprocess.Popen(
        command, cwd=repository, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not marker.exists():
            assert process.poll() is None
            time.sleep(0.02)
        assert left_behind(repository)[1] == ["worktree"]
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert left_behind(repository) == ([], [])


def test_what_was_measured_before_an_interruption_is_in_the_result(repository: Path) -> None:
    turns = []

    def interrupt_the_second_turn(text: str) -> None:
        turns.append(text)
        if len(turns) == 2:
            raise KeyboardInterrupt

    side = current_checkout(repository)
    result = run_against(side, side, Plan(paths=("benchmarks",), counts=()), interrupt_the_second_turn)
    assert result.interrupted
    assert len(result.rows(Gates())) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--against", "nosuch"], 2, "there is no such revision"),
        (["--against", "HEAD", "nosuch/"], 2, "no such file or folder"),
        (["--against", "HEAD", "/"], 2, "not inside"),
        (["--against", "HEAD", "--budget=soon"], 2, "invalid duration"),
        (["--against", "HEAD", "-bench=("], 2, "invalid regexp"),
        (["--against", "HEAD", "--against-env=moon"], 2, "expected own or shared"),
        (["--against", "HEAD", "-bench=Nothing"], 2, "nothing to compare"),
    ],
)
def test_a_wrong_call_is_told_and_exits_with_2(
    repository: Path,
    environment: dict[str, str],
    conduit_command: Command,
    arguments: list[str],
    status: int,
    words: str,
) -> None:
    run = conduit_command("bench", *arguments, cwd=repository, env=environment)
    assert run.returncode == status
    assert words in run.stderr
    assert left_behind(repository) == ([], [])


def test_a_folder_without_git_is_told_so(tmp_path: Path, conduit_command: Command) -> None:
    (tmp_path / "benchmarks").mkdir()
    run = conduit_command(
        "bench",
        "--against",
        "HEAD",
        cwd=tmp_path,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
    )
    assert run.returncode == 2
    assert "needs a git checkout" in run.stderr


def test_a_revision_that_does_not_install_is_told_with_the_installers_words(
    repository: Path, environment: dict[str, str], conduit_command: Command
) -> None:
    (repository / "requirements.txt").write_text("a-package-that-nobody-has==1.0\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "needs what is not there")
    run = conduit_command("bench", "--against", "HEAD", "--budget=1s", cwd=repository, env=environment)
    assert run.returncode == 1
    assert "installing requirements.txt failed" in run.stderr
    assert "--against-env=shared" in run.stderr
    assert left_behind(repository) == ([], [])
    assert not list((repository.parent / "cache").rglob("pyvenv.cfg"))


def test_a_revision_gets_an_environment_of_its_own_that_is_kept_for_the_next_time(
    repository: Path, environment: dict[str, str], conduit_command: Command
) -> None:
    (repository / "requirements.txt").write_text("# nothing\n")
    (repository / "benchmarks" / "bench_code.py").write_text(
        "import sys\nprint(sys.prefix, file=sys.stderr)\n" + BENCHMARK
    )
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "with requirements")
    for _ in range(2):
        run = conduit_command(
            "bench", "--against", "HEAD", "--budget=1s", "-bench=Work", cwd=repository, env=environment
        )
        assert run.returncode == 0, run.stderr
    kept = list((repository.parent / "cache" / "conduit" / "environments").iterdir())
    assert len(kept) == 1
    assert (kept[0] / "bin" / "python").exists()


@pytest.mark.parametrize(
    ("version", "is_used"), [("22.2.2", False), ("22.3", True), ("26.0", True), ("new", False)]
)
def test_the_pip_of_this_environment_installs_into_another_where_it_can(
    monkeypatch: pytest.MonkeyPatch, version: str, is_used: bool
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    command = environments._pip_of_another_environment("/elsewhere/bin/python")
    assert command == ([sys.executable, "-m", "pip", "--python", "/elsewhere/bin/python"] if is_used else [])


def test_a_dirty_submodule_is_said(
    repository: Path, tmp_path: Path, environment: dict[str, str], conduit_command: Command
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "file").write_text("one")
    git(inner, "init", "-q")
    git(inner, "add", ".")
    git(inner, "commit", "-q", "-m", "inner")
    allow = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "protocol.file.allow",
        "GIT_CONFIG_VALUE_0": "always",
    }
    subprocess.run(
        ["git", "submodule", "--quiet", "add", str(inner), "inner"],
        cwd=repository,
        check=True,
        env={**os.environ, **allow},
    )
    git(repository, "commit", "-q", "-am", "with a submodule")
    (repository / "inner" / "file").write_text("two")
    run = conduit_command(
        "bench",
        "--against",
        "HEAD",
        "--budget=1s",
        "-bench=Work",
        cwd=repository,
        env={**environment, **allow},
    )
    assert "submodule inner is not at its recorded commit" in run.stderr
    assert run.returncode == 0
    assert left_behind(repository) == ([], [])


def test_hooks_of_the_repository_are_not_run(
    repository: Path, environment: dict[str, str], conduit_command: Command
) -> None:
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {repository.parent}/hook-ran\n")
    hook.chmod(0o755)
    conduit_command(
        "bench", "--against", "HEAD", "--budget=1s", "-bench=Work", cwd=repository, env=environment
    )
    assert not (repository.parent / "hook-ran").exists()


def test_the_self_test_says_what_can_be_resolved_here(
    repository: Path, environment: dict[str, str], conduit_command: Command
) -> None:
    run = conduit_command(
        "bench", "--self-test", "--budget=8s", "-bench=Work", cwd=repository, env=environment
    )
    assert run.returncode in (0, 1)
    assert "8 comparisons of this checkout with itself, in 8 rounds" in run.stdout
    assert "identical code differs by up to" in run.stdout
    assert ("false alarms: 0" in run.stdout) == (run.returncode == 0)


def test_a_lock_is_read_by_its_own_tool_and_said_not_to_be_where_that_is_missing(
    repository: Path, environment: dict[str, str], conduit_command: Command
) -> None:
    (repository / "uv.lock").write_text("version = 1\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "with a lock")
    tools = repository.parent / "tools"
    tools.mkdir()
    arguments = ["bench", "--against", "HEAD", "--budget=1s", "-bench=Work"]
    git_only = {**environment, "PATH": f"{tools}:/usr/bin:/bin"}
    missing = conduit_command(*arguments, cwd=repository, env=git_only)
    assert "uv.lock is not used, because uv is not installed" in missing.stderr
    (tools / "uv").write_text("#!/bin/sh\necho 'a-package-that-nobody-has==1.0'\n")
    (tools / "uv").chmod(0o755)
    environment_of_its_own = {**git_only, "XDG_CACHE_HOME": str(repository.parent / "another-cache")}
    read = conduit_command(*arguments, cwd=repository, env=environment_of_its_own)
    assert read.returncode == 1
    assert "a-package-that-nobody-has" in read.stderr


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two processors and Linux",
)
def test_a_pair_that_computes_shares_one_core_and_one_that_waits_is_free(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    for side in ("old", "new"):
        folder = tmp_path / side
        folder.mkdir()
        (folder / "bench_cores.py").write_text(f"""
import os, time
def note(name):
    with open({str(seen)!r} + f"/{{name}}-{side}", "a") as file:
        print(sorted(os.sched_getaffinity(0)), file=file)
def bench_computes(b):
    for _ in b:
        sum(range(1000))
    note("computes")
def bench_waits(b):
    for _ in b:
        time.sleep(0.001)
    note("waits")
""")
    sides = [Checkout(s, tmp_path / s, sys.executable, (str(tmp_path / s),)) for s in ("old", "new")]
    result = run_against(sides[0], sides[1], Plan(("bench_cores.py",), budget_ns=2_000_000_000, counts=()))
    assert not result.problems
    everywhere = str(sorted(os.sched_getaffinity(0)))
    lines = {file.name: file.read_text().splitlines() for file in seen.iterdir()}
    # Loading and calibrating is free; every batch that counts is not.
    pairs = {benchmark.name.partition(":")[2]: benchmark for benchmark in result.benchmarks}
    counted = sum(len(pair.old) for pair in pairs["BenchmarkComputes"].pairs)
    held = {side: [line for line in lines[f"computes-{side}"] if "," not in line] for side in ("old", "new")}
    assert len(held["old"]) >= counted
    assert held["old"] == held["new"]
    assert set(lines["waits-old"] + lines["waits-new"]) == {everywhere}
