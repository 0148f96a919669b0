"""Other people's profilers for the comparisons, in a virtual environment of their own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("py-spy", "pyinstrument", "yappi", "scalene", "memray", "viztracer")


def tools_python(given: str | None) -> str:
    """A Python of this version that has the tools: the one given, or one made (once) in the temporary folder."""
    if given is not None:
        return given
    folder = Path(tempfile.gettempdir()) / f"conduit-profilers-{sys.version_info[0]}.{sys.version_info[1]}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"installing {', '.join(PACKAGES)} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (folder / "complete").touch()
    return str(python)


def missing(python: str, packages: set[str]) -> set[str]:
    """Those of the packages that this Python has not."""
    script = "import importlib.metadata; print(*(d.name for d in importlib.metadata.distributions()))"
    answer = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    installed = {name.lower().replace("_", "-") for name in answer.stdout.split()}
    return packages - installed


def environment() -> dict[str, str]:
    """What lets that Python find this project's source, with the extension that was built in place."""
    import os

    return os.environ | {"PYTHONPATH": f"{PROJECT / 'src'}{os.pathsep}{PROJECT}"}
