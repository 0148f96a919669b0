"""Plain text as patterns, where RE2 is not installed.

Text is found as a substring, with `^` and `$` as anchors. Everything else is refused.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from conduit.regexps.expression import PatternUnavailableError

if TYPE_CHECKING:
    from typing import Any

    from conduit.regexps.expression import Expression, Text

_META = frozenset(r"\.+*?()|[]{}^$")
_NEWEST_WITH_WHEELS = (3, 15)


def compile_plain(text: Text) -> Expression[Text]:
    """Return an expression for plain text; raise `PatternUnavailableError` for any other."""
    source = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
    parsed = _parse(source)
    if parsed is None:
        raise PatternUnavailableError(
            f"cannot match the regular expression `{source}`: RE2 is not installed; {how_to_get_re2()} "
            "(without it, plain text anchored by ^ or $ can be matched)"
        )
    literal, at_start, at_end = parsed
    wanted: Any = literal if isinstance(text, str) else literal.encode("utf-8", "surrogateescape")
    return _PlainExpression(wanted, at_start=at_start, at_end=at_end)


def how_to_get_re2() -> str:
    """Return the command that installs RE2 for this version of Python, or which versions have it."""
    if sys.version_info[:2] > _NEWEST_WITH_WHEELS:
        return "it has no package for this version of Python: use Python 3.11 to 3.15 for it"
    return f"pip install {'google-re2' if sys.version_info < (3, 15) else 'pyre2'}"


def _parse(source: str) -> tuple[str, bool, bool] | None:
    """Return the text and whether it is anchored at its start and its end; None if it is more than that."""
    start = next((mark for mark in ("^", r"\A") if source.startswith(mark)), "")
    rest = source[len(start) :]
    end = _end_anchor(rest)
    literal = []
    letters = iter(rest[: len(rest) - len(end)])
    for letter in letters:
        if letter == "\\":
            letter = next(letters, "")
            if letter not in _META or not letter:
                return None
        elif letter in _META:
            return None
        literal.append(letter)
    return "".join(literal), bool(start), bool(end)


def _end_anchor(rest: str) -> str:
    """Return the anchor at the end, unless a backslash takes its meaning away."""
    for mark in ("$", r"\z"):
        before = rest.removesuffix(mark)
        if before != rest and (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            return mark
    return ""


class _PlainExpression:
    """A text that is searched for as it stands, so there are no groups."""

    def __init__(self, literal: Any, *, at_start: bool, at_end: bool) -> None:
        self._literal = literal
        self._at_start = at_start
        self._at_end = at_end

    def search(self, text: Any) -> _PlainMatch | None:
        if self._at_start and self._at_end:
            return _PlainMatch(len(text)) if text == self._literal else None
        if self._at_start:
            return _PlainMatch(len(self._literal)) if text.startswith(self._literal) else None
        if self._at_end:
            return _PlainMatch(len(text)) if text.endswith(self._literal) else None
        found = text.find(self._literal)
        return None if found < 0 else _PlainMatch(found + len(self._literal))

    def findall(self, text: Any) -> list[Any]:
        if self._at_start or self._at_end:
            return [self._literal] if self.search(text) else []
        return [self._literal] * text.count(self._literal)


class _PlainMatch:
    def __init__(self, end: int) -> None:
        self._end = end

    def groups(self) -> tuple[Any, ...]:
        return ()

    def __getitem__(self, group: int) -> Any:
        raise IndexError("no such group")

    def end(self) -> int:
        return self._end
