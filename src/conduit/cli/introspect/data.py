"""Answers as data: JSON as Go's encoder writes it with two blanks of indentation, or YAML with the same keys."""

from __future__ import annotations

import sys

from conduit._native import available as native_available
from conduit.cli.terminal_text import printable_on_terminal

# `typing` and msgspec would slow answers that need neither; type checkers know this name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

# Go escapes these inside texts, so that a document can stand in HTML and JavaScript; nowhere else can they occur.
_GO_ESCAPES = (
    (b"<", rb"\u003c"),
    (b">", rb"\u003e"),
    (b"&", rb"\u0026"),
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
)


def print_data(value: Any, form: str) -> None:
    """Print records, or lists and dicts of them, as `json` or `yaml` on standard output."""
    text = escaped_json(value)
    _print([yaml_of_json(text)] if form == "yaml" else [indented_json(text), b"\n"])


def print_arrays(arrays: Iterable[bytes], form: str) -> None:
    """Print the records of JSON arrays, none of them empty, as one array in `json` or `yaml` on standard output.

    The texts of the records are as `escaped_json` makes them.
    """
    _print(_yaml_of(arrays) if form == "yaml" else _indented(arrays))


def _print(pieces: Iterable[bytes | memoryview]) -> None:
    sys.stdout.flush()
    is_terminal = sys.stdout.isatty()
    for piece in pieces:
        sys.stdout.buffer.write(printable_on_terminal(bytes(piece), sys.stdout) if is_terminal else piece)
    sys.stdout.buffer.flush()


def _yaml_of(arrays: Iterable[bytes]) -> Iterator[bytes]:
    rest = iter(arrays)
    yield yaml_of_json(next(rest, b"[]"))
    yield from map(yaml_of_json, rest)


def _indented(arrays: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    begin, end = b"[", b"[]\n"
    for array in arrays:
        yield begin
        yield memoryview(indented_json(array))[1:-2]  # a copy takes as long as the indentation
        begin, end = b",", b"\n]\n"
    yield end


def _indented_json(text: bytes) -> bytes:
    """Return compact JSON with two blanks for each level; ValueError, in msgspec's words, for other text."""
    import msgspec

    return msgspec.json.format(text, indent=2)


if TYPE_CHECKING or not native_available():
    from conduit.cli.introspect.yaml_text import yaml_of_json as yaml_of_json

    indented_json = _indented_json
else:
    from conduit._native.answers import indented_json as indented_json
    from conduit._native.answers import yaml_of_json as yaml_of_json


def escaped_json(value: Any) -> bytes:
    """Return a value as compact JSON with Go's escapes."""
    import msgspec

    text = msgspec.json.encode(value)
    for raw, escaped in _GO_ESCAPES:
        text = text.replace(raw, escaped)
    return text
