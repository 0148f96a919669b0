"""`-gecko`: the stacks as a processed profile of the Firefox Profiler (https://profiler.firefox.com), version 57.

Where every sample says when it was taken (`end_timestamp_ns`: wall profiles with times, traces), each thread is a
track of its own over time. A pprof file that sums equal stacks has no times: its samples follow each other in the
file's order, each with its weight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit.profile.model import TIME_LABEL
from conduit.report.formats.speedscope import compute_speedscope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from conduit.report.report import Report

FROM_SUMS, FROM_TIMES = "conduit", "conduit, in order of time"
"""What `importedFrom` says of samples in any order, and of samples with times."""

_PROCESSED_VERSION = 57
_RAW_VERSION = 32
_PYTHON = 1  # index of the category
# Unit of the speedscope document → weight type of the Firefox Profiler, and the weight's unit in the document's.
_WEIGHTS = {
    "nanoseconds": ("tracing-ms", 1e-6),
    "microseconds": ("tracing-ms", 1e-3),
    "milliseconds": ("tracing-ms", 1.0),
    "seconds": ("tracing-ms", 1e3),
    "bytes": ("bytes", 1),
}


def compute_gecko(report: Report) -> dict[str, Any]:
    """Return the document: the report's sample type in milliseconds, bytes or samples.

    A thread for each thread of the profile where every sample has a time, one in all otherwise.
    """
    document = compute_speedscope(report)
    profile = document["profiles"][0]
    weight_type, factor = _WEIGHTS.get(profile["unit"], ("samples", 1))
    weights = [weight * factor for weight in profile["weights"]]
    strings = _Strings()
    tracks = _tracks(report)
    if tracks:
        threads = [
            _timed_thread(document, track, weights, weight_type, strings, is_main=number == 0)
            for number, track in enumerate(tracks)
        ]
    else:
        threads = [_thread(document, profile["samples"], weights, weight_type, strings)]
    categories = [("Other", "grey"), ("Python", "yellow")]
    return {
        "meta": {
            "interval": report.profile.period / 1e6 if tracks and report.profile.period else 1,
            "startTime": report.profile.time_nanos / 1e6,
            "processType": 0,
            "categories": [
                {"name": name, "color": color, "subcategories": ["Other"]} for name, color in categories
            ],
            "stackwalk": 0,
            "version": _RAW_VERSION,
            "preprocessedProfileVersion": _PROCESSED_VERSION,
            "product": document["name"],
            "importedFrom": FROM_TIMES if tracks else FROM_SUMS,
            "symbolicated": True,
            "markerSchema": [],
        },
        "libs": [],
        "threads": threads,
        "pages": [],
        "shared": {
            "stringArray": strings.texts,
            "sources": {"length": 0, "uuid": [], "filename": []},
        },
    }


class _Track(NamedTuple):
    """A thread's samples in order of time: their numbers in the document, and milliseconds since the first of all."""

    thread: str
    samples: list[int]
    times: list[float]


def _tracks(report: Report) -> list[_Track]:
    """Return a track for each thread, the one that began first first; none unless every sample has a time."""
    columns = report.columns
    found: dict[str, list[tuple[int, int]]] = {}
    kept = zip(columns.label_of, report.values.amounts, report.values.divisors, strict=True)
    shown = (
        columns.label_sets[at] for at, value, divisor in kept if value or divisor
    )  # as the document has them
    for number, labels in enumerate(shown):
        times = labels.numeric_labels.get(TIME_LABEL)
        if not times:
            return []
        name = next(iter(labels.labels.get("thread", ())), "all threads")
        found.setdefault(name, []).append((times[0], number))
    start = min((min(samples)[0] for samples in found.values()), default=0)
    tracks = []
    for name, samples in sorted(found.items(), key=lambda item: min(item[1])):
        samples.sort()
        tracks.append(_Track(name, [at for _, at in samples], [(time - start) / 1e6 for time, _ in samples]))
    return tracks


