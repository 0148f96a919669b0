"""Processed profiles of the Firefox Profiler: `-gecko` here, `--gecko` of profiling.sampling, samply, saved pages.

Tables are in each thread, or in `shared` in newer versions; both are read. https://profiler.firefox.com
"""

from __future__ import annotations

import json
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from conduit.fetch.foreign.result import MAX_VALUE, ForeignProfile, malformed
from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import TIME_LABEL, TIME_UNIT, ValueType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    _Frame = tuple[str, str, int, int]

_FORMAT = "Firefox Profiler"
_MAX_DEPTH = 100_000
# Type of the weights → sample type, and what a weight is multiplied by.
_TYPES = {
    "samples": (ValueType("samples", "count"), 1),
    "tracing-ms": (ValueType("time", "nanoseconds"), 10**6),
    "bytes": (ValueType("space", "bytes"), 1),
}
_NO_STACK: tuple[_Frame, ...] = (("[no stack]", "", 0, 0),)
_CAVEAT = "samples are counted: the format has no time of each, only when it was taken"


def decode(data: bytes, *, times: bool = False) -> ForeignProfile | None:
    """Return the sum of a file's threads, each labelled with its name; None if the bytes are not in this format.

    With `times`, samples say when they were taken, except those of `-gecko` here from a profile without times, which
    follow each other in any order.

    Raise `MalformedProfileError` for a damaged file, and for threads whose weights cannot be added.
    """
    if data.lstrip()[:1] != b"{" or b'"stackTable"' not in data or b'"meta"' not in data:
        return None
    try:
        document = json.loads(data)
        if "preprocessedProfileVersion" not in document["meta"]:
            raise malformed(_FORMAT, "a raw profile; open it in profiler.firefox.com and save it from there")
        return _read(document, times=times and document["meta"].get("importedFrom") != "conduit")
    except (ValueError, RecursionError) as error:
        raise malformed(_FORMAT, str(error)) from None
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise malformed(_FORMAT, f"a field is missing or of another type: {error}") from None


def _read(document: dict[str, Any], *, times: bool) -> ForeignProfile:
    threads, shared = document["threads"], document.get("shared") or {}
    kinds = {thread["samples"].get("weightType") or "samples" for thread in threads}
    if len(kinds) != 1 or not kinds <= set(_TYPES):
        raise malformed(
            _FORMAT, f"weights that cannot be added: {', '.join(sorted(map(str, kinds))) or 'none'}"
        )
    sample_type, factor = _TYPES[kinds.pop()]
    builder = ProfileBuilder([sample_type])
    for thread in threads:
        labels = {"thread": _thread_name(thread)} if len(threads) > 1 else {}
        tables = _Tables(thread, shared)
        samples = list(_samples(thread["samples"], factor))
        taken = _times(thread["samples"], len(samples)) if times else None
        if taken is not None:
            for (stack, weight), time in zip(samples, taken, strict=True):
                if weight:
                    builder.add(tables.frames(stack), [weight], labels, {TIME_LABEL: time}, TIME_UNIT)
            continue
        sums: dict[int | None, int] = {}
        for stack, weight in samples:
            sums[stack] = sums.get(stack, 0) + weight
        for stack, weight in sums.items():
            if weight:
                builder.add(tables.frames(stack), [weight], labels)
    return ForeignProfile(builder.build(), _CAVEAT if sample_type.unit == "count" else "")


def _thread_name(thread: dict[str, Any]) -> str:
    name, id = str(thread.get("name") or "thread"), str(thread.get("tid", ""))
    return name if not id or id in name else f"{name} ({id})"


def _samples(samples: dict[str, Any], factor: int) -> Iterator[tuple[int | None, int]]:
    """Yield the stack's number, None being a sample without a stack, and the weight of each sample."""
    stacks = samples["stack"]
    weights: Sequence[Any] = samples.get("weight") or [1] * len(stacks)
    if len(weights) != len(stacks):
        raise malformed(_FORMAT, f"{len(stacks)} samples, {len(weights)} weights")
    for stack, weight in zip(stacks, weights, strict=True):
        if not isinstance(weight, (int, float)) or not abs(weight) <= MAX_VALUE // factor:
            raise malformed(_FORMAT, f"{str(weight)[:40]} is not a weight")
        yield stack, round(weight * factor)


def _times(samples: dict[str, Any], count: int) -> list[int] | None:
    """Return when each sample was taken, in nanoseconds; None where the file does not say."""
    times = samples.get("time")
    if times is None and samples.get("timeDeltas") is not None:
        times = list(accumulate(map(_milliseconds, samples["timeDeltas"])))
    if times is None:
        return None
    if len(times) != count:
        raise malformed(_FORMAT, f"{count} samples, {len(times)} times")
    return [round(_milliseconds(time) * 1_000_000) for time in times]


def _milliseconds(time: Any) -> float:
    if not isinstance(time, (int, float)) or not abs(time) <= MAX_VALUE // 1_000_000:
        raise malformed(_FORMAT, f"{str(time)[:40]} is not a time")
    return time


class _Tables:
    """The tables of one thread, from which stacks are put together."""

    def __init__(self, thread: dict[str, Any], shared: dict[str, Any]) -> None:
        def table(name: str) -> Any:
            return thread[name] if name in thread else shared[name]

        self._stacks, self._frames, self._functions = (
            table("stackTable"),
            table("frameTable"),
            table("funcTable"),
        )
        self._strings = table("stringArray")
        self._sources = (shared.get("sources") or {}).get("filename") or []

    def frames(self, stack: int | None) -> list[_Frame]:
        """Return a stack's frames, leaf first."""
        if stack is None:
            return list(_NO_STACK)
        found: list[_Frame] = []
        at: int | None = stack
        while at is not None:
            if not 0 <= at < len(self._stacks["frame"]) or len(found) > _MAX_DEPTH:
                raise malformed(_FORMAT, f"stack {stack} has a prefix that is not in the table, or no end")
            found.append(self._frame(self._stacks["frame"][at]))
            at = self._stacks["prefix"][at]
        return found

    def _frame(self, number: int) -> _Frame:
        function = self._frames["func"][number]
        line = self._frames["line"][number] or 0
        if not isinstance(line, int) or not 0 <= line <= MAX_VALUE:
            raise malformed(_FORMAT, f"the line {line!r} of a frame is not a line number")
        name = str(self._strings[self._functions["name"][function]])
        return name, self._file(function), line, 0

    def _file(self, function: int) -> str:
        for column, names in (("fileName", self._strings), ("source", self._sources)):
            number = (self._functions.get(column) or {function: None})[function]
            if number is not None:
                name = names[number]
                return str(self._strings[name] if isinstance(name, int) else name)
        return ""
