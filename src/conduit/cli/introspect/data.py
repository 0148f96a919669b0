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
    """Prints records, or lists and dicts of them, as `json` or `yaml` on standard output."""
    text = _yaml(value) if form == "yaml" else _json(value)
    sys.stdout.flush()
    sys.stdout.buffer.write(printable_on_terminal(text, sys.stdout))
    sys.stdout.buffer.flush()


def _json(value: Any) -> bytes:
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    for raw, escaped in _GO_ESCAPES:
        text = text.replace(raw, escaped)
    return text + b"\n"


def _yaml(value: Any) -> bytes:
    from conduit.sources.openapi.yaml import import_yaml

    yaml = import_yaml("--format yaml")
    # Through JSON, so that both forms have the same keys and values.
    plain = msgspec.json.decode(msgspec.json.encode(value))
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
    return text.encode()
