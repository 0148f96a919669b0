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


def _nothing(folder: Path) -> None:
    """Put nothing back."""


class Command(NamedTuple):
    """A command line, the file or folder that it writes, and a function that raises for content that is not whole.

    `reset` puts back what an earlier run has used up. `{pid}` stands for a process that runs.
    """

    arguments: tuple[str, ...]
    output: str
    check: Callable[[bytes], object]
    reset: Callable[[Path], None] = _nothing


def _is_page(data: bytes) -> None:
    if not data.rstrip().endswith(b"</html>"):
        raise ValueError("the page has no end")


def _is_results(data: bytes) -> None:
    if not data.endswith(b"\n") or not any(line.startswith(b"Benchmark") for line in data.splitlines()):
        raise ValueError("no benchmark, or a line without an end")


def _is_hook(data: bytes) -> None:
    if not data.startswith(b"#!/bin/sh\n") or not data.endswith(b"\n"):
        raise ValueError("the script has no end")


def _fill_store(folder: Path) -> None:
    for number in range(4):
        (folder / "pruned" / f"{number}.txt").write_bytes((folder / "past" / "run.txt").read_bytes())


def _empty(name: str) -> Callable[[Path], None]:
    def empty(folder: Path) -> None:
        for path in (folder / name).glob("[!.]*"):
            path.unlink()

    return empty


def _without_hook(folder: Path) -> None:
    (folder / "repository" / ".git" / "hooks" / "pre-commit").unlink(missing_ok=True)


def _empty_git(folder: Path) -> None:
    """Remove the notes and what measuring earlier commits has noted."""
    git(folder / "repository", "update-ref", "-d", "refs/notes/conduit-bench")
    _empty("filled")(folder)


COMMANDS = {
    "collect": Command(
        ("collect", "--openapi", "api.json", "-o", "metadata.json"), "metadata.json", json.loads
    ),
    "pprof": Command(("pprof", "-proto", "-output=out.pb.gz", "cpu.pb.gz"), "out.pb.gz", decode),
    "page": Command(("pprof", "-html", "-output=page.html", "cpu.pb.gz"), "page.html", _is_page),
    "run": Command(("run", "-cpuprofile=run.prof", "program.py"), "run.prof", decode),
    "trace": Command(("run", "-trace=trace.json", "program.py"), "trace.json", json.loads),
    "bench": Command(("bench", "-benchtime=1000x", "-o", "new.txt", "."), "new.txt", _is_results),
    "save": Command(("bench", "-benchtime=1000x", "-save=kept", "."), "kept", _is_results, _empty("kept")),
    "history": Command(("history", "-html=history.html", "-store=past"), "history.html", _is_page),
    "export": Command(("export", "-o", "pyperf.json", "old.txt"), "pyperf.json", json.loads),
    "import": Command(("import", "-o", "back.txt", "pyperf-given.json"), "back.txt", _is_results),
    "history import": Command(
        ("history", "import", "-store=imported", "data.js"),
        "imported",
        _is_results,
        _empty("imported"),
    ),
    "history prune": Command(
        ("history", "prune", "-keep=1", "-store=pruned"), "pruned", _is_results, _fill_store
    ),
    "notes": Command(
        ("bench", "-benchtime=1000x", "-save=notes", "."), "repository", lambda _: None, _empty_git
    ),
    "history run": Command(
        ("history", "run", "-env=shared", "-store=../filled", "HEAD~2..HEAD"),
        "filled",
        _is_results,
        _empty_git,
    ),
    "registry": Command(
        ("introspect", "page", "-html=registry.html", "--metadata", "given.json"), "registry.html", _is_page
    ),
    "dump": Command(("dump", "-json", "-o", "dump.json", "{pid}"), "dump.json", json.loads),
    "record": Command(
        ("record", "-pid={pid}", "-seconds=0.2", "-inside=never", "-o", "rec.prof"), "rec.prof", decode
    ),
    "hook": Command(("hook", "install"), "repository/.git/hooks/pre-commit", _is_hook, _without_hook),
}
_IN_REPOSITORY = ("notes", "history run", "hook")


