"""The time that `conduit run` needs to end its recordings costs the program none of its own time, however it ends."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from conduit._native import available
from conduit.profile.codec import decode
from conduit.record.naming import NO_FRAMES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")

# At so low a rate a sample stands for 0.2 s, and the last ones fall into the end of the recording, which is slow here.
RATE_HZ = 5
PROGRAM = """
import os, signal, sys, time
from conduit.record.thread_names import ThreadNames

def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass

def resolve_slowly(names, resolve=ThreadNames.resolve):
    burn(0.4)
    return resolve(names)

ThreadNames.resolve = resolve_slowly
began = time.thread_time()
burn(0.3)
print(time.thread_time() - began, flush=True)
"""
ENDS = {
    "end of main": "",
    "sys.exit": "sys.exit()",
    "exception": "sys.excepthook = lambda *_: None; raise ValueError",
    "os._exit": "os._exit(0)",
    "os.abort": "os.abort()",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
    "SIGHUP": "signal.raise_signal(signal.SIGHUP); time.sleep(60)",
    "SIGINT": "sys.excepthook = lambda *_: None; signal.raise_signal(signal.SIGINT); time.sleep(60)",
    "exec": "os.execv('/bin/true', ['true'])",
}


IN_C = {
    "a function for atexit": "atexit.register(work)",
    "the flush of its output": "sys.stdout = types.SimpleNamespace(flush=work)",
}
"""Work that the interpreter does for the program, without a frame of the program's."""


def seconds_in_profile(folder: Path, end: str, *flags: str) -> tuple[float, float]:
    """Return the CPU time of a program that ends so: by its own clock, and by its profile."""
    # A signal that is ignored, as `nohup` ignores SIGHUP, would be ignored in the program.
    begin = "import signal\nfor one in (signal.SIGHUP, signal.SIGINT): signal.signal(one, signal.SIG_DFL)\n"
    (folder / "program.py").write_text(f"{PROGRAM}\n{end}\n")
    (folder / "start.py").write_text(
        f"{begin}signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import runpy; runpy.run_module('conduit', run_name='__main__', alter_sys=True)\n"
    )
    command = [sys.executable, "start.py", "run", "-cpuprofile=cpu.prof", f"-profilerate={RATE_HZ}"]
    done = subprocess.run(
        [*command, *flags, "program.py"], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.stdout, done.stderr
    profile = decode((folder / "cpu.prof").read_bytes())
    return float(done.stdout), sum(sample.values[1] for sample in profile.samples) / 1e9


@pytest.mark.parametrize("end", ENDS)
def test_the_profile_has_all_of_the_programs_time_and_nothing_of_its_own_end(
    end: str, tmp_path: Path
) -> None:
    used, found = seconds_in_profile(tmp_path, ENDS[end])
    assert found == pytest.approx(used, rel=0.05)


def test_with_children_the_profile_has_all_of_the_programs_time(tmp_path: Path) -> None:
    used, found = seconds_in_profile(tmp_path, ENDS["SIGTERM"], "-children")
    assert found == pytest.approx(used, rel=0.05)


@pytest.mark.parametrize("end", IN_C)
def test_what_the_interpreter_does_for_the_program_stays_in_the_profile(end: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import atexit, functools, sys, time, types\n"
        "work = functools.partial(sum, range(30_000_000))\n"
        f"began = time.thread_time()\nwork()\nprint(time.thread_time() - began, flush=True)\n{IN_C[end]}\n"
    )
    command = [sys.executable, "-m", "conduit", "run", "-cpuprofile=cpu.prof", "program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    found = 0
    for sample in decode((tmp_path / "cpu.prof").read_bytes()).samples:
        leaf = sample.locations[0].lines[0].function
        found += sample.values[1] if leaf is not None and leaf.name == NO_FRAMES[0] else 0
    assert found / 1e9 > 0.5 * float(done.stdout)
