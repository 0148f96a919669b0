"""Rows of text for people: columns that fit the terminal, or whole cells where the output is a file or a pipe.

Cells may come from documents that nobody here wrote, so line breaks become blanks and control characters
are shown as escapes: no cell can move the cursor or start a line of its own.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

GAP = "  "
SMALLEST = 6
"""No column is cut below this many character cells while another one is wider."""


class Page:
    """Where lines go: its width in character cells (None: without limit) and whether it shows emphasis."""

    __slots__ = ("emphasis", "stream", "width")

    def __init__(self, stream: TextIO, width: int | None, emphasis: bool) -> None:
        self.stream = stream
        self.width = width
        self.emphasis = emphasis

    def line(self, text: str = "") -> None:
        """Prints one line."""
        self.stream.write(f"{text}\n")

    def heading(self, text: str) -> None:
        """Prints one line with emphasis, control characters made visible."""
        self.line(self._strong(_cut(clean(text), self.width)))

    def paragraph(self, text: str, indent: str = "") -> None:
        """Prints running text, broken at the width; lines of the text stay lines."""
        for part in text.splitlines():
            for line in _wrap(clean(part), None if self.width is None else self.width - len(indent)):
                self.line((indent + line).rstrip())

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], indent: str = "", *, keep: str = ""
    ) -> None:
        """Prints a header and rows; a column that is empty throughout is left out, numbers stand on the right.

        Where the terminal is too narrow, the widest columns are cut first; the column with the title `keep` keeps up
        to half of the line as long as others can give.
        """
        cells = [[clean(cell) for cell in row] for row in rows]
        shown = [column for column in range(len(header)) if any(row[column] for row in cells)]
        titles = [header[column] for column in shown]
        cells = [[row[column] for column in shown] for row in cells]
        right = [all(_is_number(row[column]) for row in cells) for column in range(len(shown))]
        kept = titles.index(keep) if keep in titles else None
        widths = _fit(_natural_widths(titles, cells), self.width, len(indent), kept)
        self.line(indent + self._strong(_row(titles, widths, right)))
        for row in cells:
            self.line(indent + _row(row, widths, right))

    def _strong(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.emphasis else text


def standard_page(no_color: bool = False) -> Page:
    """Standard output: as wide as the terminal that it is, if it is one; emphasis as NO_COLOR and TERM allow."""
    stream = sys.stdout
    if not stream.isatty():
        return Page(stream, None, False)
    # https://no-color.org: set and not empty means no colour, whatever the value.
    plain = no_color or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Page(stream, _terminal_width(stream), not plain)


def _terminal_width(stream: TextIO) -> int | None:
    declared = os.environ.get("COLUMNS", "")
    if declared.isascii() and declared.isdigit() and int(declared) > 0:
        return int(declared)
    try:
        # A terminal that does not know its width says 0.
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def clean(text: str) -> str:
    """The text on one line, with nothing in it that a terminal would obey."""
    if text.isprintable():
        return text
    one_line = " ".join(text.split())
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in one_line
    )


def display_width(text: str) -> int:
    """How many character cells a text takes: East Asian wide characters two, combining marks none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1 for character in text
    )


def _natural_widths(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(display_width, column)) for column in zip(titles, *cells, strict=True)]


def _fit(widths: list[int], width: int | None, indent: int, kept: int | None) -> list[int]:
    """Takes from the widest columns until the row fits, from the kept one only what is beyond half of the line."""
    if width is None:
        return widths
    room = width - indent - len(GAP) * (len(widths) - 1)
    floors = [min(natural, SMALLEST) for natural in widths]
    if kept is not None:
        floors[kept] = min(widths[kept], max(width // 2, SMALLEST))
    fitted = _shrink(widths, floors, room)
    fitted = _shrink(fitted, [min(natural, SMALLEST) for natural in widths], room)
    return _shrink(fitted, [min(natural, 1) for natural in widths], room)


def _shrink(widths: list[int], floors: list[int], room: int) -> list[int]:
    """The widths, the widest cut down towards the others until their sum is `room`, or all are at their floors."""
    shrunk = list(widths)
    while sum(shrunk) > room:
        able = [column for column, width in enumerate(shrunk) if width > floors[column]]
        if not able:
            break
        widest = max(able, key=lambda column: shrunk[column])
        shrunk[widest] -= 1
    return shrunk


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        _pad(_cut(cell, width), width, on_right)
        for cell, width, on_right in zip(cells, widths, right, strict=True)
    ]
    return GAP.join(padded).rstrip()


def _pad(text: str, width: int, on_right: bool) -> str:
    blanks = " " * (width - display_width(text))
    return blanks + text if on_right else text + blanks


def _cut(text: str, width: int | None) -> str:
    """The text in at most `width` cells; where it was longer, it ends in `…`."""
    if width is None or display_width(text) <= width:
        return text
    kept = text[: width - 1]
    while display_width(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def _is_number(text: str) -> bool:
    return not text or text.replace(".", "", 1).removesuffix("%").isdecimal()


def _wrap(text: str, width: int | None) -> list[str]:
    if width is None or display_width(text) <= width:
        return [text]
    lines = [""]
    for word in text.split(" "):
        candidate = f"{lines[-1]} {word}" if lines[-1] else word
        if display_width(candidate) <= width or not lines[-1]:
            lines[-1] = candidate
        else:
            lines.append(word)
    return lines
