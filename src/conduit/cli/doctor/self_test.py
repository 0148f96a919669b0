"""The A/A test: a program of known benchmarks compared with itself by `conduit bench -self-test`.

Whatever difference it finds is the machine's. The benchmarks are of the kinds that noise meets differently: bytecode in
a loop, memory that goes beyond the nearest caches, and allocation.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

_BENCHMARKS = '''"""Known work, to be compared with itself."""

from array import array

TABLE = array("q", range(1 << 17))


def bench_loop(b):
    for _ in b:
        sum(i & 7 for i in range(2000))


def bench_memory(b):
    for _ in b:
        sum(TABLE[::17])


def bench_allocation(b):
    for _ in b:
        [[i] for i in range(500)]
'''


def run_self_test(budget: str) -> str:
    """Run the test for about `budget` (as in `10s`) and return what it says.

    It runs in a process and a folder of its own, both gone afterwards, as a user's project would.
    """
    with tempfile.TemporaryDirectory(prefix="conduit-doctor-") as folder:
        Path(folder, "pyproject.toml").write_text("[tool.conduit]\n", encoding="utf-8")
        Path(folder, "bench_known.py").write_text(_BENCHMARKS, encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "conduit",
            "bench",
            "-self-test",
            "-budget",
            budget,
            "bench_known.py",
        ]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.strip() or f"no result: `conduit bench -self-test` ended with status {done.returncode}"
