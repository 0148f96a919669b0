"""Frames that other tools write as one text: separates function, file and line if the text has them."""

from __future__ import annotations

import re

_NAME_FIRST = re.compile(r"(?P<name>.+) \((?P<file>[^()]+):(?P<line>\d{1,9})\)", re.DOTALL)  # py-spy
_FILE_FIRST = re.compile(  # profiling.sampling
    r"(?P<file>[^:]+\.pyw?|<[^<>:]+>):(?P<name>.+):(?P<line>\d{1,9})", re.DOTALL
)


def parse_frame(text: str) -> tuple[str, str, int, int]:
    """Return (function name, file name, line, 0); the file is "" and the line 0 where the text has none."""
    match = _NAME_FIRST.fullmatch(text) or _FILE_FIRST.fullmatch(text)
    if match is None:
        return text, "", 0, 0
    return match["name"], match["file"], int(match["line"]), 0
