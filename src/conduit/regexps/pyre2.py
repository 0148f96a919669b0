r"""Go's syntax through pyre2, which is made to resemble `re` instead.

pyre2 rewrites a pattern before RE2 sees it: `\d` matches all digits of Unicode, `\Z` becomes `\z`, `\x{1F600}` is
taken for a back-reference. So patterns are rewritten here first, into equivalent ones that it leaves alone: classes
such as `\d` are spelled out, and characters given by number are written themselves. And it silently compiles with
`re` what RE2 refuses. The switch for that belongs to the whole process, which may use pyre2 itself: it is set for
the moment of compiling, and set back.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from conduit.regexps.expression import ExpressionError, error_text

if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from conduit.regexps.expression import Expression, Text

_META = frozenset(r"\.+*?()|[]{}^$")
_OCTAL = frozenset("01234567")
_HEX = frozenset("0123456789abcdefABCDEF")
_HIGHEST_CHARACTER = 0x10FFFF

# Perl's classes as Go has them (ASCII only), outside of brackets and within.
_CLASSES = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "s": "[\t\n\f\r ]",
    "S": "[^\t\n\f\r ]",
    "w": "[0-9A-Za-z_]",
    "W": "[^0-9A-Za-z_]",
}
_CLASSES_IN_BRACKETS = {
    "d": "0-9",
    "D": "\0-/:-\U0010ffff",
    "s": "\t\n\f\r ",
    "S": "\0-\b\x0b\x0e-\x1f!-\U0010ffff",
    "w": "0-9A-Za-z_",
    "W": "[:^word:]",
}

_ESCAPES_IN_BRACKETS = frozenset("afnrtvxpP0123456789")

_PROBE = b"conduit"
_fallback_lock = threading.Lock()


def compile_pyre2(re2: ModuleType, text: Text) -> Expression[Text]:
    """Compile `text`; raise `ExpressionError` with RE2's words for the error."""
    is_bytes = isinstance(text, bytes)
    source = text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text
    writer = _PatternWriter(source)
    compiled, message = _compile(re2, writer.rewrite(), is_bytes=is_bytes)
    if message or writer.fault:
        raise ExpressionError(_explain(re2, source, message, writer))
    result: Expression[Text] = compiled
    return result


def _compile(re2: ModuleType, written: str, *, is_bytes: bool) -> tuple[Any, str]:
    """Return the compiled pattern, or None and RE2's error text."""
    # Bytes are UTF-8 for RE2 only with this flag; texts always are.
    if is_bytes:
        return _compile_strictly(re2, written.encode("utf-8", "surrogateescape"), int(re2.UNICODE))
    return _compile_strictly(re2, written, int(re2.ASCII))


def _compile_strictly(re2: ModuleType, pattern: str | bytes, flags: int) -> tuple[Any, str]:
    """Compile without the fallback to `re`, whose switch is left as the process had it."""
    with _fallback_lock:
        level = _fallback_level(re2)
        re2.set_fallback_notification(re2.FALLBACK_EXCEPTION)
        try:
            return re2.compile(pattern, flags), ""
        except re2.error as error:
            return None, error_text(error)
        except UnicodeDecodeError as error:  # the fragment in RE2's error text is not UTF-8
            return None, error.object.decode("utf-8", "replace")
        finally:
            re2.set_fallback_notification(level)


def _fallback_level(re2: ModuleType) -> int:
    """Return the switch's position, which pyre2 tells only as a part of the keys of its cache."""
    levels = (int(re2.FALLBACK_QUIETLY), int(re2.FALLBACK_WARNING), int(re2.FALLBACK_EXCEPTION))
    compiled = getattr(re2, "_cache", {})
    for level in levels:
        compiled.pop((bytes, _PROBE, 0, level), None)
    re2.compile(_PROBE)
    return next((level for level in levels if (bytes, _PROBE, 0, level) in compiled), levels[0])


def _explain(re2: ModuleType, source: str, message: str, writer: _PatternWriter) -> str:
    """Return RE2's error text for the first fault, with the fragment as it was typed, not as it was rewritten.

    `message` is RE2's about what was rewritten, which ends before the fault that the writer found, if it found one.
    """
    reason, _, fragment = message.partition(": ")
    if reason == "missing )":
        shown = source.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return f"unexpected ): {shown}" if writer.closes_too_many else writer.fault or f"missing ): {shown}"
    if not message:
        return writer.fault
    if fragment in source:
        return message
    # Byte by byte nothing has to be rewritten, but RE2 sees other characters.
    _, typed = _compile_strictly(re2, source.encode("utf-8", "surrogateescape"), 0)
    return typed if typed.startswith(f"{reason}: ") else message


