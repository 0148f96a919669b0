from __future__ import annotations

import asyncio
import gc
import json
import linecache
import platform
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from conduit.errors import ProfilerBusyError
from conduit.record.trace import Trace, region


def busy(n: int) -> int:
    return sum(range(n))


def events(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text())["traceEvents"])


def test_calls_appear_with_name_and_duration(tmp_path: Path) -> None:
    with Trace(tmp_path / "trace.out"):
        busy(1000)
    (call,) = [
        event
        for event in events(tmp_path / "trace.out")
        if event["name"].startswith("tests.record.test_trace.busy (")
    ]
    assert call["ph"] == "X"
    assert call["dur"] > 0


def test_regions_span_what_ran_inside_them(tmp_path: Path) -> None:
    with Trace(tmp_path / "trace.out"), region("index"):
        busy(1000)
    found = {event["name"].split(" ")[0]: event for event in events(tmp_path / "trace.out")}
    outer, inner = found["index"], found["tests.record.test_trace.busy"]
    assert outer["ts"] <= inner["ts"]
    assert inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]


def test_a_region_that_awaits_is_a_span_of_its_own_with_the_name_of_its_task(tmp_path: Path) -> None:
    async def visit(n: int) -> None:
        with region("visit"):
            await asyncio.sleep(0.001 * n)

    async def main() -> None:
        await asyncio.gather(*(asyncio.create_task(visit(n), name=f"visitor {n}") for n in (1, 2)))

    with Trace(tmp_path / "trace.out"):
        asyncio.run(main())
    spans: dict[str, list[dict[str, Any]]] = {}
    for event in events(tmp_path / "trace.out"):
        if event.get("cat") == "region":
            spans.setdefault(event["id2"]["local"], []).append(event)
    assert sorted(begin["args"]["task"] for begin, _ in spans.values()) == ["visitor 1", "visitor 2"]
    for begin, end in spans.values():
        assert (begin["ph"], end["ph"]) == ("b", "e")
        assert begin["name"] == end["name"] == "visit"
        assert end["ts"] - begin["ts"] >= 1000


def test_a_region_without_a_trace_does_nothing() -> None:
    with region("nowhere") as entered:
        assert entered.name == "nowhere"


def test_collections_appear_as_spans_with_their_generation(tmp_path: Path) -> None:
    with Trace(tmp_path / "trace.out"):
        gc.collect()
    names = [event["name"] for event in events(tmp_path / "trace.out") if event.get("cat") == "gc"]
    assert "garbage collection, generation 2" in names


def test_threads_and_tasks_have_tracks_of_their_own_with_their_names(tmp_path: Path) -> None:
    async def main() -> None:
        await asyncio.gather(asyncio.create_task(asyncio.sleep(0.001), name="napper"))

    with Trace(tmp_path / "trace.out"):
        thread = threading.Thread(target=busy, args=(10,), name="worker")
        thread.start()
        thread.join()
        asyncio.run(main())
    tracks = {e["args"]["name"] for e in events(tmp_path / "trace.out") if e["name"] == "thread_name"}
    assert {"MainThread", "worker", "napper"} <= tracks


def test_the_ring_keeps_the_newest_events_and_is_bounded(tmp_path: Path) -> None:
    with Trace(tmp_path / "trace.out", max_events=100):
        for n in range(1000):
            busy(n)
        with region("last"):
            pass
    kept = [event for event in events(tmp_path / "trace.out") if event["ph"] == "X"]
    assert len(kept) <= 100
    assert any(event["name"] == "last" for event in kept)


def test_a_second_trace_is_refused_in_gos_words_and_leaves_the_first_running(tmp_path: Path) -> None:
    with Trace(tmp_path / "first"):
        with pytest.raises(ProfilerBusyError, match="execution tracer already enabled"):
            Trace(tmp_path / "second").start()
        busy(1)
    assert any(
        event["name"].startswith("tests.record.test_trace.busy") for event in events(tmp_path / "first")
    )
    assert not (tmp_path / "second").exists()


