"""Kills every command that writes a file, at random moments: `python -m tests.cli.killed --times 500`.

After each kill the file has its content from before, or is whole; the command then works in the same folder, whatever the
killed one left there. Moments are drawn over the time that the command takes, twice as often in its second half, where
it writes. `test_killed.py` compares the list with the places in the source that write.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import random
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from conduit.metadata import compiled_file
from conduit.profile.codec import decode
from conduit.sources.document_cache import _split
from tests.conftest import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLD = b"the content from before\n"
PROGRAM = "import json\nfor number in range(3000):\n    json.loads('[1, 2, 3]')\n"
BENCHMARK = "def bench_sum(b):\n    for _ in b:\n        sum(range(10))\n"


def _nothing(folder: Path) -> None:
    """Put nothing back."""


class Command(NamedTuple):
    """A command line, the file or folder that it writes, and a function that raises for content that is not whole.

    `reset` puts back what an earlier run has used up. `{pid}` stands for a process that runs, `{url}` for the address
    of a profile. `inside` is the folder in which the command runs; `program` is what Python is given. With `keys`, it
    has a terminal on which they are typed, with that many seconds between.
    """

    arguments: tuple[str, ...]
    output: str
    check: Callable[[bytes], object]
    reset: Callable[[Path], None] = _nothing
    inside: str = ""
    program: tuple[str, ...] = ("-m", "conduit")
    keys: tuple[float, list[bytes]] | None = None


def _is_page(data: bytes) -> None:
    if not data.rstrip().endswith(b"</html>"):
        raise ValueError("the page has no end")


def _is_results(data: bytes) -> None:
    if not data.endswith(b"\n") or not any(line.startswith(b"Benchmark") for line in data.splitlines()):
        raise ValueError("no benchmark, or a line without an end")


def _is_hook(data: bytes) -> None:
    if not data.startswith(b"#!/bin/sh\n") or not data.endswith(b"\n"):
        raise ValueError("the script has no end")


def _is_comparison(data: bytes) -> None:
    if not data.startswith(b"old: ") or b"\nSum " not in data or not data.endswith(b"\n"):
        raise ValueError("no row, or a line without an end")


def _is_history(data: bytes) -> None:
    if data.splitlines()[-1:] != [b"quit"]:
        raise ValueError("the last command is missing")


def _is_compiled(data: bytes) -> None:
    start = len(compiled_file._MAGIC) + 8
    length = int.from_bytes(data[start - 8 : start - 4], "little")
    parts = [line.split(b" ") for line in data[start : start + length].splitlines()[2:]]
    end = start + length + max(int(offset) + int(size) for offset, size, *_ in parts)
    if end != len(data):
        raise ValueError(f"the parts end at {end}")


def _is_document(data: bytes) -> None:
    stamps, document = _split(data)
    if not stamps.files or not json.loads(document):
        raise ValueError("no document")


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


def _no_settings(folder: Path) -> None:
    (folder / "settings.json").unlink(missing_ok=True)


def _empty_git(folder: Path) -> None:
    """Remove the notes and what measuring earlier commits has noted."""
    git(folder / "repository", "update-ref", "-d", "refs/notes/conduit-bench")
    _empty("filled")(folder)


_SAVE_SETTINGS = """
from pathlib import Path
from conduit.report.options import Options
from conduit.web.configs import SavedConfigs
configs = SavedConfigs(Path("settings.json"))
for number in range(30):
    configs.save(f"name {number}", Options())
"""
_STARTS_ANOTHER = "import subprocess, sys\nsubprocess.run([sys.executable, 'program.py'], check=True)\n"
_APPLICATION = """
from flask import Flask
app = Flask(__name__)
for number in range(50):
    app.add_url_rule(f"/{number}", f"view{number}", lambda: "")
