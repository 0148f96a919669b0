"""`-gecko`: the stacks as a processed profile of the Firefox Profiler (https://profiler.firefox.com), version 57.

A pprof file sums equal stacks and has no times: samples follow each other in the file's order, each with its weight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.report.formats.speedscope import compute_speedscope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from conduit.report.report import Report

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
    """Return the document: one thread with the report's sample type, in milliseconds, bytes or samples."""
    document = compute_speedscope(report)
    profile = document["profiles"][0]
    weight_type, factor = _WEIGHTS.get(profile["unit"], ("samples", 1))
    weights = [weight * factor for weight in profile["weights"]]
    strings = _Strings()
    thread = _thread(document, profile["samples"], weights, weight_type, strings)
    categories = [("Other", "grey"), ("Python", "yellow")]
    return {
        "meta": {
            "interval": 1,
            "startTime": report.profile.time_nanos / 1e6,
            "processType": 0,
            "categories": [
                {"name": name, "color": color, "subcategories": ["Other"]} for name, color in categories
            ],
            "stackwalk": 0,
            "version": _RAW_VERSION,
            "preprocessedProfileVersion": _PROCESSED_VERSION,
            "product": document["name"],
            "importedFrom": "conduit",
            "symbolicated": True,
            "markerSchema": [],
        },
        "libs": [],
        "threads": [thread],
        "pages": [],
        "shared": {
            "stringArray": strings.texts,
            "sources": {"length": 0, "uuid": [], "filename": []},
        },
    }


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