def test_the_file_is_written_whole_when_the_block_fails_and_nothing_else_is_left(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Trace(tmp_path / "trace.out"):
        raise RuntimeError
    assert events(tmp_path / "trace.out")
    assert [path.name for path in tmp_path.iterdir()] == ["trace.out"]
    assert not [hook for hook in gc.callbacks if "Collections" in repr(hook)]


def test_the_sources_of_traced_functions_travel_with_the_trace(tmp_path: Path) -> None:
    with Trace(tmp_path / "trace.out"):
        busy(1)
    sources = json.loads((tmp_path / "trace.out").read_text())["file_info"]
    (name,) = [name for name in sources["functions"] if name.startswith("tests.record.test_trace.busy (")]
    file, line = sources["functions"][name]
    assert (file, line) == (__file__, busy.__code__.co_firstlineno)
    assert sources["files"][file][0].splitlines()[line - 1].startswith("def busy")


def test_code_that_was_compiled_under_the_name_of_another_file_takes_no_file_into_the_trace(
    tmp_path: Path,
) -> None:
    (tmp_path / "secret.py").write_text("KEY = 1\n")
    names: dict[str, Any] = {}
    exec(compile("def fake(): return 1", str(tmp_path / "secret.py"), "exec"), names)
    with Trace(tmp_path / "trace.out"):
        names["fake"]()
    assert any("fake" in event["name"] for event in events(tmp_path / "trace.out"))
    assert "KEY" not in (tmp_path / "trace.out").read_text()


def test_the_sources_in_a_trace_do_not_stay_in_memory(tmp_path: Path) -> None:
    linecache.cache.pop(__file__, None)
    with Trace(tmp_path / "trace.out"):
        busy(1)
    assert __file__ in json.loads((tmp_path / "trace.out").read_text())["file_info"]["files"]
    assert __file__ not in linecache.cache


def test_files_with_odd_names_make_no_invalid_json(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(compile("def odd(): return 1", '/tmp/a "b"\\\n\té.py', "exec"), names)
    with Trace(tmp_path / "trace.out"):
        names["odd"]()
    assert any(event["name"].startswith('odd (/tmp/a "b"') for event in events(tmp_path / "trace.out"))


def test_a_discarded_trace_writes_nothing_and_makes_room_for_the_next(tmp_path: Path) -> None:
    first = Trace(tmp_path / "first")
    first.start()
    first.discard()
    with Trace(tmp_path / "second"):
        busy(1)
    assert [path.name for path in tmp_path.iterdir()] == ["second"]


def test_many_traces_share_one_tracer_and_threads_may_end_long_after_theirs(tmp_path: Path) -> None:
    code = """
import threading, sys
from conduit.record.trace import Trace
ended = threading.Event()
for number in range(1100):
    with Trace(sys.argv[1], max_events=1000):
        threads = [threading.Thread(target=ended.wait) for _ in range(2)] if number % 100 == 0 else []
        for thread in threads:
            thread.start()
ended.set()
while threading.active_count() > 1:
    pass
with Trace(sys.argv[1], max_events=1000):
    thread = threading.Thread(target=lambda: len([]), name="late")
    thread.start()
    thread.join()
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "t")], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    late = {e["tid"] for e in events(tmp_path / "t") if e["ph"] == "M" and e["args"]["name"] == "late"}
    assert "builtins.len" in {event["name"] for event in events(tmp_path / "t") if event["tid"] in late}


def test_a_trace_names_the_threads_that_it_saw_and_none_of_an_earlier_trace(tmp_path: Path) -> None:
    def run(name: str) -> None:
        thread = threading.Thread(target=busy, args=(10,), name=name)
        thread.start()
        thread.join()

    for turn in ("first", "second"):
        with Trace(tmp_path / turn):
            for n in range(50):
                run(f"{turn} {n}")
    tracks = {e["args"]["name"] for e in events(tmp_path / "second") if e["name"] == "thread_name"}
    assert {f"second {n}" for n in range(50)} <= tracks
    assert not [name for name in tracks if name.startswith("first")]


@pytest.mark.parametrize("name", ['report "7" of C:\\new', "C:\\new", "été \\u00e9"])
def test_a_name_with_quotes_and_backslashes_arrives_as_it_is(tmp_path: Path, name: str) -> None:
    async def main() -> None:
        await asyncio.gather(asyncio.create_task(asyncio.sleep(0.001), name=name))

    with Trace(tmp_path / "trace.out"):
        thread = threading.Thread(target=busy, args=(10,), name=f"{name}, by a thread")
        thread.start()
        thread.join()
        asyncio.run(main())
    tracks = {e["args"]["name"] for e in events(tmp_path / "trace.out") if e["name"] == "thread_name"}
    assert {name, f"{name}, by a thread"} <= tracks


def test_a_trace_of_nothing_is_a_whole_file(tmp_path: Path) -> None:
    with Trace(tmp_path / "trace.out", min_duration_us=1e9):
        busy(1)
    assert [event["name"] for event in events(tmp_path / "trace.out") if event["ph"] == "X"] == []


def test_a_second_trace_is_refused_until_the_first_has_been_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, refused = Trace(tmp_path / "first"), []
    write = Trace._write

    def write_and_try_another(self: Trace, tracer: Any) -> None:
        with pytest.raises(ProfilerBusyError):
            Trace(tmp_path / "second").start()
        refused.append(True)
        write(self, tracer)

    monkeypatch.setattr(Trace, "_write", write_and_try_another)
    with first:
        busy(10)
    monkeypatch.undo()
    assert refused
    with Trace(tmp_path / "second"):
        busy(10)
    assert any(
        event["name"].startswith("tests.record.test_trace.busy (") for event in events(tmp_path / "second")
    )


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the ring is found through glibc's own notes")
def test_the_memory_of_the_ring_goes_back_after_a_trace_and_the_next_one_is_whole(tmp_path: Path) -> None:
    # In a process of its own: here the ring may lie in memory that other tests have left resident.
    script = f"from pathlib import Path; from tests.record.test_trace import fill_the_ring; fill_the_ring(Path({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def fill_the_ring(folder: Path) -> None:
    """Fill a ring twice; raise where its memory does not go back, or the second trace is not whole."""

    def resident_kb() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

    def filled() -> Trace:
        return Trace(folder / "trace.out", max_events=400_001, releases_memory=True)

    with filled():
        busy(1)
    before = resident_kb()
    recording = filled()
    recording.start()
    for _ in range(410_000):
        len("")
    full = resident_kb()
    recording.stop()
    assert full - before > 20_000
    assert resident_kb() - before < (full - before) / 2
    with filled():
        busy(1)
    assert any(
        event["name"].startswith("tests.record.test_trace.busy (") for event in events(folder / "trace.out")
    )


def test_a_trace_goes_into_a_pipe(tmp_path: Path) -> None:
    code = "from conduit.record import trace\nwith trace('/dev/stdout'): sum(range(10))"
    ran = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert json.loads(ran.stdout)["traceEvents"]
