"""Others' checkers see our types: a strict program passes, and what is wrong is found line by line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

HERE = Path(__file__).parent


def wrong_lines() -> list[int]:
    lines = (HERE / "wrong.py").read_text().splitlines()
    return [number for number, line in enumerate(lines, 1) if "# wrong:" in line]


def mypy(name: str) -> list[int]:
    """Return the lines that mypy complains about, as someone runs it who has nothing configured."""
    pytest.importorskip("mypy")
    options = [
        "--strict",
        "--config-file",
        os.devnull,
        "--no-error-summary",
        "--cache-dir",
        ".mypy_cache/strangers",
    ]
    command = [sys.executable, "-m", "mypy", *options, str(HERE / name)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return [int(number) for number in re.findall(r":(\d+): error: ", done.stdout)]


def test_mypy_finds_nothing_in_a_strict_program() -> None:
    assert mypy("stranger.py") == []


def test_mypy_finds_every_wrong_line_and_no_other() -> None:
    assert mypy("wrong.py") == wrong_lines()


@pytest.mark.slow
def test_pyright_finds_nothing_in_a_strict_program_and_every_wrong_line() -> None:
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("no npx on the PATH, which runs pyright")
    command = [npx, "--yes", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run([*command, HERE / "stranger.py", HERE / "wrong.py"], capture_output=True, text=True)
    errors = [each for each in json.loads(done.stdout)["generalDiagnostics"] if each["severity"] == "error"]
    found = {(Path(each["file"]).name, each["range"]["start"]["line"] + 1) for each in errors}
    assert found == {("wrong.py", number) for number in wrong_lines()}
