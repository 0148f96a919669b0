"""Kills every command that writes a file, at random moments: `python -m tests.cli.killed --times 500`.

After each kill the file has its content from before, or is whole; the command then works in the same folder, whatever the
killed one left there. Moments are drawn over the time that the command takes, twice as often in its second half, where
it writes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from conduit.profile.codec import decode
from tests.conftest import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable

OLD = b"the content from before\n"
PROGRAM = "import json\nfor number in range(3000):\n    json.loads('[1, 2, 3]')\n"
BENCHMARK = "def bench_sum(b):\n    for _ in b:\n        sum(range(10))\n"


class Command(NamedTuple):
    """A command line, the file that it writes, and a function that raises for content that is not whole."""

    arguments: tuple[str, ...]
    output: str
    check: Callable[[bytes], object]


def _is_page(data: bytes) -> None:
    if not data.rstrip().endswith(b"</html>"):
        raise ValueError("the page has no end")


def _is_results(data: bytes) -> None:
    if not data.endswith(b"\n") or not any(line.startswith(b"Benchmark") for line in data.splitlines()):
        raise ValueError("no benchmark, or a line without an end")


COMMANDS = {
    "collect": Command(
        ("collect", "--openapi", "api.json", "-o", "metadata.json"), "metadata.json", json.loads
    ),
    "pprof": Command(("pprof", "-proto", "-output=out.pb.gz", "cpu.pb.gz"), "out.pb.gz", decode),
    "page": Command(("pprof", "-html", "-output=page.html", "cpu.pb.gz"), "page.html", _is_page),
    "run": Command(("run", "-cpuprofile=run.prof", "program.py"), "run.prof", decode),
    "trace": Command(("run", "-trace=trace.json", "program.py"), "trace.json", json.loads),
    "bench": Command(("bench", "-benchtime=1000x", "-o", "new.txt", "."), "new.txt", _is_results),
    "save": Command(("bench", "-benchtime=1000x", "-save=kept", "."), "kept", lambda _: None),
    "history": Command(("history", "-html=history.html", "-store=past"), "history.html", _is_page),
    "export": Command(("export", "-o", "pyperf.json", "old.txt"), "pyperf.json", json.loads),
    "import": Command(("import", "-o", "back.txt", "pyperf-given.json"), "back.txt", _is_results),
}


def prepare(folder: Path) -> None:
    """Make the inputs of all commands."""
    (folder / "program.py").write_text(PROGRAM)
    (folder / "bench_sum.py").write_text(BENCHMARK)
    (folder / "old.txt").write_text("".join(f"BenchmarkSum 1000 {time} ns/op\n" for time in (250, 251, 249)))
    (folder / "api.json").write_bytes((PROJECT / "examples" / "kratos.json").read_bytes())
    (folder / "cpu.pb.gz").write_bytes((PROJECT / "examples" / "registry.cpu.pb.gz").read_bytes())
    (folder / "past").mkdir()
    (folder / "past" / "run.txt").write_text(f"commit: {'a' * 40}\n\n{(folder / 'old.txt').read_text()}")
    conduit(folder, "export", "-o", "pyperf-given.json", "old.txt").communicate()


def conduit(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "conduit", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / ".cache")},
    )


def kill_often(name: str, times: int, random_number: Callable[[], float]) -> dict[str, int]:
    """Return how often the file was as before, new, and absent. Raise `AssertionError` for a torn one."""
    command = COMMANDS[name]
    outcomes = {"before": 0, "new": 0, "leftovers": 0}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        prepare(folder)
        _finish(folder, command)  # the first fills caches
        takes = _finish(folder, command)
        expected = set(folder.iterdir())
        for _ in range(times):
            _put_old(folder / command.output)
            process = conduit(folder, *command.arguments)
            share = random_number()
            time.sleep(takes * (share if random_number() < 1 / 3 else 0.5 + share * 0.7))
            os.killpg(process.pid, 9)
            process.communicate()
            outcomes[_outcome(folder / command.output, command)] += 1
        leftovers = set(folder.iterdir()) - expected
        outcomes["leftovers"] = len(leftovers)
        unknown = [path.name for path in leftovers if not path.match(".conduit-*.tmp")]
        assert not unknown, f"{name} leaves {unknown}"
        _put_old(folder / command.output)
        _finish(folder, command)
        assert _outcome(folder / command.output, command) == "new", f"{name} does not work after a kill"
    return outcomes


def _put_old(path: Path) -> None:
    if path.suffix:
        path.write_bytes(OLD)


def _finish(folder: Path, command: Command) -> float:
    """Run the command to its end; return how long it took in seconds."""
    started = time.monotonic()
    process = conduit(folder, *command.arguments)
    _, errors = process.communicate()
    assert process.returncode == 0, f"{command.arguments}: {errors.decode()}"
    return time.monotonic() - started


def _outcome(path: Path, command: Command) -> str:
    """Return whether a file is the one from before or a new one; of a folder every file has to be whole."""
    if path.is_dir():
        for each in path.glob("[!.]*"):
            _is_results(each.read_bytes())
        return "new" if any(path.iterdir()) else "before"
    data = path.read_bytes()
    if data == OLD:
        return "before"
    try:
        command.check(data)
    except Exception as error:  # each format has its own
        raise AssertionError(
            f"{path.name} is torn: {error}; {len(data)} bytes, begins {data[:80]!r}"
        ) from error
    return "new"


def main() -> int:
    """Kill each command, print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("commands", nargs="*", default=[*COMMANDS])
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else int.from_bytes(os.urandom(4), "big")
    print(f"killed: seed {seed}", flush=True)
    for name in arguments.commands:
        outcomes = kill_often(name, arguments.times, random.Random(seed).random)
        print(f"killed: {name}, {arguments.times} times: {outcomes}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
