"""What a stranger gets who installs the package; `make test-install` does the same on every Python it finds."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import PROJECT


@pytest.mark.slow
def test_sdist_and_wheel_install_and_run_with_and_without_a_compiler_and_show_complete_types() -> None:
    python = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run([PROJECT / ".ci" / "test-install", python], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all passed; interpreters tried: 1" in done.stdout
