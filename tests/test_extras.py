"""A missing optional package says how to get it, or that this version of Python cannot have it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conduit.extras import how_to_install


@pytest.mark.parametrize("version", [(3, 11), (3, 14)])
def test_a_package_that_exists_for_this_python_is_installed_by_a_command(version: tuple[int, int]) -> None:
    assert how_to_install("viztracer", version) == "install it with `pip install viztracer`"


@pytest.mark.parametrize("version", [(3, 15), (3, 16)])
def test_a_package_that_this_python_cannot_have_says_which_can(version: tuple[int, int]) -> None:
    expected = f"it has no release for Python 3.{version[1]}; use Python 3.14 or earlier for it"
    assert how_to_install("viztracer", version) == expected


def test_a_trace_without_its_package_says_so_and_what_to_do(tmp_path: Path) -> None:
    program = "import sys; sys.modules['viztracer'] = None; from conduit.cli import program; program()"
    (tmp_path / "program.py").write_text("print('ran')\n")
    command = [sys.executable, "-c", program, "run", "-trace=trace.json", "program.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert f"viztracer: {how_to_install('viztracer')}" in done.stderr
    assert "Traceback" not in done.stderr
