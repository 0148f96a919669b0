"""Writes the reference page of every command from its `--help`: `python docs/reference_pages.py`.

A test holds the pages equal to what this writes, so a flag that changes without its page fails the suite.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from conduit.cli import COMMANDS

PAGES = Path(__file__).parent / "reference" / "commands"

# Where a page about the command's use stands, seen from its reference page.
_GUIDES = {
    "bench": "[Benchmarks](../../benchmarks.md)",
    "benchstat": "[Did my change slow it down?](../../tutorials/did-my-change-slow-it-down.md)",
    "collect": "[What is this application made of?](../../tutorials/what-is-it-made-of.md)",
    "dump": "[Profiling a live service](../../tutorials/live-service.md)",
    "introspect": "[What is this application made of?](../../tutorials/what-is-it-made-of.md)",
    "pprof": "[Profiling guide](../../profiling-guide.md)",
    "run": "[Profiling guide](../../profiling-guide.md)",
    "record": "[Profiling a live service](../../tutorials/live-service.md)",
    "top": "[A process that was started without Conduit](../../how-to/unprepared-process.md)",
    "trace": "[Profiling guide](../../profiling-guide.md)",
}


def help_text(command: str) -> str:
    """What `conduit COMMAND --help` prints."""
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "conduit", command, "--help"],
        env=environment,
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    return done.stdout


def page(command: str) -> str:
    """The whole text of a command's page."""
    summary = COMMANDS[command][1]
    guide = f"\nIts use is shown in: {_GUIDES[command]}.\n" if command in _GUIDES else ""
    text = "".join(f"{line.rstrip()}\n" for line in help_text(command).rstrip().splitlines())
    return (
        f"# conduit {command}\n\n{summary[0].upper()}{summary[1:]}.\n{guide}\n"
        f"```console\n$ conduit {command} --help\n{text}```\n"
    )


def main() -> None:
    PAGES.mkdir(parents=True, exist_ok=True)
    for old in PAGES.glob("*.md"):
        if old.stem not in COMMANDS:
            old.unlink()
    for command in COMMANDS:
        (PAGES / f"{command}.md").write_text(page(command), encoding="utf-8")


if __name__ == "__main__":
    main()