class _PatternWriter:
    """Writes one pattern anew, from left to right, up to the first fault that RE2 would not be shown.

    `fault` is that fault in RE2's words, or empty; `closes_too_many` says that a `)` has no `(` before it.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._depth = 0
        self.closes_too_many = False
        self.fault = ""

    def rewrite(self) -> str:
        written = []
        try:
            while self._position < len(self._source):
                written.append(self._next())
        except ExpressionError as error:
            self.fault = str(error)
        return "".join(written)

    def _next(self) -> str:
        letter = self._take()
        if letter == "\\":
            return self._escape()
        if letter == "[":
            return self._brackets()
        if letter == "(":
            self._depth += 1
            if self._source.startswith("?<", self._position):  # newer RE2s and Go take this as (?P<
                self._position += 2
                return "(?P<"
        elif letter == ")":
            self._depth -= 1
            self.closes_too_many |= self._depth < 0
        return letter

    def _take(self) -> str:
        letter = self._source[self._position]
        self._position += 1
        return letter

    def _escape(self) -> str:
        started = self._position - 1
        if self._position == len(self._source):
            raise ExpressionError("trailing \\: ")
        letter = self._take()
        if letter == "Q":
            return self._quoted()
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter == "Z":
            raise self._invalid_escape(started)
        character = self._numbered(letter, started)
        return f"\\{letter}" if character is None else _literal(character)

    def _quoted(self) -> str:
        end = self._source.find(r"\E", self._position)
        stop = len(self._source) if end < 0 else end
        text = self._source[self._position : stop]
        self._position = min(stop + 2, len(self._source))
        return "".join(map(_literal, text))

    def _numbered(self, letter: str, started: int) -> str | None:
        r"""Return the character that `\x41`, `\x{1F600}` or `\101` stands for; None for other escapes."""
        if letter == "x":
            return self._hexadecimal(started)
        if not letter.isascii() or not letter.isdigit():
            return None
        # A single digit other than 0 would be a back-reference.
        if letter in "89" or (
            letter != "0" and self._source[self._position : self._position + 1] not in _OCTAL
        ):
            raise self._invalid_escape(started)
        digits = letter
        while len(digits) < 3 and self._source[self._position : self._position + 1] in _OCTAL:
            digits += self._take()
        return chr(int(digits, 8))

    def _hexadecimal(self, started: int) -> str:
        rest = self._source[self._position :]
        if rest.startswith("{"):
            digits = rest[1 : 1 + _count_hex(rest[1:])]
            is_whole = bool(digits) and rest[len(digits) + 1 :].startswith("}")
            is_too_large = bool(digits) and int(digits, 16) > _HIGHEST_CHARACTER
            self._position += len(digits) + (1 if is_too_large else 2)
        else:
            digits = rest[:2]
            self._position += 2
            is_whole = _count_hex(digits) == 2
        if not is_whole or int(digits, 16) > _HIGHEST_CHARACTER:
            raise self._invalid_escape(started)
        return chr(int(digits, 16))

    def _invalid_escape(self, started: int) -> ExpressionError:
        return ExpressionError(f"invalid escape sequence: {self._source[started : self._position]}")

    def _brackets(self) -> str:
        started = self._position - 1
        written = ["["]
        if self._source.startswith("^", self._position):
            written.append(self._take())
        is_first = True
        while True:
            if self._position >= len(self._source):
                raise ExpressionError(f"missing ]: {self._source[started:]}")
            letter = self._take()
            if letter == "]" and not is_first:
                return "".join([*written, "]"])
            is_first = False
            written.append(self._in_brackets(letter))

    def _in_brackets(self, letter: str) -> str:
        if letter == "[":
            end = self._source.find(":]", self._position)
            if self._source.startswith(":", self._position) and end > self._position:
                name = self._source[self._position : end + 2]
                self._position = end + 2
                return f"[{name}"
        if letter != "\\":
            return f"\\{letter}" if letter in "[]" else letter
        started = self._position - 1
        if self._position == len(self._source):
            raise ExpressionError("trailing \\: ")
        letter = self._take()
        if letter in _CLASSES_IN_BRACKETS:
            return _CLASSES_IN_BRACKETS[letter]
        if letter.isalnum() and letter not in _ESCAPES_IN_BRACKETS:
            raise self._invalid_escape(started)
        character = self._numbered(letter, started)
        return f"\\{letter}" if character is None else _literal(character, also="-")


def _literal(character: str, also: str = "") -> str:
    return f"\\{character}" if character in _META or (also and character in also) else character


def _count_hex(text: str) -> int:
    """Return how many hexadecimal digits `text` begins with."""
    return next((index for index, letter in enumerate(text) if letter not in _HEX), len(text))