def prepare(folder: Path) -> None:
    """Make the inputs of all commands."""
    (folder / "program.py").write_text(PROGRAM)
    (folder / "bench_sum.py").write_text(BENCHMARK)
    (folder / "old.txt").write_text("".join(f"BenchmarkSum 1000 {time} ns/op\n" for time in (250, 251, 249)))
    (folder / "api.json").write_bytes((PROJECT / "examples" / "kratos.json").read_bytes())
    (folder / "cpu.pb.gz").write_bytes((PROJECT / "examples" / "registry.cpu.pb.gz").read_bytes())
    (folder / "past").mkdir()
    (folder / "past" / "run.txt").write_text(f"commit: {'a' * 40}\n\n{(folder / 'old.txt').read_text()}")
    for name in ("kept", "imported", "pruned", "filled", "tmp"):
        (folder / name).mkdir()
    bench = {"name": "a", "value": 3, "unit": "ns/iter"}
    commit = {"id": "b" * 40, "timestamp": "2026-01-01T00:00:00Z"}
    entry = {"commit": commit, "date": 1767225600000, "tool": "cargo", "benches": [bench]}
    data = json.dumps({"entries": {"suite": [entry]}})
    (folder / "data.js").write_text(f"window.BENCHMARK_DATA = {data}")
    conduit(folder, "export", "-o", "pyperf-given.json", "old.txt").communicate()
    conduit(folder, "collect", "--openapi", "api.json", "-o", "given.json").communicate()
    _make_repository(folder / "repository")


def _make_repository(folder: Path) -> None:
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "config", "user.name", "a")
    git(folder, "config", "user.email", "a@b")
    for number in range(3):
        (folder / "bench_sum.py").write_text(f"{BENCHMARK}# {number}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", f"commit {number}")


def git(folder: Path, *arguments: str) -> None:
    """Run git."""
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def conduit(home: Path, *arguments: str, inside: str = "") -> subprocess.Popen[bytes]:
    """Start the command in a process group of its own."""
    arguments = tuple(each.replace("{pid}", str(os.getpid())) for each in arguments)
    return subprocess.Popen(
        [sys.executable, "-m", "conduit", *arguments],
        cwd=home / inside,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={
            **os.environ,
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "TMPDIR": str(home / "tmp"),
        },
    )


def kill_often(name: str, times: int, random_number: Callable[[], float]) -> dict[str, int]:
    """Return how often the file was as before, new, and absent. Raise `AssertionError` for a torn one."""
    command = COMMANDS[name]
    inside = "repository" if name in _IN_REPOSITORY else ""
    outcomes = {"before": 0, "new": 0, "leftovers": 0, "temporary": 0}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        prepare(folder)
        output = folder / command.output
        _finish(folder, command, inside)  # the first fills caches
        command.reset(folder)
        takes = _finish(folder, command, inside)
        where = output if output.is_dir() else output.parent
        expected = set(where.iterdir())
        for _ in range(times):
            command.reset(folder)
            _put_old(output, command)
            process = conduit(folder, *command.arguments, inside=inside)
            share = random_number()
            time.sleep(takes * (share if random_number() < 1 / 3 else 0.5 + share * 0.7))
            os.killpg(process.pid, 9)
            process.communicate()
            outcomes[_outcome(output, command)] += 1
        leftovers = {path for path in where.iterdir() if path not in expected}
        unknown = [
            path.name
            for path in leftovers
            if not path.match(".conduit-*.tmp") and not (output.is_dir() and path.suffix == ".txt")
        ]
        outcomes["leftovers"] = sum(path.match(".conduit-*.tmp") for path in leftovers)
        outcomes["temporary"] = len(list((folder / "tmp").iterdir()))
        assert not unknown, f"{name} leaves {unknown}"
        command.reset(folder)
        _put_old(output, command)
        _finish(folder, command, inside)
        assert _outcome(output, command) == "new", f"{name} does not work after a kill"
    return outcomes


def _put_old(path: Path, command: Command) -> None:
    if command.reset is _nothing:
        path.write_bytes(OLD)


def _finish(folder: Path, command: Command, inside: str) -> float:
    """Run the command to its end; return how long it took in seconds."""
    started = time.monotonic()
    process = conduit(folder, *command.arguments, inside=inside)
    _, errors = process.communicate()
    assert process.returncode == 0, f"{command.arguments}: {errors.decode()}"
    return time.monotonic() - started


def _outcome(path: Path, command: Command) -> str:
    """Return whether a file is the one from before or a new one; of a folder every file has to be whole."""
    if path.is_dir():
        for each in path.glob("[!.]*.txt"):
            command.check(each.read_bytes())
        return "new" if any(path.glob("[!.]*")) else "before"
    data = path.read_bytes() if path.exists() else OLD
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
