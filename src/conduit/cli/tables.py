"""Rows of text for people: columns that fit the terminal, or whole cells where the output is a file or a pipe.

Cells may come from foreign documents, so line breaks become blanks and control characters
are shown as escapes: no cell can move the cursor or start a line of its own.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

GAP = "  "
SMALLEST = 6
"""No column is cut below this many character cells while another one is wider."""
READABLE = 14
"""A column that may be left out is, rather than cut any column below this many character cells."""


class Layout:
    """How the columns of a table, named by their titles, give way on a narrow terminal.

    `keep` keeps its share of the line as long as others can give; `whole` is not cut before the others are at their
    least; `ends` lose their beginning and `middles` their middle instead of their end; `optional` are left out, the
    first one first, where too little room is left for the others.
    """

    __slots__ = ("ends", "keep", "middles", "optional", "share", "whole")

    def __init__(
        self,
        keep: str = "",
        *,
        share: float = 0.5,
        whole: Sequence[str] = (),
        ends: Sequence[str] = (),
        middles: Sequence[str] = (),
        optional: Sequence[str] = (),
    ) -> None:
        self.keep = keep
        self.share = share
        self.whole = whole
        self.ends = ends
        self.middles = middles
        self.optional = optional


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

    def paragraph(self, text: str, indent: str = "", *, strong: bool = False) -> None:
        """Prints running text, broken at the width; lines of the text stay lines."""
        for part in text.splitlines():
            for line in _wrap(clean(part), None if self.width is None else self.width - len(indent)):
                shown = (indent + line).rstrip()
                self.line(self._strong(shown) if strong else shown)

    def table(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        indent: str = "",
        *,
        keep: str = "",
        layout: Layout | None = None,
    ) -> list[str]:
        """Print a header and rows; a column that is empty throughout is left out, numbers stand on the right.

        Where the terminal is too narrow, the widest columns are cut first; the column with the title `keep` keeps up
        to half of the line as long as others can give. A `layout` says more. Return the titles of the optional columns
        that were left out.
        """
        layout = layout or Layout(keep)
        cells = [[clean(cell) for cell in row] for row in rows]
        shown = [column for column in range(len(header)) if any(row[column] for row in cells)]
        natural = _natural_widths(
            [header[column] for column in shown], [[row[column] for column in shown] for row in cells]
        )
        room = None if self.width is None else self.width - len(indent)
        titles, widths = _fit([header[column] for column in shown], natural, room, layout)
        columns = [column for column in shown if header[column] in titles]
        right = [all(_is_number(row[column]) for row in cells) for column in columns]
        cuts = [_cut_of(title, layout) for title in titles]
        self.line(indent + self._strong(_row(titles, widths, right, [_cut] * len(titles))))
        for row in cells:
            self.line(indent + _row([row[column] for column in columns], widths, right, cuts))
        return [header[column] for column in shown if header[column] not in titles]

    def tell_left_out(self, titles: Sequence[str]) -> None:
        """Print which columns the terminal had no room for."""
        if titles:
            self.line()
            self.paragraph(
                f"no room for {' and '.join(titles)}; a wider terminal, --verbose or a file shows all columns"
            )

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


def _fit(
    titles: list[str], natural: list[int], room: int | None, layout: Layout
) -> tuple[list[str], list[int]]:
    """Return the titles that stay and their widths."""
    if room is None:
        return titles, natural
    titles, natural = list(titles), list(natural)
    widths = _widths_within(titles, natural, room, layout)
    for title in layout.optional:
        if title in titles and any(
            width < min(natural[column], READABLE) for column, width in enumerate(widths)
        ):
            column = titles.index(title)
            del titles[column], natural[column]
            widths = _widths_within(titles, natural, room, layout)
    return titles, widths


def _widths_within(titles: list[str], natural: list[int], room: int, layout: Layout) -> list[int]:
    """Take from the widest columns until the row fits, from those that are kept only what they can spare."""
    line = room - len(GAP) * (len(natural) - 1)
    least = [min(width, SMALLEST) for width in natural]
    floors = list(least)
    for column, title in enumerate(titles):
        if title == layout.keep:
            floors[column] = min(natural[column], max(int(room * layout.share), SMALLEST))
        elif title in layout.whole:
            floors[column] = natural[column]
    for stage in (floors, least, [min(width, 1) for width in natural]):
        natural = _shrink(natural, stage, line)
    return natural


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


def _row(
    cells: Sequence[str],
    widths: Sequence[int],
    right: Sequence[bool],
    cuts: Sequence[Callable[[str, int], str]],
) -> str:
    padded = [
        _pad(cut(cell, width), width, on_right)
        for cell, width, on_right, cut in zip(cells, widths, right, cuts, strict=True)
    ]
    return GAP.join(padded).rstrip()


def _cut_of(title: str, layout: Layout) -> Callable[[str, int], str]:
    if title in layout.ends:
        return _cut_beginning
    return _cut_middle if title in layout.middles else _cut


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


def _cut_beginning(text: str, width: int) -> str:
    """The end of the text in at most `width` cells; where the text was longer, it begins with `…`."""
    return _cut(text[::-1], width)[::-1]


def _cut_middle(text: str, width: int) -> str:
    """Both ends of the text in at most `width` cells, with `…` between them where it was longer."""
    if display_width(text) <= width or width < 3:
        return _cut(text, width)
    end = (width - 1) // 2
    return _cut(text, width - end) + _cut_beginning(text, end + 1)[1:]


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
