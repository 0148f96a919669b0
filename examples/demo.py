"""Run the main commands on real input, each printed before its output.

An API's OpenAPI document becomes a metadata document; then it is queried. All files are written to a temporary
folder. At the end the registry's own benchmarks run, and are held to their targets, and its CPU and memory profiles are shown.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
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
SUITE = (
    "conduit bench -short -benchmem -benchtime=20ms --check"
    " '-bench=RegistryInit$|SimpleQueries|ComplexQueries|MemoryEfficiency' benchmarks/bench_registry.py"
)
"""The registry's own benchmarks, with the verdicts on `[tool.conduit.targets]`; run in the project's folder."""
PROFILED = (
    "conduit bench -bench=RegistryInit$ -benchtime=1s -profilerate=500"
    " -cpuprofile={folder}/cpu.prof -memprofile={folder}/mem.prof benchmarks/bench_registry.py"
)
PROFILES = (
    PROFILED,
    "conduit pprof -top -nodecount=5 {folder}/cpu.prof",
    "conduit pprof -top -nodecount=5 {folder}/mem.prof",
)
"""Where the registry's own time and memory go."""
NEXT = """To go on by yourself:
  . .venv/bin/activate    # now `conduit` is a command of this terminal
  conduit --help
Then docs/tutorials/first-benchmark.md: from a slow function to its flame graph, in ten minutes."""
WARNING = "--- WARN: "
SHOWN_LINES = 24
"""Longer answers are cut here, and it is said: the document has 191 resources."""


warnings: dict[str, str] = {}
"""What the commands warned of, by its text without figures: shown once, after everything else."""


def main() -> int:
    """Runs every command; returns the first exit status that is not 0."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(DOCUMENT, folder)
        print("In a temporary folder with a copy of examples/kratos.json:\n", flush=True)
        for command in COMMANDS:
            print(f"$ {command}", flush=True)
            status = run(command, folder)
            if status:
                return status
            print(flush=True)
        print(f"In the project's folder, its own benchmarks:\n\n$ {SUITE}", flush=True)
        status = run(SUITE, str(PROJECT), shown_lines=1_000)
        for command in PROFILES if has_profilers() else ():
            print(f"\n$ {command.format(folder='.')}", flush=True)
            status = run(command.format(folder=folder), str(PROJECT)) or status
    if warnings:
        print("\nAbout the measurements:", *warnings.values(), sep="\n", flush=True)
    print(f"\n{NEXT}", flush=True)
    return status


def has_profilers() -> bool:
    """Return whether the C extension is there; print the reason if it is not."""
    from conduit import _native

    if not _native.available():
        print(f"\nno profiles: {_native.reason()}", flush=True)
    return _native.available()


def run(command: str, folder: str, shown_lines: int = SHOWN_LINES) -> int:
    """Prints a command's output, its first lines where it is long, and returns its exit status."""
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    for line in done.stdout.splitlines():
        if line.startswith(WARNING):
            text = line.removeprefix(WARNING).partition(": ")[2]
            warnings.setdefault(re.sub(r"\d+", "", text), text)
        else:
            lines.append(line)
    print("\n".join(lines[:shown_lines]))
    if len(lines) > shown_lines:
        print(f"… and {len(lines) - shown_lines} more lines")
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
