"""Regular expressions of URL patterns in readable form: `^orders/(?P<pk>[^/.]+)/$` becomes `orders/<pk>/`."""

from __future__ import annotations

import re

_ANCHORS = frozenset("AZbB")
_QUANTIFIER = re.compile(r"[?*+]\??|\{\d*,?\d*\}\??")


def readable(pattern: str) -> str:
    """Return the pattern without anchors, escapes and quantifiers; a group is `<name>`, or `<var>` without a name.

    An optional part is kept as if it were present; a part that cannot be simplified is kept as a regular expression.
    """
    written: list[str] = []
    position = 0
    while position < len(pattern):
        position = _take(pattern, position, written)
    return "".join(written)


def _take(pattern: str, position: int, written: list[str]) -> int:
    character = pattern[position]
    if character == "\\" and position + 1 < len(pattern):
        escaped = pattern[position + 1]
        if escaped not in _ANCHORS:
            written.append(escaped if not escaped.isalnum() else "\\" + escaped)
        return _after_quantifier(pattern, position + 2, keep=escaped.isalnum(), written=written)
    if character in "^$":
        return position + 1
    if character == "(":
        end = _closing(pattern, position)
        written.append(_group(pattern[position + 1 : end]))
        return _after_quantifier(pattern, end + 1, keep=False, written=written)
    if character == "[":
        end = _class_end(pattern, position)
        written.append(pattern[position : end + 1])
        return _after_quantifier(pattern, end + 1, keep=True, written=written)
    written.append(character)
    return _after_quantifier(pattern, position + 1, keep=character == ".", written=written)


def _group(inside: str) -> str:
    named = re.match(r"\?P<(\w+)>", inside)
    if named:
        return f"<{named[1]}>"
    if inside.startswith("?:"):
        inner = readable(inside[2:])
        return f"({inner})" if "|" in inner else inner
    return "" if inside.startswith("?") else "<var>"  # a look-around matches no text


def _after_quantifier(pattern: str, position: int, keep: bool, written: list[str]) -> int:
    found = _QUANTIFIER.match(pattern, position)
    if not found:
        return position
    if keep:
        written.append(found[0])
    return found.end()


def _closing(pattern: str, start: int) -> int:
    depth = 0
    position = start
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            position += 1
        elif character == "[":
            position = _class_end(pattern, position)
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return len(pattern)


def _class_end(pattern: str, start: int) -> int:
    position = start + 1
    if pattern[position : position + 1] == "^":
        position += 1
    if pattern[position : position + 1] == "]":
        position += 1
    while position < len(pattern) and pattern[position] != "]":
        position += 2 if pattern[position] == "\\" else 1
    return min(position, len(pattern) - 1)
