"""Chrome's trace event format (JSON), as viztracer and `conduit run -trace` write it: calls with their times.

A call's own time is what its callees leave of it. Only calls are read: complete events (`X`) and pairs of `B` and `E`.
https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit.fetch.foreign.result import MAX_VALUE, ForeignProfile, malformed
from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import TIME_LABEL, TIME_UNIT, ValueType
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Frame = tuple[str, str, int, int]
    Thread = tuple[str, str]  # process and thread, as their numbers are written

_FORMAT = "trace events"
_PAGE_DATA = b'json_data = {"traceEvents"'  # of viztracer's page; the viewer is before it
_MAX_DEPTH = 100_000


class Call(NamedTuple):
    """A call of one thread, in nanoseconds."""

    start: int
    end: int
    name: str


class Segment(NamedTuple):
    """A time in which one stack, root first, was on top of its thread."""

    stack: tuple[str, ...]
    start: int
    end: int


def decode(data: bytes, *, times: bool = False) -> ForeignProfile | None:
    """Return the own times of a trace's calls, labelled by thread; None if the bytes are not in this format.

    With `times`, each part of a call is a sample that says when it ended.

    Raise `MalformedProfileError` for a damaged file.
    """
    start = data.lstrip()[:1]
    is_page = start == b"<" and _PAGE_DATA in data
    if not (is_page or start in (b"{", b"[")) or b'"ph"' not in data:
        return None
    try:
        document = _read_page(data) if is_page else json.loads(data)
        events = document["traceEvents"] if isinstance(document, dict) else document
        if not isinstance(events, list):
            raise malformed(_FORMAT, "traceEvents is not a list")
        return _read([event for event in events if isinstance(event, dict)], times=times)
    except (ValueError, RecursionError) as error:
        raise malformed(_FORMAT, str(error)) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise malformed(_FORMAT, f"a field is missing or of another type: {error}") from None


def _read(events: list[dict[str, Any]], *, times: bool) -> ForeignProfile:
    calls, open_calls = _calls(events)
    names = _thread_names(events, calls)
    builder = ProfileBuilder([ValueType("time", "nanoseconds")])
    frames: dict[str, Frame] = {}
    for thread, own in calls.items():
        labels = {"thread": names[thread]} if len(calls) > 1 else {}
        sums: dict[tuple[str, ...], int] = defaultdict(int)
        for stack, start, end in segments(own):
            if times:
                builder.add(_frames(stack, frames), [end - start], labels, {TIME_LABEL: end}, TIME_UNIT)
            else:
                sums[stack] += end - start
        for stack, value in sums.items():
            builder.add(_frames(stack, frames), [value], labels)
    were = counted(open_calls, "call was", "calls were")
    caveat = f"{were} not over when the trace ended, and left out" if open_calls else ""
    return ForeignProfile(builder.build(), caveat)


def _calls(events: Iterable[dict[str, Any]]) -> tuple[dict[Thread, list[Call]], int]:
    """Return the calls of each thread, and how many had begun but not ended."""
    calls: dict[Thread, list[Call]] = {}
    begun: dict[Thread, list[tuple[int, str]]] = defaultdict(list)
    for event in events:
        kind = event.get("ph")
        if kind not in ("X", "B", "E"):
            continue
        thread = (str(event.get("pid", "")), str(event.get("tid", "")))
        at = _nanoseconds(event["ts"])
        if kind == "X":
            end = at + _nanoseconds(event.get("dur", 0))
            if end < at:
                raise malformed(_FORMAT, f"a call at {event['ts']} with a negative duration")
            calls.setdefault(thread, []).append(Call(at, end, str(event["name"])))
        elif kind == "B":
            begun[thread].append((at, str(event["name"])))
        elif begun[thread]:
            start, name = begun[thread].pop()
            calls.setdefault(thread, []).append(Call(start, max(start, at), name))
    return calls, sum(map(len, begun.values()))


def _nanoseconds(microseconds: Any) -> int:
    if not isinstance(microseconds, (int, float)) or not abs(microseconds) <= MAX_VALUE // 2000:
        raise malformed(_FORMAT, f"{str(microseconds)[:40]} is not a time")
    return round(microseconds * 1000)


def segments(calls: Iterable[Call]) -> Iterator[Segment]:
    """Yield the parts of one thread's time with the stack of each, in order of time; those of no length are left out.

    A call that begins inside another and ends after it (two clocks, or rounding) ends with it.
    """
    stack: list[str] = []
    ends: list[int] = []
    position = 0

    def run_until(time: int) -> Iterator[Segment]:
        nonlocal position
        while ends and ends[-1] <= time:
            if ends[-1] > position:
                yield Segment(tuple(stack), position, ends[-1])
                position = ends[-1]
            stack.pop()
            ends.pop()
        if ends and time > position:
            yield Segment(tuple(stack), position, time)
        position = max(position, time)

    last = 0
    for call in sorted(calls, key=lambda one: (one.start, -one.end)):
        yield from run_until(call.start)
        if len(stack) >= _MAX_DEPTH:
            raise malformed(_FORMAT, f"more than {_MAX_DEPTH} calls inside one another")
        stack.append(call.name)
        ends.append(min(call.end, ends[-1]) if ends else call.end)
        last = max(last, call.end)
    if ends:
        yield from run_until(last)


def _frames(stack: tuple[str, ...], known: dict[str, Frame]) -> list[Frame]:
    """Return the frames of a stack, leaf first."""
    return [known.get(name) or known.setdefault(name, _frame(name)) for name in reversed(stack)]


def _read_page(data: bytes) -> Any:
    text = data[data.rindex(_PAGE_DATA) :].decode("utf-8", "replace")
    return json.JSONDecoder().raw_decode(text[text.index("{") :])[0]


def _frame(name: str) -> Frame:
    """Return the frame of `shop.price (/app/shop.py:12)`, as viztracer names a function of Python, or of any name."""
    function, separator, place = name.partition(" (")
    file, _, line = place.removesuffix(")").rpartition(":")
    if separator and place.endswith(")") and file and line.isascii() and line.isdigit() and len(line) < 10:
        return function, file, int(line), 0
    return name, "", 0, 0


def _thread_names(events: Iterable[dict[str, Any]], threads: Iterable[Thread]) -> dict[Thread, str]:
    """Return a name for each thread: its own with its number, and the process's where there are several."""
    given: dict[tuple[str, Thread], str] = {}
    for event in events:
        arguments = event.get("args")
        if event.get("ph") == "M" and isinstance(arguments, dict) and "name" in arguments:
            thread = (str(event.get("pid", "")), str(event.get("tid", "")))
            given[str(event.get("name")), thread] = str(arguments["name"])
    processes = {pid: name for (kind, (pid, _)), name in given.items() if kind == "process_name"}
    several = len({pid for pid, _ in threads}) > 1
    names = {}
    for pid, tid in threads:
        name = given.get(("thread_name", (pid, tid)), "thread")
        name = name if tid in name else f"{name} ({tid})"
        names[pid, tid] = f"{processes.get(pid, 'process')} {pid}: {name}" if several else name
    return names
