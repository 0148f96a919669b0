"""Files that Python 3.15's `profiling.sampling` writes: totals and stacks are the ones that its own `replay` prints."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from conduit.errors import MalformedProfileError
from conduit.fetch.foreign import decode_foreign, zstandard
from conduit.fetch.foreign.result import ForeignProfile
from conduit.fetch.foreign.sampling_binary import _Bytes
from conduit.profile.model import Profile

FILES = Path(__file__).parent / "foreign"
PLAIN = (FILES / "profiling-sampling-cpu.bin").read_bytes()
needs_zstd = pytest.mark.skipif(
    zstandard._module() is None, reason="zstd: this Python has none, and backports.zstd is not installed"
)


def read(data: bytes) -> ForeignProfile:
    found = decode_foreign(data)
    assert found is not None
    return found


def stacks(profile: Profile) -> dict[tuple[str, ...], int]:
    """Return function and line of each stack, root first after the thread, as `--collapsed` writes them → samples."""
    found: dict[tuple[str, ...], int] = {}
    for sample in profile.samples:
        frames = [
            f"{line.function.name}:{line.line}"
            for at in reversed(sample.locations)
            for line in at.lines
            if line.function
        ]
        key = (*sample.labels["thread"], *frames)
        found[key] = found.get(key, 0) + sample.values[0]
    return found


@needs_zstd
def test_a_compressed_binary_has_the_stacks_that_replay_prints() -> None:
    found = read((FILES / "profiling-sampling.zstd.bin").read_bytes())
    assert [(one.type, one.unit) for one in found.profile.sample_types] == [
        ("samples", "count"),
        ("wall", "nanoseconds"),
    ]
    by_stack = stacks(found.profile)
    # `replay` of the same file: "Replayed 3030 samples", and these two functions in its table.
    assert sum(by_stack.values()) == 3030
    assert sum(count for key, count in by_stack.items() if key[-1] == "idle:9") == 1510
    assert sum(count for key, count in by_stack.items() if key[-1].startswith("burn:")) == 1520
    assert "1.11% of the samples could not be read" in found.caveat


def test_a_binary_of_mode_cpu_has_cpu_time_of_its_samples_at_the_interval() -> None:
    found = read(PLAIN)
    assert [one.type for one in found.profile.sample_types] == ["samples", "cpu"]
    totals = [sum(sample.values[column] for sample in found.profile.samples) for column in range(2)]
    assert totals == [1503, 1503 * 10**6]  # "Binary profile written (1503 samples)", one a millisecond
    assert found.caveat == (
        "times are samples × the interval of 1ms; 0.73% of the samples could not be read and are missing"
    )


def test_the_flame_graphs_page_has_the_samples_and_functions_that_it_shows() -> None:
    found = read((FILES / "profiling-sampling.flamegraph.html").read_bytes())
    totals = [sum(sample.values[column] for sample in found.profile.samples) for column in range(2)]
    assert totals == [3030, 3030 * 10**6]  # "2 root functions, 3030 total samples"
    leaves: dict[str, int] = {}
    for sample in found.profile.samples:
        (line,) = sample.locations[0].lines
        assert line.function is not None
        leaves[line.function.name] = leaves.get(line.function.name, 0) + sample.values[0]
    assert leaves == {"burn": 1520, "idle": 1510}
    assert "under 0.1%" in found.caveat


def test_what_a_flame_graphs_page_leaves_out_keeps_its_samples() -> None:
    page = b'<html><script>const EMBEDDED_DATA = {"value": 9, "strings": ["f", "a.py"], "children": [{"value": 5, '
    page += b'"self": 2, "children": [], "filename": 1, "funcname": 0, "lineno": 3}]};</script>'
    counts = {
        tuple(
            line.function.name for at in sample.locations for line in at.lines if line.function
        ): sample.values
        for sample in read(page).profile.samples
    }
    left_out = "[under 0.1%]"
    assert counts == {("f",): [2], (left_out, "f"): [3], (left_out,): [4]}


def test_geckos_file_has_the_samples_of_each_thread() -> None:
    profile = read((FILES / "profiling-sampling-two-threads.gecko.json").read_bytes()).profile
    threads: dict[str, int] = {}
    for sample in profile.samples:
        (name,) = sample.labels["thread"]
        threads[name] = threads.get(name, 0) + sample.values[0]
    assert threads == {"Thread-9299": 1510, "Thread-9298": 1520}


def test_what_is_written_as_gecko_is_read_with_its_total_in_nanoseconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from conduit.cli import main

    assert main(["pprof", "-gecko", str(FILES / "profiling-sampling-cpu.bin")]) == 0
    profile = read(capsys.readouterr().out.encode()).profile
    assert [(one.type, one.unit) for one in profile.sample_types] == [("time", "nanoseconds")]
    assert sum(sample.values[0] for sample in profile.samples) == 1503 * 10**6


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"samples": {"stack": [7], "length": 1}}, "stack 7"),
        ({"samples": {"stack": [0, 0], "weight": [1]}}, "2 samples, 1 weights"),
        ({"samples": {"stack": [0], "weight": [float("inf")]}}, "not a weight"),
        ({"samples": {"stack": [0], "weightType": "parsecs"}}, "weights that cannot be added: parsecs"),
        ({"stackTable": {"frame": [0], "prefix": [0]}}, "or no end"),
        ({"funcTable": {"name": [9]}}, "field is missing"),
    ],
)
def test_a_damaged_gecko_file_is_refused_with_its_fault(change: dict[str, object], reason: str) -> None:
    thread = {
        "samples": {"stack": [0]},
        "stackTable": {"frame": [0], "prefix": [None]},
        "frameTable": {"func": [0], "line": [1]},
        "funcTable": {"name": [0]},
        **change,
    }
    document = {
        "meta": {"preprocessedProfileVersion": 57},
        "threads": [thread],
        "shared": {"stringArray": ["f"]},
    }
    with pytest.raises(MalformedProfileError, match=reason):
        decode_foreign(json.dumps(document).encode())


def test_frames_without_a_file_have_none() -> None:
    files = {function.name: function.filename for function in read(PLAIN).profile.functions}
    assert files["<native>"] == ""
    assert files["burn"].endswith("work.py")


def turn_record(at: _Bytes, turned: bytearray) -> None:
    """Copy one record; of it, only the thread and the interpreter have an order of bytes."""
    struct.pack_into(">QI", turned, at.offset, *struct.unpack_from("<QI", at.data, at.offset))
    at.offset += 12
    kind = at.take(1)[0]
    for _ in range(at.varint() if kind == 0 else 1):  # repetitions: time and state of each
        at.varint()
        at.take(1)
    if kind >= 2:  # frames shared with, or taken from, the stack before
        at.varint()
    for _ in range(at.varint() if kind else 0):
        at.varint()


def test_a_binary_of_the_other_byte_order_is_read_alike() -> None:
    turned = bytearray(PLAIN)
    end = len(PLAIN) - 32
    layouts = (("4sI4sQQQIQQII", 0), ("IIQ16s", end), ("ddddII8sII", end - 56))
    for layout, offset in layouts:
        struct.pack_into(">" + layout, turned, offset, *struct.unpack_from("<" + layout, PLAIN, offset))
    turned[:4] = b"TACH"
    records = _Bytes(PLAIN, 64)
    while records.offset < struct.unpack_from("<Q", PLAIN, 40)[0]:
        turn_record(records, turned)
    assert stacks(read(bytes(turned)).profile) == stacks(read(PLAIN).profile)
    assert read(bytes(turned)).caveat == read(PLAIN).caveat


def test_a_binary_is_refused_at_every_length() -> None:
    for length in [*range(8, 200), *range(200, len(PLAIN), 97)]:
        with pytest.raises(MalformedProfileError, match=r"profiling\.sampling's binary"):
            decode_foreign(PLAIN[:length])


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (4, 2, "version 2"),
        (28, 7, "1503 samples, and its header says 7"),
        (40, 1 << 31, "tables are not where"),
        (56, 9, "compression 9"),
    ],
)
def test_a_damaged_header_is_refused_with_its_fault(offset: int, value: int, reason: str) -> None:
    data = bytearray(PLAIN)
    struct.pack_into("<I", data, offset, value)
    with pytest.raises(MalformedProfileError, match=reason):
        decode_foreign(bytes(data))


def test_without_a_module_for_zstd_the_message_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zstandard, "_module", lambda: None)
    with pytest.raises(MalformedProfileError, match=r"pip install backports\.zstd"):
        decode_foreign((FILES / "profiling-sampling.zstd.bin").read_bytes())


WORK = """
def work(n):
    return sum(i * i for i in range(n))

for _ in range(20):
    work(100_000)
"""


@pytest.mark.skipif(sys.version_info < (3, 15), reason="profiling.sampling: it is in Python from 3.15 on")
def test_every_format_of_this_pythons_profiling_sampling_has_the_samples_of_its_replay(
    tmp_path: Path,
) -> None:
    (tmp_path / "work.py").write_text(WORK, encoding="utf-8")

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "profiling.sampling", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        if "permission" in (done.stdout + done.stderr).lower():
            pytest.skip("profiling.sampling may not read other processes here")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("run", "--binary", "-o", "out.bin", "work.py")
    run("replay", "--collapsed", "-o", "out.txt", "out.bin")
    lines = (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines()
    printed = sum(int(line.rpartition(" ")[2]) for line in lines)
    run("replay", "--gecko", "-o", "out.json", "out.bin")
    run("replay", "--flamegraph", "-o", "out.html", "out.bin")
    run("replay", "--pstats", "-o", "out.pstats", "out.bin")
    assert printed
    for name in ("out.bin", "out.txt", "out.json", "out.html", "out.pstats"):
        found = read((tmp_path / name).read_bytes()).profile
        assert (name, sum(sample.values[0] for sample in found.samples)) == (name, printed)
