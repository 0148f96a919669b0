"""speedscope's JSON (https://www.speedscope.app/file-format-schema.json): sampled and evented profiles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conduit.fetch.foreign.result import MAX_VALUE, ForeignProfile, malformed
from conduit.profile.builder import ProfileBuilder
from conduit.profile.measurement import label
from conduit.profile.merge import column_sums
from conduit.profile.model import TIME_LABEL, ValueType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conduit.profile.model import Profile

    Frame = tuple[str, str, int, int]
    Weighed = tuple[list[int], int, int]  # numbers of frames, root first, the value, and when it ended

_COVERED = 0.95  # of a file's time, the share that has a stack where nothing is missing
_SCHEMA = b"speedscope.app/file-format-schema.json"
# Unit of the file → unit here, and what a value is multiplied by to be a whole number of it.
_UNITS = {
    "nanoseconds": ("nanoseconds", 1),
    "microseconds": ("nanoseconds", 10**3),
    "milliseconds": ("nanoseconds", 10**6),
    "seconds": ("nanoseconds", 10**9),
    "bytes": ("bytes", 1),
    "none": ("count", 1),
}


def decode(data: bytes, *, times: bool = False) -> ForeignProfile | None:
    """Return the sum of a file's profiles, each labelled with its name; None if the bytes are not speedscope's.

    With `times`, samples say when they ended, in a file that has times: with events, or of py-spy.

    Raise `MalformedProfileError` for a damaged file, and for profiles whose units cannot be added.
    """
    if data.lstrip()[:1] != b"{" or _SCHEMA not in data:
        return None
    try:
        document = json.loads(data)
        profile = _read(document, times=times)
        profile.duration_nanos = _covered(document["profiles"])
        return ForeignProfile(profile, _caveat(profile))
    except (ValueError, RecursionError) as error:
        raise malformed("speedscope", str(error)) from None
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise malformed("speedscope", f"a field is missing or of another type: {error}") from None


def _read(document: dict[str, Any], *, times: bool) -> Any:
    frames = [_frame(entry) for entry in document["shared"]["frames"]]
    profiles = document["profiles"]
    units = {_UNITS[profile["unit"]][0] for profile in profiles}
    if len(units) != 1:
        raise malformed(
            "speedscope", f"its profiles have different units: {', '.join(sorted(units)) or 'none'}"
        )
    (unit,) = units
    builder = ProfileBuilder(
        [ValueType({"nanoseconds": "time", "bytes": "space"}.get(unit, "samples"), unit)]
    )
    from_py_spy = str(document.get("exporter") or "").startswith("py-spy")
    for profile in profiles:
        factor = _UNITS[profile["unit"]][1]
        labels = {"thread": str(profile.get("name") or "")} if len(profiles) > 1 else {}
        # Other tools write sums of equal stacks as "sampled", in any order.
        ordered = times and unit == "nanoseconds" and (profile["type"] == "evented" or from_py_spy)
        for stack, value, end in _READERS[profile["type"]](profile, factor):
            if min(stack, default=0) < 0:
                raise IndexError("a negative frame number")
            if value:
                when = {TIME_LABEL: end} if ordered else None
                builder.add([frames[number] for number in reversed(stack)], [value], labels, when)
    return builder.build()


def _covered(profiles: list[dict[str, Any]]) -> int:
    """Return the nanoseconds that profiles of events are of, from the start of the first to the end of the last."""
    spans = [
        [_whole(profile[edge], _UNITS[profile["unit"]][1]) for edge in ("startValue", "endValue")]
        for profile in profiles
        if profile["type"] == "evented"
        and _UNITS[profile["unit"]][0] == "nanoseconds"
        and "endValue" in profile
    ]
    covered = max(end for _, end in spans) - min(start for start, _ in spans) if spans else 0
    return min(max(covered, 0), MAX_VALUE)


def _caveat(profile: Profile) -> str:
    """Say how much of the time is in no stack: pyinstrument's file of a loaded session has the first stack only."""
    (total,) = column_sums(profile)
    if total >= _COVERED * profile.duration_nanos:
        return ""
    return (
        f"a frame was open for {label(total, 'nanoseconds')} of {label(profile.duration_nanos, 'nanoseconds')}: the "
        "rest is in no stack of the file"
    )


def _frame(entry: dict[str, Any]) -> Frame:
    line = entry.get("line") or 0
    if not isinstance(line, int) or not 0 <= line <= MAX_VALUE:
        raise malformed("speedscope", f"the line {line!r} of a frame is not a line number")
    return str(entry["name"]), str(entry.get("file") or ""), line, 0


def _whole(number: float, factor: int) -> int:
    if not isinstance(number, (int, float)) or not abs(number) <= MAX_VALUE // factor:
        raise malformed("speedscope", f"{str(number)[:40]} is not a weight or a time")
    return round(number * factor)


def _sampled(profile: dict[str, Any], factor: int) -> Iterator[Weighed]:
    samples, weights = profile["samples"], profile["weights"]
    if len(samples) != len(weights):
        raise malformed("speedscope", f"{len(samples)} samples, {len(weights)} weights")
    end = _whole(profile.get("startValue") or 0, factor)
    for stack, weight in zip(samples, weights, strict=True):
        value = _whole(weight, factor)
        end += value
        yield stack, value, end


def _evented(profile: dict[str, Any], factor: int) -> Iterator[Weighed]:
    """Yield the stack between two events with the time between them; times are rounded, not their differences."""
    stack: list[int] = []
    before = _whole(profile["startValue"], factor)
    for event in profile["events"]:
        now = _whole(event["at"], factor)
        if now < before:
            raise malformed("speedscope", f"an event at {event['at']} is earlier than the one before it")
        if stack and now > before:
            yield list(stack), now - before, now
        before = now
        if event["type"] == "O":
            stack.append(event["frame"])
        elif not stack or stack.pop() != event["frame"]:
            raise malformed("speedscope", f"frame {event['frame']} is closed but is not the innermost one")


_READERS: dict[str, Callable[[dict[str, Any], int], Iterator[Weighed]]] = {
    "sampled": _sampled,
    "evented": _evented,
}
