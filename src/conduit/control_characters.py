"""Text that may hold what others wrote, with each character that a terminal obeys shown as an escape.

A server's answer, a document or a profile can hold escape sequences, which move the cursor, rename the window or
rewrite what was printed before.
"""

from __future__ import annotations

import io

TYPE_CHECKING = False  # `typing` would slow the start of every command; type checkers know this name
if TYPE_CHECKING:
    from typing import TextIO

_OBEYED = (
    *range(0x20),  # all but tab and line break are shown
    *range(0x7F, 0xA0),
    0x61C,  # the others reverse the order in which text is displayed
    0x200E,
    0x200F,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
)
_ESCAPES = {code: ascii(chr(code))[1:-1] for code in _OBEYED if chr(code) not in "\t\n"}


def printable(text: str) -> str:
    """Return the text with each character that a terminal obeys as an escape, `\\x1b`; line breaks and tabs stay."""
    return text if text.isprintable() else text.replace("\r\n", "\n").translate(_ESCAPES)


class GuardedStream(io.TextIOWrapper):
    """Text that a terminal does not obey, except for what `write_sequence` writes."""

    def write(self, text: str) -> int:
        """Write text with its control characters as escapes; line breaks and tabs stay."""
        super().write(printable(text))
        return len(text)

    def write_as_it_is(self, text: str) -> int:
        """Write text that the terminal shall obey."""
        return super().write(text)


def write_sequence(stream: TextIO, text: str) -> None:
    """Write text with escape sequences of Conduit's own; whatever else is in it has to be printable."""
    (stream.write_as_it_is if isinstance(stream, GuardedStream) else stream.write)(text)
