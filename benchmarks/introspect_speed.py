"""CPU time and memory of `conduit introspect` on documents of 50 to 5,000 rich resources, as ratios to a bare Python.

Run: python benchmarks/introspect_speed.py [DOCUMENT …]

Each question runs in a process of its own, nine times; the table has the fastest run's CPU time and the largest resident set,
with the compiled form that a document of 1 MiB and more gets at its first question, and without it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

SIZES = (50, 500, 5_000)
RUNS = 9


def measure(command: list[str], compiled: str = "on") -> tuple[float, int]:
    """The least CPU time in seconds, and the largest resident set in kB; the first run, which may compile, does not count."""
    seconds, kilobytes = [], []
    os.environ["CONDUIT_COMPILED"] = compiled
    for run in range(RUNS + 1):
        pid = os.fork()
        if pid == 0:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            os.execv(command[0], command)
        _, _, usage = os.wait4(pid, 0)
        if run == 0:
            continue
        seconds.append(usage.ru_utime + usage.ru_stime)
        kilobytes.append(usage.ru_maxrss)
    return min(seconds), max(kilobytes)


def questions(path: Path, other: Path) -> list[list[str]]:
    name = _answer_of_child(f"import conduit; print(conduit.load({str(path)!r}).resources()[0].name, end='')")
    return [["resources"], ["resource", name], ["routes"], ["routes", "--resource", name], ["routes", "--verbose"],
            ["routes", "--format=yaml"], ["routes", "--path=*1*"], ["routes", "--match=GET /"], ["routes", "--sort=path"],
            ["routes", "--open"], ["routes", "--method=post", "--format=json"], ["deps", name], ["impact", name], ["cycles"], ["patterns"], ["stats"],
            ["diff", str(path), str(other)]]  # fmt: skip


def _answer_of_child(code: str) -> str:
    """What the code prints in a process of its own: a child's resident set begins with that of its parent."""
    folder = str(Path(__file__).resolve().parent.parent)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def report(path: Path, label: str, bare: tuple[float, int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "changed.json"
        made = "from benchmarks.documents import changed_version as change; from pathlib import Path"
        _answer_of_child(
            f"{made}; Path({str(other)!r}).write_bytes(change(Path({str(path)!r}).read_bytes()))"
        )
        _report(path, other, label, bare)


def _report(path: Path, other: Path, label: str, bare: tuple[float, int]) -> None:
    size = path.stat().st_size / 1e6
    for words in questions(path, other):
        command = [sys.executable, "-m", "conduit", "introspect", *words, "--metadata", str(path)]
        shown = " ".join(words[:2]) if words[0] == "routes" else words[0]
        cells = [
            f"{seconds:6.3f} s {seconds / bare[0]:5.1f} x {kilobytes / 1000:5.0f} MB {kilobytes / bare[1]:4.1f} x"
            for seconds, kilobytes in (measure(command, "on"), measure(command, "off"))
        ]
        print(f"{label:>10} {size:6.1f} MB  {shown:<17} {'   '.join(cells)}", flush=True)


def main() -> None:
    bare = measure([sys.executable, "-c", "pass"])
    print(f"bare Python: {bare[0]:.3f} s, {bare[1] / 1000:.0f} MB; each question compiled, then read whole")
    for given in sys.argv[1:]:
        report(Path(given), Path(given).stem[:10], bare)
    if len(sys.argv) > 1:
        return
    with tempfile.TemporaryDirectory() as folder:
        for count in SIZES:
            path = Path(folder) / f"{count}.json"
            made = "from benchmarks.documents import rich_document as rich; from pathlib import Path"
            _answer_of_child(f"{made}; Path({str(path)!r}).write_bytes(rich({count}))")
            report(path, f"{count}", bare)


if __name__ == "__main__":
    main()
