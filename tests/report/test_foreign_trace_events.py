"""Chrome's trace events and the times of Firefox Profiler files, as profiles whose samples say when they were taken."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from conduit.errors import MalformedProfileError
from conduit.fetch.foreign import decode_foreign

if TYPE_CHECKING:
    from conduit.profile.model import Location, Profile


class Program:
    """A program on a fake clock, of which each function's own time is known; it writes its trace."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now_us = 1000
        self.own: Counter[tuple[str, ...]] = Counter()
        self.events: list[dict[str, Any]] = []

    def run(self, stack: tuple[str, ...], depth: int) -> None:
        start = self.now_us
        self._work(stack)
        for _ in range(self.random.randrange(3) if depth else 0):
            self.run((*stack, self.random.choice("abc")), depth - 1)
            self._work(stack)
        event = {"name": f"m.{stack[-1]} (/app (new)/m.py:7)", "pid": 1, "tid": 5, "ts": start}
        self.events.append({**event, "ph": "X", "dur": self.now_us - start})

    def _work(self, stack: tuple[str, ...]) -> None:
        spent = self.random.randrange(
            1, 4
        )  # of two calls with one time, a file does not say which is the inner
        self.now_us += spent
        self.own[stack] += spent * 1000


def document(events: list[dict[str, Any]]) -> bytes:
    return json.dumps({"traceEvents": events}).encode()


def profile_of(data: bytes, *, times: bool = False) -> Profile:
    found = decode_foreign(data, times=times)
    assert found is not None
    return found.profile


def function_name(location: Location) -> str:
    function = location.lines[0].function
    assert function is not None
    return function.name


def own_times(profile: Profile) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for sample in profile.samples:
        names = list(map(function_name, sample.locations))
        found[tuple(name.removeprefix("m.") for name in reversed(names))] += sample.values[0]
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("times", [False, True])
@pytest.mark.parametrize("pairs", [False, True])
def test_each_call_has_its_own_time_to_the_nanosecond(seed: int, times: bool, pairs: bool) -> None:
    program = Program(seed)
    for _ in range(30):
        program.run(("main",), 5)
    events = as_pairs(program.events) if pairs else program.random.sample(program.events, len(program.events))
    profile = profile_of(document(events), times=times)
    assert own_times(profile) == Counter({stack: own for stack, own in program.own.items() if own})


def as_pairs(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same calls, in the order in which they ended, as events of their beginning and end."""
    marks = []
    for number, event in enumerate(events):
        fields = {key: event[key] for key in ("name", "pid", "tid")}
        end = event["ts"] + event["dur"]
        marks.append((event["ts"], 1, number, {**fields, "ph": "B", "ts": event["ts"]}))
        marks.append((end, 0, number, {**fields, "ph": "E", "ts": end}))
    return [event for *_, event in sorted(marks, key=lambda mark: mark[:3])]


def test_samples_end_when_the_trace_says() -> None:
    calls = [("outer", 0, 10), ("inner", 2, 3), ("inner", 8, 1)]
    events = [{"ph": "X", "name": name, "pid": 1, "tid": 1, "ts": ts, "dur": dur} for name, ts, dur in calls]
    profile = profile_of(document(events), times=True)
    found = [
        (function_name(sample.locations[0]), sample.numeric_labels["end_timestamp_ns"][0])
        for sample in profile.samples
    ]
    assert found == [("outer", 2000), ("inner", 5000), ("outer", 8000), ("inner", 9000), ("outer", 10000)]


def test_places_threads_and_processes_are_named() -> None:
    events = [
        {"ph": "M", "name": "thread_name", "pid": 1, "tid": 2, "args": {"name": "worker"}},
        {"ph": "M", "name": "process_name", "pid": 1, "tid": 2, "args": {"name": "web"}},
        {"ph": "X", "name": "shop.price (/app (new)/shop.py:12)", "pid": 1, "tid": 2, "ts": 0, "dur": 1},
        {"ph": "X", "name": "time.sleep", "pid": 3, "tid": 4, "ts": 0, "dur": 1},
        {"ph": "C", "name": "memory", "pid": 3, "tid": 4, "ts": 0, "args": {"bytes": 1}},
    ]
    profile = profile_of(json.dumps(events).encode())
    samples = {sample.labels["thread"][0]: sample for sample in profile.samples}
    assert set(samples) == {"web 1: worker (2)", "process 3: thread (4)"}
    line = samples["web 1: worker (2)"].locations[0].lines[0]
    assert line.function is not None
    assert (line.function.name, line.function.filename, line.line) == ("shop.price", "/app (new)/shop.py", 12)


def test_a_call_that_is_not_over_is_told() -> None:
    events = [
        {"ph": "B", "name": "a", "pid": 1, "tid": 1, "ts": 1},
        {"ph": "X", "name": "b", "pid": 1, "tid": 2, "ts": 1, "dur": 1},
    ]
    found = decode_foreign(document(events))
    assert found is not None
    assert found.caveat == "1 call was not over when the trace ended, and left out"


@pytest.mark.parametrize(
    "event",
    [
        {"ph": "X", "name": "a", "ts": "soon", "dur": 1},
        {"ph": "X", "name": "a", "ts": 1, "dur": -5},
        {"ph": "X", "name": "a", "ts": 1e300, "dur": 1},
        {"ph": "X", "name": "a", "dur": 1},
        {"ph": "X", "ts": 1, "dur": 1},
    ],
)
def test_a_damaged_trace_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(MalformedProfileError, match="trace events"):
        decode_foreign(document([event]))


def gecko(samples: dict[str, Any], **meta: object) -> bytes:
    return json.dumps(
        {
            "meta": {"preprocessedProfileVersion": 57, **meta},
            "threads": [
                {
                    "name": "main",
                    "samples": samples,
                    "stackTable": {"frame": [0, 1], "prefix": [None, 0]},
                    "frameTable": {"func": [0, 1], "line": [1, 2]},
                    "funcTable": {"name": [0, 1], "fileName": [None, None]},
                    "stringArray": ["main", "work"],
                }
            ],
        }
    ).encode()


@pytest.mark.parametrize("times", [{"time": [0, 1.5, 4]}, {"timeDeltas": [0, 1.5, 2.5]}])
def test_samples_of_a_firefox_profile_say_when_they_were_taken(times: dict[str, Any]) -> None:
    profile = profile_of(gecko({"stack": [0, 1, 1], **times}), times=True)
    ends = [sample.numeric_labels["end_timestamp_ns"] for sample in profile.samples]
    assert ends == [[0], [1_500_000], [4_000_000]]
    assert len(profile_of(gecko({"stack": [0, 1, 1], **times})).samples) == 2, (
        "without times they are added up"
    )


def test_the_order_of_our_own_firefox_file_is_no_time() -> None:
    data = gecko({"stack": [0, 1], "time": [0, 1]}, importedFrom="conduit")
    assert all(not sample.numeric_labels for sample in profile_of(data, times=True).samples)


def test_viztracers_page_has_the_times_of_its_trace() -> None:
    program = Program(3)
    program.run(("a",), 3)
    trace = document(program.events)
    page = (
        b'<!DOCTYPE html>\n<script>var other = {"ph": 1};</script><script>json_data = '
        + trace
        + b"; view()</script>"
    )
    read, expected = profile_of(page), profile_of(trace)
    assert [sample.values for sample in read.samples] == [sample.values for sample in expected.samples]
    with pytest.raises(MalformedProfileError, match="trace events"):
        decode_foreign(page[:-40])
