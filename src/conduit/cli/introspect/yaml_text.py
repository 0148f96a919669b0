"""JSON as YAML in block style.

A string stands as it is where YAML reads the same text back for certain, else as in JSON, whose escapes YAML has, too.
Lists stand at the column of their key. The C extension has the same, a hundred times as fast, since a large
application's routes are thirteen megabytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY_LIMIT = 512
_DEPTH_LIMIT = 500
_PLAIN = re.compile(
    r"[A-Za-z_/](?:[A-Za-z0-9_\-./()<>,=+*@$%&?!;\[\]{}]|:(?![ ]|\Z)|[ ](?![ #]|\Z))*", re.ASCII
)
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_FORBIDDEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What YAML does not have unescaped, or takes for a line break."""


def yaml_of_json(text: bytes) -> bytes:
    """Return compact JSON as YAML; ValueError for other text or more than 500 levels."""
    pieces = list(_value(msgspec.json.decode(text), 0, False, 0))
    return "".join(pieces).encode()


def _value(value: Any, column: int, after_key: bool, depth: int) -> Iterator[str]:
    """Yield a value behind `key:` or `-`, with the newline; `column` is where the key stands, or an item's value."""
    if depth == _DEPTH_LIMIT:
        raise ValueError("expected JSON without whitespace, at most 500 deep")
    blank = " " if depth else ""
    if not isinstance(value, dict | list):
        yield f"{blank}{_string(value) if isinstance(value, str) else _word(value)}\n"
    elif not value:
        yield blank + ("{}\n" if isinstance(value, dict) else "[]\n")
    else:
        yield "\n" if after_key else blank
        if isinstance(value, dict):
            yield from _map(value, column + 2 if after_key else column, after_key, depth + 1)
        else:
            yield from _list(value, column, after_key, depth + 1)


def _map(value: dict[str, Any], column: int, after_key: bool, depth: int) -> Iterator[str]:
    indent = " " * column
    for number, (key, item) in enumerate(value.items()):
        if number or after_key:
            yield indent
        name = _string(key)
        yield f"? {name}\n{indent}:" if len(name.encode()) > _KEY_LIMIT else f"{name}:"
        yield from _value(item, column, True, depth)


def _list(value: list[Any], column: int, after_key: bool, depth: int) -> Iterator[str]:
    for number, item in enumerate(value):
        if number or after_key:
            yield " " * column
        yield "-"
        yield from _value(item, column + 2, False, depth)


def _string(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _FORBIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", msgspec.json.encode(value).decode())


def _word(value: Any) -> str:
    """Return a number, true, false or null. In YAML 1.1, exponents are numbers only behind a point and with a sign."""
    text = msgspec.json.encode(value).decode()
    if not isinstance(value, float) or "e" not in text:
        return text
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}{'' if '.' in mantissa else '.0'}e{'' if exponent[0] in '+-' else '+'}{exponent}"
