from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.bench.commands import Command


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with an empty folder for benchmarks."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "benchmarks").mkdir()
    return tmp_path


@pytest.fixture
def run_bench(project: Path, conduit_command: Command) -> Command:
    """Runs `conduit bench` there; each keyword is a benchmark file to write first: its name and its text."""

    def run(*arguments: str, **files: str) -> subprocess.CompletedProcess[str]:
        for name, text in files.items():
            (project / "benchmarks" / f"{name}.py").write_text(text)
        return conduit_command("bench", *arguments, cwd=project)

    return run
