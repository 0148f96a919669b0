"""Turns a tracer's dump into the file that a viewer needs: threads by name, source lines next to the events.

How it works: as Python objects, the events of a trace would take half a gigabyte of the traced program's own memory,
and would leave the heap fragmented. So the tracer writes its events to a file itself, and that text is copied here
block by block. Functions are noted on the way, and control characters, which the tracer writes in file names although
JSON forbids them, become spaces. The tracer names every thread that it has ever seen. These names are written last,
only for threads that have events; placeholders are replaced, and quotes in task names are escaped.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import linecache
import os
import re
import sys
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from conduit.interruption import checkpoint
from conduit.source_rule import SourceRefusedError, SourceRule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conduit.record.module_names import ModuleNames

_BLOCK_BYTES = 1 << 17  # so that a service which writes its trace can do other things in between
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
_PLACE = re.compile(r"(.+) \((.+):(\d+)\)")
_FROZEN = re.compile(r"<frozen ([\w.]+)>")


def finish(dumped: Path, finished: Path, name_of: Callable[[int], str], names: ModuleNames) -> None:
    """Copy the tracer's dump, adding the modules and sources of functions.

    `name_of(native thread id)` returns a name for threads that the tracer did not name.
    """
    functions = _FunctionNames(names)
    tracks: set[bytes] = set()
    rows: list[_NameRow] = []
    with dumped.open("rb") as source, finished.open("wb") as target:
        last = b""
        for block in _blocks(source):
            checkpoint()
            target.write(last)
            rows += _name_rows(block, after_events=bool(tracks))
            last = _FUNCTION.sub(functions.qualified, _NAME_ROW.sub(b"", block))
            tracks.update(_TRACK.findall(last))
        events, rest = _parted(last)
        target.write(events)
        target.write(b",".join(row.text(name_of) for row in rows if row.is_process or row.track in tracks))
        end = rest.rindex(b"}")
        target.write(
            rest[:end] + b', "file_info": ' + json.dumps(_sources(functions.places)).encode() + rest[end:]
        )


class _FunctionNames:
    """The functions' names with their modules; `places` has their files and first lines by those names."""

    def __init__(self, names: ModuleNames) -> None:
        self._names = names
        self._known: dict[bytes, bytes] = {}
        self.places: dict[str, tuple[str, int]] = {}

    def qualified(self, match: re.Match[bytes]) -> bytes:
        """Return the text that replaces a matched name."""
        known = self._known.get(match[1])
        if known is None:
            known = self._known[match[1]] = self._qualify(match)
        return known

    def _qualify(self, match: re.Match[bytes]) -> bytes:
        checkpoint()
        name = str(json.loads(b'"' + match[1] + b'"'))
        place = _PLACE.fullmatch(name)
        if place is None:
            return match[0]
        file, line = place[2], int(place[3])
        module = self._names.module(file)
        if not module.startswith("<") or file.startswith("<"):  # else a region of the user's, perhaps
            name = f"{module}.{name}"
        self.places[name] = (file, line)
        return b'"name":' + json.dumps(name).encode()


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
    """Yield the naming events; those of threads come before all events, those of tasks after them."""
    first = None if after_events else _TIMED.search(block)
    tasks_from = first.start() if first else 0 if after_events else len(block)
    for found in _NAME_ROW.finditer(block):
        yield _NameRow(found[1], found[2], found[3], found.start() >= tasks_from)


def _parted(last: bytes) -> tuple[bytes, bytes]:
    """Return the last events, ready to be followed by more, and the text after the events."""
    end = last.rindex(_END_OF_EVENTS)
    events = last[:end]
    return events + b"," if events.endswith(b"}") else events, last[end:]


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    """Yield the text in blocks that end before an event; the last block has the text after the events."""
    rest = b""
    while more := source.read(_BLOCK_BYTES):
        text = rest + more.translate(_SPACES)
        end = text.rfind(b"},{") + 2
        if end > 1:
            yield text[:end]
        rest = text[end:] if end > 1 else text
    yield rest


def _sources(functions: dict[str, tuple[str, int]]) -> dict[str, dict[str, list[str | int]]]:
    """Return `files` (path -> text and number of lines) and `functions` (name -> path and line) of readable files."""
    files: dict[str, list[str | int]] = {}
    places: dict[str, list[str | int]] = {}
    text_of = functools.cache(functools.partial(_text, SourceRule(), _files_of_modules()))
    for name, (file, line) in functions.items():
        text = text_of(file)
        if text is not None:
            files[file] = [text, text.count("\n")]
            places[name] = [file, line]
    return {"files": files, "functions": places}


def _files_of_modules() -> set[str]:
    """Return the files of loaded modules, including those loaded by path."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {file for file in files if isinstance(file, str)}


def _text(rule: SourceRule, modules: set[str], file: str) -> str | None:
    frozen = _FROZEN.fullmatch(file)
    if frozen is not None:
        specification = importlib.util.find_spec(frozen[1])
        if specification is None or not specification.has_location:
            return None
        file = str(specification.origin)
    # A name that compile() was given can be that of any file.
    if file not in modules and os.path.exists(file):  # noqa: PTH110
        try:
            rule.read(file)
        except (SourceRefusedError, OSError):
            return None
    cached = linecache.cache.get(file)
    lines = linecache.getlines(file)
    if cached is None:  # this process has no use for all the files that it ran: some 100 bytes a line
        linecache.cache.pop(file, None)
    return "".join(lines) or None
