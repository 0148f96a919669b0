"""Collapsed stacks, one stack on each line, root first: `main;work;parse 12`. Values have no unit in this format."""

from __future__ import annotations

import re

from conduit.fetch.foreign.frame_names import parse_frame
from conduit.fetch.foreign.result import MAX_VALUE, ForeignProfile, malformed
from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType

# py-spy now and then writes a sample with an empty stack: the line is a space and the value.
_LINE = re.compile(r"(?P<stack>(?:\S.*)?) (?P<value>\d+)\s*")
_NO_STACK = "[no stack]"
_THREAD = re.compile(r"(?:tid:|thread )(?P<id>\d+)", re.IGNORECASE)
_CAVEAT = "collapsed stacks have no unit: values are shown as counts"


def decode(data: bytes) -> ForeignProfile | None:
    """Return the profile of collapsed stacks, in samples; None if any line is not one."""
    try:
        lines = [line for line in data.decode("utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError:
        return None
    matches = [_LINE.fullmatch(line) for line in lines]
    if not all(matches) or not any(match and match["stack"] for match in matches):
        return None
    builder = ProfileBuilder([ValueType("samples", "count")])
    for match in matches:
        assert match is not None, "all lines matched"
        value = int(match["value"]) if len(match["value"]) <= 19 else MAX_VALUE + 1
        if value > MAX_VALUE:
            raise malformed("collapsed stacks", f"the value {match['value'][:30]} is over {MAX_VALUE}")
        frames = (match["stack"] or _NO_STACK).split(";")
        thread = _THREAD.fullmatch(frames[0])
        labels = {}
        if thread is not None and len(frames) > 1:
            labels["thread"] = frames.pop(0)
        builder.add([parse_frame(frame) for frame in reversed(frames)], [value], labels)
    return ForeignProfile(builder.build(), _CAVEAT)
