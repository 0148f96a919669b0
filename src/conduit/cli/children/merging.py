"""One file of a run from those of its processes: profiles with a label `process`, or a timeline of all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.profile.model import Profile

LABEL = "process"
_EVENTS = b'"traceEvents":['
_END_OF_EVENTS = b'], "viztracer_metadata"'


class Part(NamedTuple):
    """The file of one process, and how messages and comments call the process."""

    number: str
    path: str
    title: str


def merge_profiles(parts: Sequence[Part], dropped_comments: Sequence[str] = ()) -> Profile:
    """Return the sum of profiles, each sample labelled with its process.

    Time and duration are those of the first part, the program's own process: the others ran within it.
    """
    from conduit.profile.codec import decode
    from conduit.profile.merge import merge, set_label

    profiles = []
    for part in parts:
        with open(part.path, "rb") as file:  # noqa: PTH123
            profiles.append(set_label(decode(file.read()), LABEL, [part.number]))
    merged = merge(profiles)
    merged.time_nanos, merged.duration_nanos = profiles[0].time_nanos, profiles[0].duration_nanos
    titles = [f"process {part.number}: {part.title}" for part in parts]
    merged.comments = [text for text in merged.comments if text not in dropped_comments] + titles
    return merged


def merge_traces(parts: Sequence[Part]) -> bytes:
    """Return the timeline of several: their clocks are one, and each event names its process."""
    events: list[bytes] = []
    overflow = False
    sources: dict[str, dict[str, object]] = {"files": {}, "functions": {}}
    for part in parts:
        with open(part.path, "rb") as file:  # noqa: PTH123
            data = file.read()
        start, end = data.index(_EVENTS) + len(_EVENTS), data.rindex(_END_OF_EVENTS)
        if end > start:
            events.append(data[start:end])
        rest = json.loads(b'{"events": [' + data[end:])
        overflow = overflow or bool(rest["viztracer_metadata"].get("overflow"))
        for kind, known in sources.items():
            known.update(rest["file_info"][kind])
    rest_of_all = {"viztracer_metadata": {"overflow": overflow}, "file_info": sources}
    return b"{" + _EVENTS + b",".join(events) + b"], " + json.dumps(rest_of_all).encode()[1:]
