"""Runs the main job on real input, each command printed before its output.

An API's OpenAPI document becomes a metadata document; then it is asked what the API is made of. Everything is written
to a folder that is gone afterwards.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCUMENT = Path(__file__).with_name("kratos.json")
COMMANDS = (
    "conduit collect --openapi kratos.json -o metadata.json",
    "conduit introspect resources",
    "conduit introspect resource session",
    "conduit introspect routes --middleware oryAccessToken",
    'conduit introspect routes --match "GET /admin/identities/5"',
    "conduit introspect deps session",
    "conduit introspect impact identity",
    "conduit introspect patterns",
)
SHOWN_LINES = 24
"""Longer answers are cut here, and it is said: the document has 191 resources."""


def main() -> int:
    """Runs every command; returns the first exit status that is not 0."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(DOCUMENT, folder)
        for command in COMMANDS:
            print(f"$ {command}", flush=True)
            status = run(command, folder)
            if status:
                return status
            print(flush=True)
    return 0


def run(command: str, folder: str) -> int:
    """Prints a command's output, its first lines where it is long, and returns its exit status."""
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = done.stdout.splitlines()
    print("\n".join(lines[:SHOWN_LINES]))
    if len(lines) > SHOWN_LINES:
        print(f"… and {len(lines) - SHOWN_LINES} more lines")
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
