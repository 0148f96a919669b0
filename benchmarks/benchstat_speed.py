"""How long `conduit benchstat` takes for two files of 50,000 lines, against the Go program.

Where a `benchstat` is on the PATH it is run in turn with ours and the ratio of the least times is printed; else the
ratio to 0.4 s, which the Go program, built from golang.org/x/perf by Go 1.27, takes on a machine with two cores.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
RECORDED_SECONDS = 0.4
GOAL = 1.0


def write_results(path: Path, factor: float, names: int = 5_000, count: int = 10) -> None:
    """Writes `names` benchmarks, `count` lines each, with three units."""
    rng = random.Random(1)
    with path.open("w") as file:
        file.write("goos: linux\ngoarch: amd64\npkg: example.com/bench\ncpu: none\n")
        for index in range(names):
            center = 10 ** rng.uniform(1, 6) * factor
            size = rng.choice([0, 16, 48, 1024])
            for _ in range(count):
                value = center * rng.gauss(1, 0.02)
                text = f"{value:.4g}" if value < 1000 else f"{value:.0f}"
                file.write(
                    f"BenchmarkName{index}/sub={index % 7}-8\t{rng.randint(100, 99999)}\t{text} ns/op"
                    f"\t{size} B/op\t{size // 16} allocs/op\n"
                )


def seconds(command: list[str]) -> float:
    """CPU seconds of one run, children included: two cores are shared, the wall clock is not to be trusted."""
    before = os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("old.txt", "new.txt")]
        write_results(Path(files[0]), 1.0)
        write_results(Path(files[1]), 1.03)
        commands = {"conduit": [sys.executable, "-m", "conduit", "benchstat", *files]}
        if go := shutil.which("benchstat"):
            commands["benchstat"] = [go, *files]
        least = dict.fromkeys(commands, float("inf"))
        for _ in range(ROUNDS):
            for name, command in commands.items():
                least[name] = min(least[name], seconds(command))
                time.sleep(0.1)
    against = least.get("benchstat", RECORDED_SECONDS)
    print(f"conduit benchstat: {least['conduit']:.2f} s of CPU, the least of {ROUNDS}")
    print(f"the Go program:    {against:.2f} s{'' if 'benchstat' in least else ' (recorded)'}")
    print(f"ratio:             {least['conduit'] / against:.2f} (goal: at most {GOAL:.0f})")
    return int(least["conduit"] / against > GOAL)


if __name__ == "__main__":
    sys.exit(main())
