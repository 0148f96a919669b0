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


@pytest.mark.slow  # memray starts several times
@pytest.mark.skipif(importlib.util.find_spec("memray") is None, reason="memray: not installed")
def test_a_recording_has_the_peak_that_memray_prints_and_the_leaks_of_its_report(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK, encoding="utf-8")

    def run(*arguments: str) -> None:
        command = [sys.executable, "-m", "memray", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    run("run", "-q", "-o", "out.bin", "work.py")
    run("stats", "--json", "-o", "out.json", "out.bin")
    found = read((tmp_path / "out.bin").read_bytes())
    assert found.profile.default_sample_type == "peak_space"
    printed = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["metadata"]["peak_memory"]
    assert totals(found)["peak_space"] == printed
    run("transform", "csv", "--leaks", "-o", "leaks.csv", "out.bin")
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


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("memray") is None, reason="memray: not installed")
def test_a_damaged_recording_is_refused_by_memray_in_its_own_process() -> None:
    with pytest.raises(MalformedProfileError, match="memray cannot read it"):
        memray.decode(b"memray\x00" + bytes(100))
