"""The supported versions of CPython, and where this machine has them; for the scripts beside this file."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13", "3.14", "3.15")


def find_interpreter(version: str) -> Path | None:
    """Return an interpreter of this version: from where pyenv keeps them, or from the PATH."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [*sorted(root.glob(f"versions/{version}.*/bin/python")), shutil.which(f"python{version}")]
    return next((Path(each) for each in candidates if each and _answers(each, version)), None)


def _answers(python: str | Path, version: str) -> bool:
    """Return whether this runs and is that version of CPython; a shim of pyenv may exist and not run."""
    code = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.split() == ["cpython", version]
