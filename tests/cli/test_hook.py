from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def write_test(repository: Path, body: str) -> None:
    (repository / "test_speed.py").write_text(
        f"import time\nclass TestPerformance:\n    def test_it(self):\n        {body}\n"
    )


def commit(repository: Path) -> subprocess.CompletedProcess[str]:
    identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.com"]
    command = ["git", *identity, "commit", "-q", "--allow-empty", "-m", "x"]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


def test_an_installed_hook_lets_a_commit_pass_or_stops_it(repository: Path, conduit_command: Command) -> None:
    assert conduit_command("hook", "install", cwd=repository).returncode == 0
    write_test(repository, "assert True")
    assert commit(repository).returncode == 0
    write_test(repository, "assert False")
    stopped = commit(repository)
    assert stopped.returncode == 1
    assert "Performance regression detected" in stopped.stderr
    assert conduit_command("hook", "uninstall", cwd=repository).returncode == 0
    assert commit(repository).returncode == 0


def test_a_hook_of_somebody_else_is_neither_overwritten_nor_removed(
    repository: Path, conduit_command: Command
) -> None:
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntrue\n")
    for action in ("install", "uninstall"):
        run = conduit_command("hook", action, cwd=repository)
        assert run.returncode == 1
        assert "is left unchanged" in run.stderr
    assert hook.read_text() == "#!/bin/sh\ntrue\n"


def test_tests_that_take_too_long_are_ended(repository: Path, conduit_command: Command) -> None:
    write_test(repository, "time.sleep(60)")
    run = conduit_command("hook", "run", "--timeout=3s", cwd=repository)
    assert run.returncode == 1
    assert "took longer than 3s" in run.stderr


def test_nothing_to_check_is_said(repository: Path, conduit_command: Command) -> None:
    run = conduit_command("hook", "run", cwd=repository)
    assert (run.returncode, "nothing was checked" in run.stdout) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [([], "expected one of"), (["jump"], "expected one of"), (["run", "--timeout=soon"], "invalid duration")],
)
def test_a_wrong_call_exits_with_2(
    repository: Path, conduit_command: Command, arguments: list[str], words: str
) -> None:
    run = conduit_command("hook", *arguments, cwd=repository)
    assert run.returncode == 2
    assert words in run.stderr


def test_outside_a_repository_that_is_said(tmp_path: Path, conduit_command: Command) -> None:
    run = conduit_command("hook", "install", cwd=tmp_path)
    assert run.returncode == 2
    assert "not inside a git repository" in run.stderr


def test_the_workflow_and_the_pre_commit_hook_call_commands_that_exist() -> None:
    yaml = pytest.importorskip("yaml")
    hooks = yaml.safe_load((PROJECT / ".pre-commit-hooks.yaml").read_text())
    assert [hook["entry"] for hook in hooks] == ["conduit hook run --timeout=30s"]
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "performance.yml").read_text())
    commands = " ".join(step.get("run", "") for step in workflow["jobs"]["performance"]["steps"])
    assert "conduit bench --against" in commands
    assert "benchmarks/bench_registry.py" in commands


def test_a_new_hook_can_be_executed_from_the_moment_it_is_there(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    from conduit.cli.hook import run

    monkeypatch.chdir(repository)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)  # as if killed before it
    assert run(["install"]) == 0
    assert (repository / ".git" / "hooks" / "pre-commit").stat().st_mode & 0o100
