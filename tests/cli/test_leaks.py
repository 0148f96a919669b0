"""`-leaks` finds the line that keeps memory, and heap tables leave out what imports allocated."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conduit.profile.codec import decode, encode
from tests.report.making import HEAP, profile_of

SERVICE = """
import conduit, sys
from conduit.files import write_file_whole
from conduit.profile.codec import encode
kept, cache = [], {}
def handle(number):
    kept.append(bytes(1000))
    cache[number % 10] = bytes(5000)
with conduit.record.heap(rate=1) as recording:
    import xml.dom.minidom
    for turn in (1, 2, 3):
        for number in range(200):
            handle(number)
        write_file_whole(f"{turn}.prof", encode(recording.snapshot()))
"""
IMPORT = ("_find_and_load", "<frozen importlib._bootstrap>", 1)
LEAK = ("leak", "/srv/app.py", 3)


def pprof(folder: Path, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [sys.executable, "-m", "conduit", "pprof", *arguments], cwd=folder, capture_output=True, text=True
    )
    assert ran.returncode == status, ran.stderr
    return ran


def test_the_line_that_keeps_memory_is_found_and_a_cache_that_is_full_is_not(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", SERVICE], cwd=tmp_path, check=True)
    lines = json.loads(pprof(tmp_path, "-leaks", "-json", "1.prof", "2.prof", "3.prof").stdout)["lines"]
    assert lines[0]["function"].endswith("handle")
    assert lines[0]["line"] == 7
    assert 400 <= lines[0]["grown_objects"] <= 410  # the list's own table moves
    assert 400_000 <= lines[0]["grown_bytes"] < 450_000
    assert all(line["line"] != 8 for line in lines)
    table = pprof(tmp_path, "-leaks", "1.prof", "3.prof").stdout.splitlines()
    assert table[0].startswith("Grown and still held over ")
    assert ":7 " in table[2]


def heap_profile(*stacks: tuple[list[tuple[str, str, int]], int], time_nanos: int = 0) -> bytes:
    samples = [(stack, [1, size, 1, size]) for stack, size in stacks]
    return encode(profile_of(samples, types=HEAP, time_nanos=time_nanos))


def test_tables_of_heap_profiles_leave_imports_out_and_say_how_much(tmp_path: Path) -> None:
    (tmp_path / "mem.prof").write_bytes(heap_profile(([IMPORT], 9_000_000), ([LEAK], 1_000_000)))
    shown = pprof(tmp_path, "-top", "mem.prof")
    assert "_find_and_load" not in shown.stdout
    assert "100%" in shown.stdout
    assert shown.stderr == "8.58MB that imports allocated are left out; -without_imports=false shows them\n"
    everything = pprof(tmp_path, "-top", "-without-imports=false", "mem.prof")
    assert "_find_and_load" in everything.stdout
    assert everything.stderr == ""
    assert len(decode(_proto(tmp_path)).samples) == 2
    assert len(decode(_proto(tmp_path, "-without-imports")).samples) == 1


def _proto(folder: Path, *flags: str) -> bytes:
    pprof(folder, "-proto", *flags, "-output=out.pb.gz", "mem.prof")
    return (folder / "out.pb.gz").read_bytes()


def test_a_heap_of_imports_alone_is_shown(tmp_path: Path) -> None:
    (tmp_path / "mem.prof").write_bytes(heap_profile(([IMPORT], 9_000_000)))
    assert "_find_and_load" in pprof(tmp_path, "-top", "mem.prof").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["-leaks", "old.prof"], 2, "expected two or more, the earliest first"),
        (["-leaks", "new.prof", "old.prof"], 2, "their times are in another order"),
        (["-leaks", "-top", "old.prof", "new.prof"], 2, "it cannot be given with -top"),
        (["-leaks", "old.prof", "missing.prof"], 2, "missing.prof"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    arguments: list[str], status: int, message: str, tmp_path: Path
) -> None:
    for name, time in (("old", 1), ("new", 2)):
        (tmp_path / f"{name}.prof").write_bytes(heap_profile(([LEAK], 1_000), time_nanos=time))
    assert message in pprof(tmp_path, *arguments, status=status).stderr
