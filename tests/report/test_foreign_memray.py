"""memray's recordings and CSV: totals are the ones that memray itself prints."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from conduit.errors import MalformedProfileError
from conduit.fetch.foreign import decode_foreign, memray
from conduit.fetch.foreign.result import ForeignProfile

CSV = (Path(__file__).parent / "foreign" / "memray.csv").read_bytes()
HEADER = b"allocator,num_allocations,size,tid,thread_name,stack_trace\n"
WORK = "kept = [bytearray(100_000) for _ in range(20)]\ngone = bytearray(700_000)\ndel gone\n"


def read(data: bytes) -> ForeignProfile:
    found = decode_foreign(data)
    assert found is not None
    return found


def totals(found: ForeignProfile) -> dict[str, int]:
    return {
        kind.type: sum(sample.values[column] for sample in found.profile.samples)
        for column, kind in enumerate(found.profile.sample_types)
    }


def lines_of(found: ForeignProfile) -> dict[tuple[str, int], int]:
    """Bytes by file and line of the allocation."""
    held: dict[tuple[str, int], int] = {}
    for sample in found.profile.samples:
        [line] = sample.locations[0].lines
        key = (Path(line.function.filename).name if line.function else "", line.line)
        held[key] = held.get(key, 0) + sample.values[1]
    return held


STATISTICS = {
    "total_num_allocations": 10,
    "total_bytes_allocated": 1000,
    "top_allocations_by_size": [{"location": "<genexpr>:a.py:5", "size": 700}, {"location": "f:/b/c.py:2", "size": 200}],
    "top_allocations_by_count": [{"location": "<genexpr>:a.py:5", "count": 6}, {"location": "???:???:0", "count": 3}],
}  # fmt: skip
TABLE = [
    {"allocator": "malloc", "n_allocations": 2, "size": 300, "stack_trace": "load at at /srv/a b.py:7", "tid": "0x1"},
    {"allocator": "mmap", "n_allocations": 1, "size": 50, "stack_trace": "???", "tid": "0x2"},
]  # fmt: skip


def page(rows: object, title: str = "table report") -> bytes:
    return f"<html><title>memray - {title}</title><script>const packed_data = {json.dumps(rows)};</script>".encode()


def test_memrays_statistics_have_its_totals_and_the_lines_that_it_names() -> None:
    found = read(json.dumps(STATISTICS).encode())
    assert totals(found) == {"alloc_objects": 10, "alloc_space": 1000}
    assert lines_of(found) == {("a.py", 5): 700, ("c.py", 2): 200, ("???", 0): 0, ("", 0): 100}
    assert "[other lines] is the rest" in found.caveat


def test_memrays_table_has_a_sample_for_each_row() -> None:
    found = read(page(TABLE))
    assert totals(found) == {"peak_objects": 3, "peak_space": 350}
    assert lines_of(found)["a b.py", 7] == 300
    names = {function.name for function in found.profile.functions}
    assert names == {"load at", "???"}
    assert set(totals(read(page(TABLE, "table report (memory leaks)")))) == {"inuse_objects", "inuse_space"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (page(TABLE, "flamegraph report"), "the page of a flamegraph report"),
        (page({"a": 1}), "a table of dict"),
        (page([3]), "row 1: int, an object expected"),
        (page([{**TABLE[0], "size": -1}]), "row 1: size: -1"),
        (page([{**TABLE[0], "stack_trace": None}]), "row 1: stack_trace: None"),
        (page(TABLE)[:150], "cannot be read"),
        (b"<title>memray - table report</title>", "cannot be read"),
        (json.dumps({**STATISTICS, "total_bytes_allocated": 5}).encode(), "more than the total"),
        (json.dumps({**STATISTICS, "total_bytes_allocated": True}).encode(), "total_bytes_allocated: True"),
        (json.dumps({**STATISTICS, "top_allocations_by_size": [1]}).encode(), "by_size 1: int"),
        (json.dumps(STATISTICS).encode()[:-9], "cannot be read"),
    ],
)
def test_a_damaged_report_is_refused_with_its_fault(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedProfileError, match=reason):
        decode_foreign(data)


# Each start of memray takes most of a second: its recording and its reports are made by one.
SEVERAL = """
import sys
from memray.commands import main
for command in sys.stdin.read().splitlines():
    if main(command.split()):
        sys.exit(command)
