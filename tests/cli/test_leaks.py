"""`-leaks` finds the line that keeps memory, and heap tables leave out what imports allocated."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from conduit.cli.pprof import run
from conduit.cli.pprof.leaks import heap_address
from conduit.debug import serve
from conduit.profile.codec import decode, encode
from conduit.profile.model import ValueType
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


def test_in_one_pipe_the_table_comes_before_the_next_commands(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.prof").write_bytes(heap_profile(([LEAK], number << 20)))
    command = [sys.executable, "-m", "conduit", "pprof", "-leaks", "1.prof", "2.prof"]
    done = subprocess.run(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines[-2:]] == ["the source", "in the browser"]


def test_a_table_of_several_profiles_says_in_how_many_steps_each_line_grew_and_ends_with_the_next_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cache = ("cache", "/srv/app.py", 9)
    names = ["1.prof", "2.prof", "3 late.prof"]
    for name, leaked, cached in zip(names, (1, 2, 3), (1, 9, 9), strict=True):
        (tmp_path / name).write_bytes(heap_profile(([LEAK], leaked << 20), ([cache], cached << 20)))
    assert run(["-leaks", *names]) == 0
    printed, said = capsys.readouterr()
    head, leaking, caching = printed.splitlines()[1:]
    assert head.endswith("  objects       grew in")
    assert leaking.endswith("  every step  /srv/app.py:3 leak")
    assert caching.endswith("  1 of 2 steps  /srv/app.py:9 cache")
    assert said.splitlines() == [
        "the source: conduit pprof -list='^leak$' '3 late.prof'",
        "in the browser: conduit pprof -leaks -http=:8080 1.prof 2.prof '3 late.prof'",
    ]
    assert run(["-leaks", *names[:2]]) == 0
    assert "grew in" not in capsys.readouterr().out  # there is one step
    assert run(["-leaks", "-json", *names]) == 0
    assert [line["grown_steps"] for line in json.loads(capsys.readouterr().out)["lines"]] == [2, 1]


ROUTE = ("shop.place", "/srv/shop.py", 52)
HEADERS = ("Headers.__getitem__", "/venv/lib/python3.11/site-packages/starlette/datastructures.py", 564)
DECODE = ("raw_decode", "/usr/lib/python3.11/json/decoder.py", 353)
LOOP = [
    ("<module>", "/venv/bin/uvicorn", 8),
    ("run_forever", "/usr/lib/python3.11/asyncio/base_events.py", 608),
]


def test_memory_that_libraries_allocate_is_summed_by_the_line_of_the_program_that_led_there(
    tmp_path: Path,
) -> None:
    serve = [("serve", "/srv/serve.py", 3), *LOOP]
    for name, grown in (("1", 0), ("2", 1)):
        (tmp_path / f"{name}.prof").write_bytes(
            heap_profile(
                ([*serve, ROUTE, HEADERS], 1_000 + 3_000 * grown),
                ([*serve, ROUTE, HEADERS, DECODE], 1_000 + 4_000 * grown),
                ([*serve, DECODE], 1_000 + 5_000 * grown),
            )
        )
    document = json.loads(pprof(tmp_path, "-leaks", "-json", "1.prof", "2.prof").stdout)
    [led] = document["program_lines"]
    assert (led["file"], led["line"], led["grown_bytes"]) == ("/srv/shop.py", 52, 7_000)
    assert [(line["function"], line["grown_bytes"]) for line in document["lines"]] == [
        ("raw_decode", 9_000),
        ("Headers.__getitem__", 3_000),
    ]
    assert document["lines"][1]["origin"] == {"function": "shop.place", "file": "/srv/shop.py", "line": 52}
    *_, head, row = pprof(tmp_path, "-leaks", "1.prof", "2.prof").stdout.splitlines()
    assert head.split() == ["grown", "rate", "held", "objects"]
    assert "/srv/shop.py:52 shop.place" in row


def test_the_callers_of_a_growing_line_have_the_lines_that_call(tmp_path: Path) -> None:
    stack = [
        ("app.price", "/srv/app.py", 10),
        ("shop.price_of", "/srv/shop.py", 14),
        ("shop._history", "/srv/shop.py", 8),
        ("shop._history.<locals>.<listcomp>", "/srv/shop.py", 8),
    ]
    for name, held in (("1", 1), ("2", 5)):
        (tmp_path / f"{name}.prof").write_bytes(heap_profile((stack, held * 1000)))
    table = pprof(tmp_path, "-leaks", "1.prof", "2.prof").stdout
    assert "(shop._history:8 < shop.price_of:14 < app.price:10)" in table
    [line] = json.loads(pprof(tmp_path, "-leaks", "-json", "1.prof", "2.prof").stdout)["lines"]
    assert line["callers"] == ["shop._history:8", "shop.price_of:14", "app.price:10"]


def test_a_line_of_a_notebook_is_named_by_its_cell_instead_of_the_file_that_the_kernel_invented(
    tmp_path: Path,
) -> None:
    cell = ("In [3].step", "/tmp/ipykernel_7/3009465650.py", 8)
    for name, size in (("1", 1_000), ("2", 9_000)):
        (tmp_path / f"{name}.prof").write_bytes(heap_profile(([cell, HEADERS], size)))
    printed = pprof(tmp_path, "-leaks", "1.prof", "2.prof").stdout
    assert "(from In [3]:8)" in printed
    assert "  In [3]:8 In [3].step" in printed
    assert "ipykernel" not in printed


@pytest.mark.parametrize(("allocated", "warned"), [(400, True), (950, False)])
def test_profiles_of_different_processes_are_said_to_be_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], allocated: int, warned: bool
) -> None:
    for name, amount in (("1.prof", 1000), ("2.prof", allocated)):
        made = profile_of([([LEAK], [4, amount, 1, amount // 4])], types=HEAP)
        (tmp_path / name).write_bytes(encode(made))
    assert run(["-leaks", str(tmp_path / "1.prof"), str(tmp_path / "2.prof")]) == 0
    said = "profile 2 has allocated less in all than profile 1: they are of different processes"
    assert (said in capsys.readouterr().err) == warned


def test_growth_that_samples_may_not_show_is_not_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "1.prof").write_bytes(heap_profile(([LEAK], 1_000), period=524_288))
    ran = pprof(tmp_path, "-leaks", "1.prof", "1.prof")
    assert (
        ran.stdout
        == "No growth seen from the first of 2 profiles to the last: less than 1.5MB of it may go unseen\n"
    )
    assert "heap_rate_bytes=16384" in ran.stderr
    (tmp_path / "2.prof").write_bytes(heap_profile(([LEAK], 1_001_000), period=524_288))
    assert "one sample stands for about 512kB" in pprof(tmp_path, "-leaks", "1.prof", "2.prof").stderr
    (tmp_path / "exact.prof").write_bytes(heap_profile(([LEAK], 1_000), period=1))
    exact = pprof(tmp_path, "-leaks", "exact.prof", "exact.prof")
    assert exact.stdout == "Nothing grew from the first of 2 profiles to the last.\n"
    assert exact.stderr == ""


def test_a_service_alone_is_asked_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[bytes] = []
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        kept.append(bytes(5_000_000))

    monkeypatch.setattr("conduit.cli.pprof.leaks.time", SimpleNamespace(sleep=sleep))
    monkeypatch.setenv("PPROF_TMPDIR", str(tmp_path))
    shown = StringIO()
    with serve("localhost:0") as server, redirect_stdout(shown):
        root = server.url.removesuffix("/debug/pprof/")
        assert run(["-leaks", "-json", "-seconds=7", root]) == 0
        assert run(["-leaks", f"{server.url}heap?seconds=3"]) == 0
    assert slept == [7, 3]
    saved = sorted(map(str, tmp_path.iterdir()))
    assert len(saved) == 4
    assert f"conduit pprof -leaks -http=:8080 {saved[2]} {saved[3]}\n" in capsys.readouterr().err
    first = json.loads(shown.getvalue().partition("\n}\n")[0] + "}")
    assert first["lines"][0]["line"] == sleep.__code__.co_firstlineno + 2
    assert first["lines"][0]["grown_bytes"] >= 5_000_000


@pytest.mark.parametrize(
    ("source", "seconds", "expected"),
    [
        ("localhost:6060", -1, ("http://localhost:6060/debug/pprof/heap", 30)),
        ("http://a/debug/pprof/", 5, ("http://a/debug/pprof/heap", 5)),
        ("http://a/x/debug/pprof/?seconds=4", -1, ("http://a/x/debug/pprof/heap", 4)),
        ("http://a/debug/pprof", 5, ("http://a/debug/pprof/heap", 5)),
        ("https://a/x/heap?gc=1&seconds=9", -1, ("https://a/x/heap?gc=1", 9)),
        ("https://a/x/heap?seconds=none", -1, ("https://a/x/heap", 30)),
        ("missing.prof", -1, ("", 0)),
    ],
)
def test_the_address_of_a_service_leads_to_its_heap(
    source: str, seconds: int, expected: tuple[str, int]
) -> None:
    assert heap_address(source, seconds) == expected


def heap_profile(
    *stacks: tuple[list[tuple[str, str, int]], int], time_nanos: int = 0, period: int = 0
) -> bytes:
    samples = [(stack, [1, size, 1, size]) for stack, size in stacks]
    return encode(
        profile_of(
            samples, types=HEAP, time_nanos=time_nanos, period=period, period_type=ValueType("space", "bytes")
        )
    )


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


def test_imports_that_hold_nothing_any_more_are_not_mentioned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = [([IMPORT], [9, 9_000, 0, 0]), ([LEAK], [1, 1_000, 1, 1_000])]
    (tmp_path / "mem.prof").write_bytes(encode(profile_of(samples, types=HEAP)))
    assert run(["-list=leak", str(tmp_path / "mem.prof")]) == 0
    assert "imports" not in capsys.readouterr().err
    assert run(["-top", "-sample_index=alloc_space", str(tmp_path / "mem.prof")]) == 0
    assert "8.79kB that imports allocated are left out" in capsys.readouterr().err


def _proto(folder: Path, *flags: str) -> bytes:
    pprof(folder, "-proto", *flags, "-output=out.pb.gz", "mem.prof")
    return (folder / "out.pb.gz").read_bytes()


def test_a_listing_and_the_shell_have_the_shares_of_the_table(tmp_path: Path) -> None:
    source = tmp_path / "app.py"
    source.write_text("def leak():\n    pass\n    return bytes(1)\n", encoding="utf-8")
    leak = ("leak", str(source), 3)
    (tmp_path / "mem.prof").write_bytes(heap_profile(([IMPORT], 9 << 20), ([leak], 1 << 20)))
    listing = pprof(tmp_path, "-list=leak", "mem.prof")
    assert "1MB (flat, cum)   100% of Total" in listing.stdout
    assert "9MB that imports allocated are left out" in listing.stderr
    assert "10.00% of Total" in pprof(tmp_path, "-without_imports=false", "-list=leak", "mem.prof").stdout
    shell = subprocess.run(
        [sys.executable, "-m", "conduit", "pprof", "mem.prof"],
        cwd=tmp_path, input="top\nlist leak\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "_find_and_load" not in shell.stdout
    assert "100% of Total" in shell.stdout
    assert "9MB that imports allocated are left out" in shell.stderr


def test_a_heap_of_imports_alone_is_shown(tmp_path: Path) -> None:
    (tmp_path / "mem.prof").write_bytes(heap_profile(([IMPORT], 9_000_000)))
    assert "_find_and_load" in pprof(tmp_path, "-top", "mem.prof").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (
            ["-leaks", "old.prof"],
            2,
            "expected two or more, the earliest first, got 1; take them at two times",
        ),
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
