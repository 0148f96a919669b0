"""CPU time and memory of `conduit introspect` on documents of 50 to 5,000 rich resources, as ratios to a bare Python.

Run: python benchmarks/introspect_speed.py [DOCUMENT …]

Each question runs in a process of its own, nine times; the table has the fastest run's CPU time and the largest resident set.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.documents import rich_document

SIZES = (50, 500, 5_000)
RUNS = 9


def measure(command: list[str]) -> tuple[float, int]:
    """The least CPU time in seconds, and the largest resident set in kB."""
    seconds, kilobytes = [], []
    for _ in range(RUNS):
        pid = os.fork()
        if pid == 0:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            os.execv(command[0], command)
        _, _, usage = os.wait4(pid, 0)
        seconds.append(usage.ru_utime + usage.ru_stime)
        kilobytes.append(usage.ru_maxrss)
    return min(seconds), max(kilobytes)


def questions(path: Path) -> list[list[str]]:
    import conduit

    name = conduit.load(path).resources()[0].name
    return [["resource", name], ["routes", "--resource", name], ["deps", name], ["impact", name], ["cycles"],
            ["patterns"], ["stats"]]  # fmt: skip


def report(path: Path, label: str, bare: tuple[float, int]) -> None:
    size = path.stat().st_size / 1e6
    for words in questions(path):
        command = [sys.executable, "-m", "conduit", "introspect", *words, "--metadata", str(path)]
        seconds, kilobytes = measure(command)
        print(
            f"{label:>10}  {size:6.1f} MB  {words[0]:<9} {seconds:6.3f} s {seconds / bare[0]:5.1f} x"
            f" {kilobytes / 1000:6.0f} MB {kilobytes / bare[1]:5.1f} x"
        )


def main() -> None:
    bare = measure([sys.executable, "-c", "pass"])
    print(f"bare Python: {bare[0]:.3f} s, {bare[1] / 1000:.0f} MB")
    for given in sys.argv[1:]:
        report(Path(given), Path(given).stem[:10], bare)
    if len(sys.argv) > 1:
        return
    with tempfile.TemporaryDirectory() as folder:
        for count in SIZES:
            path = Path(folder) / f"{count}.json"
            path.write_bytes(rich_document(count))
            report(path, f"{count}", bare)


if __name__ == "__main__":
    main()
