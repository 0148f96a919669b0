"""Every command on a bad day: no home, folders whose names are not text, a full disk, closed output. A message, no traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conduit.cli import COMMANDS
from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import encode
from conduit.profile.model import ValueType
from tests.conftest import OWN_GOLDEN, PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable

# A call of each command that answers with something; the files are made below.
CALLS: dict[str, tuple[str, ...]] = {
    "bench": ("-benchtime=1x", "."),
    "benchstat": ("old.txt",),
    "collect": ("--openapi", "api.json", "-o", "collected.json"),
    "completion": ("bash",),
    "doctor": (),
    "export": ("old.txt",),
    "history": ("list",),
    "hook": ("install",),
    "import": ("no-such.json",),
    "introspect": ("stats", "--metadata", "metadata.json"),
    "mcp": ("--help",),
    "pprof": ("-top", "cpu.prof"),
    "dump": ("-pid", "999999999"),
    "record": ("-pid", "999999999"),
    "run": ("-wallprofile=wall.prof", "program.py"),
    "skill": (),
    "top": ("-once", "-pid", "999999999"),
    "trace": ("nothing.json",),
}


# A user without an entry in the password file.
NO_ENTRY = """
import pwd
def getpwuid(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")
pwd.getpwuid = getpwuid
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose name is not UTF-8, with a file for each command."""
    base = tmp_path_factory.mktemp("bad")
    folder = Path(os.fsdecode(os.fsencode(base) + b"/caf\xe9 \xff"))
    folder.mkdir()
    (folder / "bench_sum.py").write_text("def bench_sum(b):\n    for _ in b:\n        sum(range(10))\n")
    (folder / "old.txt").write_text("BenchmarkSum 10 5 ns/op\nBenchmarkSum 10 6 ns/op\n")
    (folder / "api.json").write_text(
        '{"openapi": "3.0.0", "info": {"title": "t", "version": "1"}, "paths": {}}'
    )
    (folder / "program.py").write_text("print(sum(range(10)))\n")
    shutil.copy(OWN_GOLDEN / "registry" / "03_bench3.json", folder / "metadata.json")
    shutil.copy(PROJECT / "examples" / "registry.cpu.pb.gz", folder / "cpu.prof")
    (base / "sitecustomize.py").write_text(NO_ENTRY)
    return folder


@pytest.fixture
def conduit(folder: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    def run(command: str, **options: object) -> subprocess.CompletedProcess[bytes]:
        kept = ("PATH", "LANG", "LC_ALL", "CONDUIT_NATIVE")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment["PYTHONPATH"] = str(folder.parent)
        words = [sys.executable, "-m", "conduit", command, *CALLS[command]]
        settings = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "stdin": subprocess.DEVNULL,
            **options,
        }
        return subprocess.run(words, cwd=folder, env=environment, timeout=120, **settings)  # type: ignore[call-overload,no-any-return]

    return run


def test_every_command_has_a_call_here() -> None:
    assert set(CALLS) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_home_and_in_a_folder_that_is_no_text_a_command_ends_without_a_traceback(
    command: str, conduit: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    done = conduit(command)
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    assert done.returncode in (0, 1, 2)
    assert done.returncode == 0 or done.stderr.strip()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_a_message_and_a_failure(
    command: str, conduit: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = conduit(command, stdout=full)
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    if conduit(command).stdout:
        assert done.returncode == 1
        assert b"No space left on device" in done.stderr


# A program under `run` has no output then, as under python: tests/cli/test_run_like_python.py.
@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"run"}))
def test_closed_output_is_a_message_and_a_failure(
    command: str, conduit: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    done = conduit(command, stdout=None, preexec_fn=lambda: os.close(1))
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    if conduit(command).stdout:
        assert done.returncode == 1
        assert b"Bad file descriptor" in done.stderr


# The limit is set when all that starts a command is loaded: below that the interpreter itself fails to import.
LIMITED = """
import resource
from conduit.cli import program
with open("/proc/self/status") as status:
    size = next(int(line.split()[1]) for line in status if line.startswith("VmSize")) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size + (100 << 20),) * 2)
program()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_too_little_memory_is_a_message_and_a_failure(tmp_path: Path) -> None:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    builder.add([("f" * (120 << 20), "f.py", 1, 1)], [1])
    (tmp_path / "large.pb.gz").write_bytes(encode(builder.build(), level=1))
    (tmp_path / "limited.py").write_text(LIMITED)
    command = [sys.executable, "limited.py", "pprof", "-top", "large.pb.gz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("conduit: not enough memory: raise the limit (ulimit -v")
    assert done.stderr.count("\n") == 1
