"""Answers as data: JSON as Go's encoder writes it with two blanks of indentation, or YAML with the same keys."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from conduit.cli.terminal_text import printable_on_terminal

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
    print_json_text(escaped_json(value), form)


def print_json_text(text: bytes, form: str) -> None:
    """Print what `escaped_json` returned as `json` or `yaml` on standard output."""
    if form == "yaml":
        from conduit.cli.introspect.yaml_text import yaml_of_json

        text = yaml_of_json(text)
    else:
        text = msgspec.json.format(text, indent=2)
    sys.stdout.flush()
    sys.stdout.buffer.write(printable_on_terminal(text, sys.stdout))
    if form != "yaml":
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


def escaped_json(value: Any) -> bytes:
    """Return a value as compact JSON with Go's escapes."""
    text = msgspec.json.encode(value)
    for raw, escaped in _GO_ESCAPES:
        text = text.replace(raw, escaped)
    return text
