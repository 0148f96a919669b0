"""A tracer's dump made into the file that a viewer wants: threads by name, sources beside the events.

How it works: the events of a trace as Python objects would take half a gigabyte of the traced program's own memory, and
what is left of it in pieces afterwards. So the tracer writes them out itself, and its text is copied here block by block:
placeholders of thread names are replaced, functions are noted, and control characters, which the tracer leaves in names
of files though JSON forbids them, become spaces.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import linecache
import re
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_BLOCK_BYTES = 1 << 20
_SPACES = bytes(byte if byte >= 0x20 else 0x20 for byte in range(256))
_PLACEHOLDER = re.compile(rb'("tid":(\d+),"name":"thread_name","args":\{"name":)"Dummy-[^"]*"')
_FUNCTION = re.compile(
    rb'"name":"([^"]+\))"'
)  # `name (file:line)`; a file with a quote in its name has no source here
_PLACE = re.compile(r".+ \((.+):(\d+)\)")
_FROZEN = re.compile(r"<frozen ([\w.]+)>")


def finish(dumped: Path, finished: Path, name_of: Callable[[int], str]) -> None:
    """Copies the tracer's dump, with `name_of(native thread id)` for threads it had no name for, and with sources."""
    functions: set[bytes] = set()
    with dumped.open("rb") as source, finished.open("wb") as target:
        last = b""
        for block in _blocks(source):
            target.write(last)
            functions.update(_FUNCTION.findall(block))
            last = _PLACEHOLDER.sub(lambda found: _named(found, name_of), block)
        end = last.rindex(b"}")
        target.write(last[:end] + b', "file_info": ' + json.dumps(_sources(functions)).encode() + last[end:])


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    """The text in blocks that end between two events, the last one with all that follows them."""
    rest = b""
    while more := source.read(_BLOCK_BYTES):
        text = rest + more.translate(_SPACES)
        end = text.rfind(b"},{") + 1
        if end:
            yield text[:end]
        rest = text[end:]
    yield rest


def _named(placeholder: re.Match[bytes], name_of: Callable[[int], str]) -> bytes:
    return placeholder[1] + json.dumps(name_of(int(placeholder[2]))).encode()


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