"""
COMMANDS = """run -q -o out.bin work.py
stats --json -o out.json out.bin
table -o table.html out.bin
table --leaks -o leaks.html out.bin
flamegraph -o flame.html out.bin
transform csv --leaks -o leaks.csv out.bin
"""


@pytest.mark.skipif(importlib.util.find_spec("memray") is None, reason="memray: not installed")
def test_a_recording_has_the_peak_that_memray_prints_and_the_leaks_of_its_report(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK, encoding="utf-8")
    command = [sys.executable, "-c", SEVERAL]
    done = subprocess.run(
        command, cwd=tmp_path, input=COMMANDS, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = read((tmp_path / "out.bin").read_bytes())
    assert found.profile.default_sample_type == "peak_space"
    printed = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    peak = printed["metadata"]["peak_memory"]
    assert totals(found)["peak_space"] == peak
    assert totals(read((tmp_path / "out.json").read_bytes())) == {
        "alloc_objects": printed["total_num_allocations"],
        "alloc_space": printed["total_bytes_allocated"],
    }
    table = read((tmp_path / "table.html").read_bytes())
    assert totals(table) == {"peak_objects": totals(found)["peak_objects"], "peak_space": peak}
    assert lines_of(table)["work.py", 1] >= 2_000_000
    assert totals(read((tmp_path / "leaks.html").read_bytes())) == {
        "inuse_objects": totals(found)["inuse_objects"],
        "inuse_space": totals(found)["inuse_space"],
    }
    with pytest.raises(MalformedProfileError, match="memray transform csv"):
        decode_foreign((tmp_path / "flame.html").read_bytes())
    leaks = totals(read((tmp_path / "leaks.csv").read_bytes()))
    assert (totals(found)["inuse_objects"], totals(found)["inuse_space"]) == (
        leaks["objects"],
        leaks["space"],
    )
    of_line = {
        line.line: sample.values[1]
        for sample in found.profile.samples
        for line in sample.locations[0].lines
        if line.function and line.function.filename.endswith("work.py") and sample.values[1] > 500_000
    }
    assert of_line[1] >= 2_000_000


def test_memrays_csv_has_its_bytes_allocations_and_lines() -> None:
    found = read(CSV)
    assert totals(found) == {"objects": 56, "space": 94629}  # "Peak memory usage: 94.629kB"
    assert "--leaks" in found.caveat
    # Of memray's own table: `_get_code_from_file at <frozen runpy>:259`.
    assert "<frozen runpy>" in {function.filename for function in found.profile.functions}


def test_an_allocation_without_frames_is_kept() -> None:
    found = read(HEADER + b"MMAP,1,16384,1,0x1,\n")
    assert totals(found) == {"objects": 1, "space": 16384}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"MALLOC,1,2,1,0x1", "line 2: 5 columns, 6 expected"),
        (b"MALLOC,1,-2,1,0x1,f;a.py;3", "line 2: .* are no numbers"),
        (b"MALLOC,1,99999999999999999999,1,0x1,f;a.py;3", "are no numbers"),
        (b"MALLOC,1,2,1,0x1,f;a.py", "not FUNCTION;FILE;LINE"),
    ],
)
def test_a_damaged_csv_is_refused_with_its_fault(line: bytes, reason: str) -> None:
    with pytest.raises(MalformedProfileError, match=reason):
        decode_foreign(HEADER + line + b"\n")


def test_without_memray_a_recording_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MalformedProfileError, match="memray transform csv"):
        memray.decode(b"memray\x00" + bytes(100))


@pytest.mark.skipif(importlib.util.find_spec("memray") is None, reason="memray: not installed")
def test_a_damaged_recording_is_refused_by_memray_in_its_own_process() -> None:
    with pytest.raises(MalformedProfileError, match="memray cannot read it"):
        memray.decode(b"memray\x00" + bytes(100))
