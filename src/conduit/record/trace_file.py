"""A tracer's dump made into the file that a viewer wants: threads by name, sources beside the events.

How it works: the events of a trace as Python objects would take half a gigabyte of the traced program's own memory, and
what is left of it in pieces afterwards. So the tracer writes them out itself, and its text is copied here block by block:
functions are noted, and control characters, which the tracer leaves in names of files though JSON forbids them,
become spaces. The tracer names every thread that it has seen in any recording; those names come last here, for threads with
events alone, with placeholders replaced and with the quotes that it leaves in names of tasks.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import linecache
import re
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_BLOCK_BYTES = 1 << 20
_SPACES = bytes(byte if byte >= 0x20 else 0x20 for byte in range(256))
_NAME_ROW = re.compile(
    rb'(\{"ph":"M","pid":\d+,"tid":(\d+),"name":"(?:process|thread)_name","args":\{"name":")(.*?)"\}\}(?:,|(?=\]))'
)
_TRACK = re.compile(rb'"tid": ?(\d+)')
_PLACEHOLDER = b"Dummy-"
_TIMED = re.compile(rb'"ts": ?\d')
_END_OF_EVENTS = b'], "viztracer_metadata"'
_FUNCTION = re.compile(
    rb'"name":"([^"]+\))"'
)  # `name (file:line)`; a file with a quote in its name has no source here
_PLACE = re.compile(r".+ \((.+):(\d+)\)")
_FROZEN = re.compile(r"<frozen ([\w.]+)>")


def finish(dumped: Path, finished: Path, name_of: Callable[[int], str]) -> None:
    """Copies the tracer's dump, with `name_of(native thread id)` for threads it had no name for, and with sources."""
    functions: set[bytes] = set()
    tracks: set[bytes] = set()
    rows: list[_NameRow] = []
    with dumped.open("rb") as source, finished.open("wb") as target:
        last = b""
        for block in _blocks(source):
            target.write(last)
            rows += _name_rows(block, after_events=bool(tracks))
            last = _NAME_ROW.sub(b"", block)
            functions.update(_FUNCTION.findall(last))
            tracks.update(_TRACK.findall(last))
        events, rest = _parted(last)
        target.write(events)
        target.write(b",".join(row.text(name_of) for row in rows if row.is_process or row.track in tracks))
        end = rest.rindex(b"}")
        target.write(rest[:end] + b', "file_info": ' + json.dumps(_sources(functions)).encode() + rest[end:])


class _NameRow(NamedTuple):
    """The event that names a track: a process, a thread, or a task."""

    head: bytes
    track: bytes
    name: bytes
    is_task: bool

    @property
    def is_process(self) -> bool:
        return b'"process_name"' in self.head

    def text(self, name_of: Callable[[int], str]) -> bytes:
        name = self.name.decode(errors="replace")
        if self.name.startswith(_PLACEHOLDER):
            name = name_of(int(self.track))
        elif not self.is_task:  # the tracer writes a task's name without escapes
            name = json.loads(f'"{name}"')
        return self.head[:-1] + json.dumps(name).encode() + b"}}"


def _name_rows(block: bytes, after_events: bool) -> Iterator[_NameRow]:
    """Threads' rows come before all events, tasks' after them."""
    first = None if after_events else _TIMED.search(block)
    tasks_from = first.start() if first else 0 if after_events else len(block)
    for found in _NAME_ROW.finditer(block):
        yield _NameRow(found[1], found[2], found[3], found.start() >= tasks_from)


def _parted(last: bytes) -> tuple[bytes, bytes]:
    """The last events, ready for more to follow them, and what comes after the events."""
    end = last.rindex(_END_OF_EVENTS)
    events = last[:end]
    return events + b"," if events.endswith(b"}") else events, last[end:]


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    """The text in blocks that end before an event, the last one with all that follows the events."""
    rest = b""
    while more := source.read(_BLOCK_BYTES):
        text = rest + more.translate(_SPACES)
        end = text.rfind(b"},{") + 2
        if end > 1:
            yield text[:end]
        rest = text[end:] if end > 1 else text
    yield rest


def _sources(functions: set[bytes]) -> dict[str, dict[str, list[str | int]]]:
    """`files`: path → text and number of lines; `functions`: name → path and line. Files that cannot be read are left out."""
    files: dict[str, list[str | int]] = {}
    places: dict[str, list[str | int]] = {}
    text_of = functools.cache(_text)
    for quoted in functions:
        name = str(json.loads(b'"' + quoted + b'"'))
        place = _PLACE.fullmatch(name)
        text = text_of(place[1]) if place is not None else None
        if place is not None and text is not None:
            files[place[1]] = [text, text.count("\n")]
            places[name] = [place[1], int(place[2])]
    return {"files": files, "functions": places}


def _text(file: str) -> str | None:
    frozen = _FROZEN.fullmatch(file)
    if frozen is not None:
        specification = importlib.util.find_spec(frozen[1])
        if specification is None or not specification.has_location:
            return None
        file = str(specification.origin)
    lines = linecache.getlines(file)
    return "".join(lines) or None