"""


COMMANDS = {
    "collect": Command(
        ("collect", "--openapi", "api.json", "-o", "metadata.json"), "metadata.json", json.loads
    ),
    "pprof": Command(("pprof", "-proto", "-output=out.pb.gz", "cpu.pb.gz"), "out.pb.gz", decode),
    "page": Command(("pprof", "-html", "-output=page.html", "cpu.pb.gz"), "page.html", _is_page),
    "run": Command(("run", "-cpuprofile=run.prof", "program.py"), "run.prof", decode),
    "trace": Command(("run", "-trace=trace.json", "program.py"), "trace.json", json.loads),
    "children": Command(("run", "-children", "-cpuprofile=all.prof", "parent.py"), "all.prof", decode),
    "saved": Command(("pprof", "-top", "{url}"), "fetched", decode, _empty("fetched")),
    "numbered": Command(
        ("pprof", "-proto", "../cpu.pb.gz"),
        "numbered",
        decode,
        _empty("numbered"),
        "numbered",
        keys=(0.0, []),
    ),
    "shell": Command(
        ("pprof", "cpu.pb.gz"),
        ".state/conduit/pprof_history",
        _is_history,
        keys=(0.0, [b"comments\n" * 200, b"quit\n"]),
    ),
    "top": Command(
        ("top", "-interval=0.1", "{pid}"),
        "cpu-{pid}.pb.gz",
        decode,
        keys=(0.1, [*[b"s"] * 30, b"q"]),
    ),
    "settings": Command((), "settings.json", json.loads, _no_settings, program=("-c", _SAVE_SETTINGS)),
    "pytest": Command(
        (
            "--bench",
            "--benchtime=1000x",
            "--bench-out=plugin.txt",
            "-q",
            "-p",
            "no:cacheprovider",
            "bench_sum.py",
        ),
        "plugin.txt",
        _is_results,
        program=("-m", "pytest"),
    ),
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
        ("bench", "-benchtime=1000x", "-save=notes", "."),
        "repository",
        lambda _: None,
        _empty_git,
        "repository",
    ),
    "history run": Command(
        ("history", "run", "-env=shared", "-store=../filled", "HEAD~1..HEAD"),
        "filled",
        _is_results,
        _empty_git,
        "repository",
    ),
    "bisect": Command(
        (
            *("history", "bisect", "Sum", "HEAD~1..HEAD", "-env=shared", "-instructions=false", "-error=0.4"),
            *("-o", "../culprit", "."),
        ),
        "culprit",
        decode,
        _empty("culprit"),
        "repository",
    ),
    "against": Command(
        (
            *("bench", "-against=HEAD~1", "-against-env=shared", "-budget=10ms", "-benchmem=false"),
            *("-o", "../against.txt", "."),
        ),
        "against.txt",
        _is_comparison,
        inside="repository",
    ),
    "registry": Command(
        ("introspect", "page", "-html=registry.html", "--metadata", "given.json"), "registry.html", _is_page
    ),
    "compiled": Command(
        ("introspect", "stats", "--metadata", "large.json"), "large.json.compiled", _is_compiled
    ),
    "document": Command(
        ("introspect", "stats", "--app", "application:app"),
        ".cache/conduit/documents",
        _is_document,
        _empty(".cache/conduit/documents"),
    ),
    "dump": Command(("dump", "-json", "-o", "dump.json", "{pid}"), "dump.json", json.loads),
    "record": Command(
        ("record", "-pid={pid}", "-seconds=0.2", "-inside=never", "-o", "rec.prof"), "rec.prof", decode
    ),
    "hook": Command(
        ("hook", "install"), "repository/.git/hooks/pre-commit", _is_hook, _without_hook, "repository"
    ),
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
    for name in ("kept", "imported", "pruned", "filled", "fetched", "numbered", "culprit", "tmp"):
        (folder / name).mkdir()
    (folder / ".state" / "conduit").mkdir(parents=True)
    (folder / ".cache" / "conduit" / "documents").mkdir(parents=True)
    (folder / "parent.py").write_text(_STARTS_ANOTHER)
    (folder / "application.py").write_text(_APPLICATION)
    bench = {"name": "a", "value": 3, "unit": "ns/iter"}
    commit = {"id": "b" * 40, "timestamp": "2026-01-01T00:00:00Z"}
    entry = {"commit": commit, "date": 1767225600000, "tool": "cargo", "benches": [bench]}
    data = json.dumps({"entries": {"suite": [entry]}})
    (folder / "data.js").write_text(f"window.BENCHMARK_DATA = {data}")
    for arguments in (
        ("export", "-o", "pyperf-given.json", "old.txt"),
        ("collect", "--openapi", "api.json", "-o", "given.json"),
    ):
        _run_to_its_end(folder, Command(arguments, "", decode), "")
    given = (folder / "given.json").read_bytes()
    (folder / "large.json").write_bytes(given.ljust(compiled_file.SMALLEST_BYTES))
    _make_repository(folder / "repository")


def _make_repository(folder: Path) -> None:
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "config", "user.name", "a")
    git(folder, "config", "user.email", "a@b")
    for number in range(3):
        size = 1000 if number == 2 else 10  # the last one is slower
        (folder / "size.py").write_text(f"SIZE = {size}  # {number}\n")
        (folder / "bench_sum.py").write_text(
            f"from size import SIZE\n{BENCHMARK.replace('10', 'SIZE')}# {number}\n"
        )
        git(folder, "add", ".")
        git(folder, "commit", "-qm", f"commit {number}")


def git(folder: Path, *arguments: str) -> str:
    """Run git; return what it prints."""
    words = ["git", "-C", str(folder), *arguments]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@contextmanager
def profile_server() -> Iterator[str]:
    """Serve a profile; lend its address."""
    data = (PROJECT / "examples" / "registry.cpu.pb.gz").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/profile"
        server.shutdown()


class Started:
    """A command that was started, in a process group of its own."""

    def __init__(self, home: Path, command: Command, url: str) -> None:
        words = [each.replace("{pid}", str(os.getpid())).replace("{url}", url) for each in command.arguments]
        self._terminal: int | None = None
        terminal = subprocess.DEVNULL
        if command.keys is not None:
            self._terminal, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, *command.program, *words],
            cwd=home / command.inside,
            stdin=terminal,
            stdout=terminal,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={
                **os.environ,
                "HOME": str(home),
                "XDG_CACHE_HOME": str(home / ".cache"),
                "XDG_STATE_HOME": str(home / ".state"),
                "PPROF_TMPDIR": str(home / "fetched"),
                "TMPDIR": str(home / "tmp"),
                "TERM": "xterm",
            },
        )
        self._threads = []
        if self._terminal is not None and command.keys is not None:
            os.close(terminal)
            self._threads = [
                threading.Thread(target=self._read, args=(self._terminal,)),
                threading.Thread(target=self._type, args=(self._terminal, *command.keys)),
            ]
            for thread in self._threads:
                thread.start()

    def end(self) -> bytes:
        """Wait for its end; return its standard error."""
        _, errors = self.process.communicate()
        for thread in self._threads:
            thread.join()
        if self._terminal is not None:
            os.close(self._terminal)
        return errors

    def kill(self) -> None:
        """Kill it and all that it has started."""
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self.process.pid, 9)
        self.end()

    def _read(self, terminal: int) -> None:
        with suppress(OSError):  # the other end is closed
            while os.read(terminal, 1 << 16):
                pass

    def _type(self, terminal: int, pause: float, keys: list[bytes]) -> None:
        with suppress(OSError):
            for key in keys:
                os.write(terminal, key)
                time.sleep(pause)
                if self.process.poll() is not None:
                    return


def kill_often(name: str, times: int, random_number: Callable[[], float]) -> dict[str, int]:
    """Return how often the file was as before, new, and absent. Raise `AssertionError` for a torn one."""
    command = COMMANDS[name]
    outcomes = {"before": 0, "new": 0, "leftovers": 0, "temporary": 0, "worktrees": 0}
    with tempfile.TemporaryDirectory() as text, profile_server() as url:
        folder = Path(text)
        prepare(folder)
        output = folder / command.output.replace("{pid}", str(os.getpid()))
        _run_to_its_end(folder, command, url)  # the first fills caches
        command.reset(folder)
        takes = _run_to_its_end(folder, command, url)
        where = output if output.is_dir() else output.parent
        expected = set(where.iterdir())
        for _ in range(times):
            command.reset(folder)
            _put_old(output, command)
            started = Started(folder, command, url)
            share = random_number()
            time.sleep(takes * (share if random_number() < 1 / 3 else 0.5 + share * 0.7))
            started.kill()
            outcomes[_outcome(output, command)] += 1
        leftovers = {path for path in where.iterdir() if path not in expected}
        unknown = [path.name for path in leftovers if not _is_known(path, command, output)]
        outcomes["leftovers"] = sum(path.match(".conduit-*.tmp") for path in leftovers)
        outcomes["temporary"] = len(list((folder / "tmp").iterdir()))
        assert not unknown, f"{name} leaves {unknown}"
        command.reset(folder)
        _put_old(output, command)
        _run_to_its_end(folder, command, url)
        assert _outcome(output, command) == "new", f"{name} does not work after a kill"
        outcomes["worktrees"] = git(folder / "repository", "worktree", "list").count("\n") - 1
    return outcomes


def _is_known(path: Path, command: Command, output: Path) -> bool:
    """Whether a file may be left: under a temporary name, or as a part of what the command writes."""
    if path.match(".conduit-*.tmp") or output.is_dir():
        return True
    return "-children" in command.arguments and path.match("all.*.prof")


def _put_old(path: Path, command: Command) -> None:
    if command.reset is _nothing:
        path.write_bytes(OLD)


def _run_to_its_end(folder: Path, command: Command, url: str) -> float:
    """Run the command to its end; return how long it took in seconds."""
    began = time.monotonic()
    started = Started(folder, command, url)
    errors = started.end()
    assert started.process.returncode == 0, f"{command.arguments}: {errors.decode()}"
    return time.monotonic() - began


def _outcome(path: Path, command: Command) -> str:
    """Return whether a file is the one from before or a new one; of a folder every file has to be whole."""
    if path.is_dir():
        files = [each for each in path.glob("[!.]*") if each.suffix in (".txt", ".gz", ".prof", ".document")]
        for each in files:
            _check(each, each.read_bytes(), command)
        return "new" if any(path.glob("[!.]*")) else "before"
    data = path.read_bytes() if path.exists() else OLD
    if data == OLD:
        return "before"
    _check(path, data, command)
    return "new"


def _check(path: Path, data: bytes, command: Command) -> None:
    try:
        command.check(data)
    except Exception as error:  # each format has its own
        raise AssertionError(
            f"{path.name} is torn: {error}; {len(data)} bytes, begins {data[:80]!r}"
        ) from error


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
