"""pyinstrument's sessions, JSON and pages: samples, lines, threads, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conduit.errors import MalformedProfileError
from conduit.fetch.foreign import decode_foreign
from conduit.fetch.foreign.result import ForeignProfile

THREAD = "MainThread\0<thread>\x0077"
MAIN = "main\0/lib/pyinstrument/__main__.py\x0030\x01l410"
RUNNER = ["<module>\0<string>\x001\x01l1", "run_path\0<frozen runpy>\x00262\x01l291"]
PRICE = "price\0/srv/shop.py\x0010\x01cBasket\x01l12"
SUM = "sum\0<built-in>\x000"
SESSION: dict[str, Any] = {
    "start_time": 1_700_000_000.5,
    "duration": 2.5,
    "start_call_stack": [THREAD, "main\0/lib/pyinstrument/__main__.py\x0030\x01l406"],
    "frame_records": [
        [[THREAD, MAIN, *RUNNER, PRICE], 0.5],
        [[THREAD, MAIN, *RUNNER, PRICE, SUM], 1.0],
        [[THREAD, MAIN, *RUNNER, PRICE], 0.25],
        [[THREAD, MAIN, *RUNNER], 0.125],
    ],
}  # fmt: skip


def node(function: str, time: float, *children: dict[str, Any], **more: object) -> dict[str, Any]:
    return {
        "function": function,
        "file_path": "a.py",
        "line_no": 3,
        "time": time,
        "children": [*children],
        **more,
    }


JSON: dict[str, Any] = {
    "start_time": 1.0,
    "duration": 2.0,
    "target_description": "Program: a.py",
    "root_frame": node(
        "work", 1.5, node("[self]", 0.25), node("price", 0.75, class_name="Basket"), node("sum", 0.500001)
    ),
}


def read(document: object, *, times: bool = False) -> ForeignProfile:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    found = decode_foreign(data, times=times)
    assert found is not None
    return found


def stacks(found: ForeignProfile) -> dict[tuple[str, ...], int]:
    """Nanoseconds by the names of a stack, leaf first."""
    return {
        tuple(
            line.function.name for at in sample.locations for line in at.lines if line.function
        ): sample.values[0]
        for sample in found.profile.samples
    }


def test_a_session_has_its_samples_without_the_frames_that_started_it() -> None:
    found = read(SESSION)
    assert stacks(found) == {("Basket.price",): 750_000_000, ("sum", "Basket.price"): 10**9, (): 125_000_000}
    assert (found.profile.duration_nanos, found.profile.time_nanos) == (
        2_500_000_000,
        1_700_000_000_500_000_000,
    )
    [line] = found.profile.samples[0].locations[0].lines
    assert line.function is not None
    assert (line.function.filename, line.line, line.function.start_line) == ("/srv/shop.py", 12, 10)
    assert found.profile.samples[0].labels == {"thread": ["MainThread (77)"]}
    assert found.caveat == ""


def test_the_samples_of_a_session_say_when_they_ended() -> None:
    ends = [sample.numeric_labels["end_timestamp_ns"] for sample in read(SESSION, times=True).profile.samples]
    assert ends == [[500_000_000], [1_500_000_000], [1_750_000_000], [1_875_000_000]]


def test_the_function_that_started_the_profiler_is_kept() -> None:
    started = {**SESSION, "start_call_stack": [THREAD, "run\0a.py\x001\x01l2", PRICE]}
    records = [[[THREAD, "run\0a.py\x001\x01l2", PRICE, SUM], 1.0]]
    assert stacks(read({**started, "frame_records": records})) == {("sum", "Basket.price"): 10**9}


def test_a_json_report_has_own_times_with_rounded_parts() -> None:
    found = read(JSON)
    assert stacks(found) == {
        ("work",): 249_999_000,
        ("Basket.price", "work"): 750_000_000,
        ("sum", "work"): 500_001_000,
    }
    assert "every sample" in found.caveat
    assert stacks(read({**JSON, "root_frame": None})) == {}


def test_a_page_has_the_tree_of_its_data() -> None:
    tree = {
        "identifier": MAIN.partition("\x01")[0],
        "time": 1.0,
        "attributes": {"l410": 1.0},
        "children": [
            {
                "identifier": "f\0a.py\x001",
                "time": 1.0,
                "attributes": {"l3": 0.25, "l4": 0.75},
                "children": [],
            }
        ],
    }
    data = json.dumps({"session": SESSION, "frame_tree": tree})
    page = f"<html><script>var pyinstrumentHTMLRenderer=0;const sessionData = {data};\n</script>".encode()
    found = read(page)
    assert stacks(found) == {("f",): 10**9}
    assert found.profile.samples[0].locations[0].lines[0].line == 4
    with pytest.raises(MalformedProfileError, match="pyinstrument -r session"):
        decode_foreign(page.replace(b"sessionData", b"other"))
    with pytest.raises(MalformedProfileError, match="pyinstrument"):
        decode_foreign(page[:200])


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({**SESSION, "frame_records": [[[PRICE], -1]]}, "-1 is not a time"),
        ({**SESSION, "frame_records": [[[PRICE], 1e300]]}, "is not a time"),
        ({**SESSION, "frame_records": [[[PRICE]]]}, "not enough values"),
        ({**SESSION, "frame_records": [[[3], 1]]}, "another type"),
        ({**SESSION, "frame_records": [[["f\0a.py\x00one"], 1]]}, "one"),
        ({**SESSION, "frame_records": [[["f\0a.py\x00-1"], 1]]}, "-1 is not a line"),
        ({**JSON, "root_frame": node("f", 1.0, node("g", 2.0))}, "f: its callees took longer"),
        ({**JSON, "root_frame": {"function": "f"}}, "missing or of another type"),
        (json.dumps(JSON).encode()[:-9], "pyinstrument"),
    ],
)
def test_a_damaged_file_is_refused_with_its_fault(document: object, reason: str) -> None:
    with pytest.raises(MalformedProfileError, match=reason):
        read(document)
