from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from conduit._native import available, reason
from conduit.profile.codec import decode
from conduit.record.process_tree import command_of, descendants

pytestmark = pytest.mark.skipif(not available(), reason=reason())

FAMILY = """
import subprocess, sys
def of_the_child():
    while True: pass
def of_the_parent():
    while True: pass
if sys.argv[1:]:
    print("ready", flush=True)
    of_the_child()
child = subprocess.Popen([sys.executable, __file__, "child"])
other = subprocess.Popen(["sleep", "1000"])
print(child.pid, other.pid, flush=True)
of_the_parent()
"""


class Family(NamedTuple):
    """The processes of the program: the parent, its child, and a child that is not Python."""

    parent: int
    child: int
    other: int


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    program = tmp_path / "family.py"
    program.write_text(FAMILY)
    command = [sys.executable, str(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as started:
        assert started.stdout is not None
        lines = sorted(started.stdout.readline() for _ in range(2))
        child, other = map(int, lines[0].split())
        yield Family(started.pid, child, other)
        os.killpg(started.pid, signal.SIGKILL)


def recorded(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "conduit", "record", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_children_are_recorded_into_one_profile_in_which_each_sample_names_its_process(
    family: Family, tmp_path: Path
) -> None:
    file = tmp_path / "all.prof"
    done = recorded(f"-pid={family.parent}", "-children", "-inside=never", "-seconds=1", f"-o={file}")
    assert done.returncode == 0, done.stderr
    found: dict[str, set[str]] = {}
    for sample in decode(file.read_bytes()).samples:
        leaf = sample.locations[0].lines[0].function
        assert leaf is not None
        (number,) = sample.labels["process"]
        found.setdefault(number, set()).add(leaf.name.rpartition(".")[2])
    assert found.keys() == {str(family.parent), str(family.child)}
    assert "of_the_parent" in found[str(family.parent)]
    assert "of_the_child" in found[str(family.child)]
    assert f"process {family.other} (sleep 1000) was not recorded: " in done.stderr
    assert "s of CPU time of 2 processes in " in done.stderr


def test_without_one_process_that_can_be_recorded_the_reason_is_said_and_no_file_is_written(
    family: Family, tmp_path: Path
) -> None:
    file = tmp_path / "all.prof"
    done = recorded(f"-pid={family.other}", "-children", "-seconds=1", f"-o={file}")
    assert done.returncode == 1
    assert f"process {family.other} is no CPython of version 3.11 or later" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not file.exists()


def test_descendants_are_those_of_the_kernel_without_what_is_left_out(family: Family) -> None:
    assert descendants(family.parent) == sorted([family.child, family.other])
    assert descendants(family.parent, without=family.child) == [family.other]
    assert command_of(family.other) == "sleep 1000"
    os.kill(family.other, signal.SIGKILL)
    while descendants(family.parent) != [family.child]:  # its exit status is still there
        time.sleep(0.01)
