"""Answers as data: JSON as Go's encoder writes it with two blanks of indentation, or YAML with the same keys."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec

from conduit.cli.terminal_text import printable_on_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    _print([_yaml(text) if form == "yaml" else msgspec.json.format(text, indent=2) + b"\n"])


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
    yield _yaml(next(rest, b"[]"))
    yield from map(_yaml, rest)


def _yaml(text: bytes) -> bytes:
    from conduit.cli.introspect.yaml_text import yaml_of_json

    return yaml_of_json(text)


def _indented(arrays: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    begin, end = b"[", b"[]\n"
    for array in arrays:
        yield begin
        yield memoryview(msgspec.json.format(array, indent=2))[1:-2]  # a copy takes as long as the indentation
        begin, end = b",", b"\n]\n"
    yield end


def escaped_json(value: Any) -> bytes:
    """Return a value as compact JSON with Go's escapes."""
    text = msgspec.json.encode(value)
    for raw, escaped in _GO_ESCAPES:
        text = text.replace(raw, escaped)
    return text
