"""Text that may hold what others wrote, made fit for a terminal.

A server's answer, a document or a profile can hold escape sequences, which move the cursor, rename the window or
rewrite what was printed before.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # `typing` would slow the start of every command; type checkers know this name
if TYPE_CHECKING:
    from typing import IO

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


def printable_on_terminal(data: bytes, stream: IO[str]) -> bytes:
    """Return UTF-8 text for a stream: unchanged for a file or a pipe, as `printable` makes it for a terminal."""
    if not stream.isatty():
        return data
    return printable(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def complain(text: str) -> None:
    """Print a line on standard error that may hold what others wrote."""
    print(printable(text), file=sys.stderr)