class _Strings:
    """The document's texts, each once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        if text not in self._numbers:
            self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return self._numbers[text]


def _timed_thread(
    document: dict[str, Any],
    track: _Track,
    weights: list[float],
    weight_type: str,
    strings: _Strings,
    *,
    is_main: bool,
) -> dict[str, Any]:
    samples = [document["profiles"][0]["samples"][number] for number in track.samples]
    used = {frame: at for at, frame in enumerate(sorted({frame for sample in samples for frame in sample}))}
    part = {**document, "shared": {"frames": [document["shared"]["frames"][frame] for frame in used]}}
    numbered = [[used[frame] for frame in sample] for sample in samples]
    thread = _thread(part, numbered, [weights[number] for number in track.samples], weight_type, strings)
    thread["samples"]["time"] = track.times
    return {**thread, "name": track.thread, "tid": track.thread, "isMainThread": is_main}


def _thread(
    document: dict[str, Any],
    samples: Sequence[Sequence[int]],
    weights: list[float],
    weight_type: str,
    strings: _Strings,
) -> dict[str, Any]:
    frames = document["shared"]["frames"]
    prefixes: list[int | None] = []
    stack_frames: list[int] = []
    numbers: dict[tuple[int | None, int], int] = {}
    stacks = []
    for sample in samples:
        stack: int | None = None
        for frame in sample:
            key = (stack, frame)
            if key not in numbers:
                numbers[key] = len(prefixes)
                prefixes.append(stack)
                stack_frames.append(frame)
            stack = numbers[key]
        stacks.append(stack)
    return {
        "name": document["name"],
        "isMainThread": True,
        "processStartupTime": 0,
        "processShutdownTime": None,
        "registerTime": 0,
        "unregisterTime": None,
        "pausedRanges": [],
        "pid": "0",
        "tid": 0,
        "processType": "default",
        "processName": "Python",
        "samples": {
            "stack": stacks,
            "time": list(range(len(stacks))),
            "eventDelay": [None] * len(stacks),
            "weight": weights,
            "weightType": weight_type,
            "length": len(stacks),
        },
        "stackTable": {
            "frame": stack_frames,
            "category": [_PYTHON] * len(prefixes),
            "subcategory": [0] * len(prefixes),
            "prefix": prefixes,
            "length": len(prefixes),
        },
        **_frame_tables(frames, strings),
        "nativeSymbols": {"libIndex": [], "address": [], "name": [], "functionSize": [], "length": 0},
        "markers": {name: [] for name in ("data", "name", "startTime", "endTime", "phase", "category")}
        | {"length": 0},
    }


def _frame_tables(frames: Sequence[dict[str, Any]], strings: _Strings) -> dict[str, Any]:
    functions: dict[tuple[str, str], int] = {}
    of_frame = [
        functions.setdefault((frame["name"], frame.get("file", "")), len(functions)) for frame in frames
    ]
    nothing, none = [None] * len(frames), [None] * len(functions)
    return {
        "frameTable": {
            "address": [-1] * len(frames),
            "category": [_PYTHON] * len(frames),
            "subcategory": [0] * len(frames),
            "func": of_frame,
            "innerWindowID": nothing,
            "implementation": nothing,
            "optimizations": nothing,
            "line": [frame.get("line") for frame in frames],
            "column": [frame.get("col") for frame in frames],
            "inlineDepth": [0] * len(frames),
            "nativeSymbol": nothing,
            "length": len(frames),
        },
        "funcTable": {
            "name": [strings.number(name) for name, _ in functions],
            "isJS": [False] * len(functions),
            "relevantForJS": [False] * len(functions),
            "resource": [-1] * len(functions),
            "fileName": [strings.number(file) if file else None for _, file in functions],
            "lineNumber": none,
            "columnNumber": none,
            "length": len(functions),
        },
        "resourceTable": {"lib": [], "name": [], "host": [], "type": [], "length": 0},
    }


def print_gecko(report: Report) -> Iterator[str]:
    """Yield the document as JSON."""
    import json

    yield json.dumps(compute_gecko(report), ensure_ascii=False, separators=(",", ":"))
