"""Rows of text for people: columns that fit the terminal, or whole cells where the output is a file or a pipe.

Cells may come from foreign documents, so line breaks become blanks and control characters
are shown as escapes: no cell can move the cursor or start a line of its own.
"""

from __future__ import annotations

import os
import sys
from itertools import repeat, zip_longest

from conduit.control_characters import printable, write_sequence

TYPE_CHECKING = False  # `typing` would slow the start of every command; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TextIO

GAP = "  "
SMALLEST = 6
"""No column is cut below this many character cells while another one is wider."""
READABLE = 14
"""A column that may be left out is, rather than cut any column below this many character cells."""
_MOST = 0.9
"""The share of a column's cells that decides how wide it is where the others are broken."""
_BREAKS = "_.:-,"
"""A name that is too long for its column is broken after one of these, or before a capital letter;
a path rather after a slash."""


class Layout:
    """How the columns of a table, named by their titles, give way on a narrow terminal.

    `keep` keeps its share of the line as long as others can give; `whole` is not cut before the others are at their
    least; `ends` lose their beginning and `middles` their middle instead of their end; `wrap` lose nothing, their
    cells are broken over several lines; `optional` are left out, the first one first, where too little room is left
    for the others, or for less than half of what most of their own cells need.
    """

    __slots__ = ("ends", "keep", "middles", "optional", "share", "whole", "wrap")

    def __init__(
        self,
        keep: str = "",
        *,
        share: float = 0.5,
        whole: Sequence[str] = (),
        ends: Sequence[str] = (),
        middles: Sequence[str] = (),
        optional: Sequence[str] = (),
        wrap: Sequence[str] = (),
    ) -> None:
        self.keep = keep
        self.share = share
        self.whole = whole
        self.ends = ends
        self.middles = middles
        self.optional = optional
        self.wrap = wrap


class Page:
    """Where lines go: its width in character cells (None: without limit) and whether it shows emphasis."""

    __slots__ = ("emphasis", "stream", "width")

    def __init__(self, stream: TextIO, width: int | None, emphasis: bool) -> None:
        self.stream = stream
        self.width = width
        self.emphasis = emphasis

    def line(self, text: str = "", indent: str = "", *, strong: bool = False) -> None:
        """Print one line, control characters made visible."""
        shown = printable(text)
        if strong and self.emphasis:
            shown = f"\x1b[1m{shown}\x1b[0m"
        write_sequence(self.stream, f"{indent}{shown}\n")

    def heading(self, text: str) -> None:
        """Print one line with emphasis, control characters made visible."""
        self.line(_cut(clean(text), self.width), strong=True)

    def paragraph(self, text: str, indent: str = "", *, strong: bool = False) -> None:
        """Print running text, broken at the width; lines of the text stay lines."""
        for part in text.splitlines():
            for line in _wrap(clean(part), None if self.width is None else self.width - len(indent)):
                shown = (indent + line).rstrip()
                self.line(shown, strong=strong)

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
        columns = list(zip(*rows, strict=True)) or [()] * len(header)
        return self.columns(header, columns, indent, layout=layout or Layout(keep))

    def columns(
        self, header: Sequence[str], columns: Sequence[Sequence[str]], indent: str = "", *, layout: Layout
    ) -> list[str]:
        """Print a table whose cells are given column by column, as `table` does."""
        contents = [_cleaned(cells) for cells in columns]
        shown = [column for column in range(len(header)) if any(contents[column])]
        if self.width is None:
            layout = Layout()
        room = None if self.width is None else self.width - len(indent)
        columns_of = [_Column(header[column], contents[column], layout) for column in shown]
        fitting, widths = _fit(columns_of, room, layout)
        titles = [column.title for column in fitting]
        right = [all(map(_is_number, column.cells)) for column in fitting]
        cuts = [_cut_of(title, layout) for title in titles]
        self.line(_row(titles, widths, right, [_cut] * len(titles)), indent, strong=True)
        write_sequence(self.stream, "".join(_text_of(fitting, widths, right, cuts, layout, indent)))
        return [header[column] for column in shown if header[column] not in titles]

    def tell_left_out(self, titles: Sequence[str]) -> None:
        """Print which columns the terminal had no room for."""
        if titles:
            *most, last = titles
            listed = f"{', '.join(most)} and {last}" if most else last
            self.line()
            self.paragraph(f"no room for {listed}; a wider terminal, --verbose or a file shows all columns")


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
    """Return the text on one line, with nothing in it that a terminal would obey."""
    if text.isprintable():
        return text
    one_line = " ".join(text.split())
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in one_line
    )


def _cleaned(cells: Sequence[str]) -> Sequence[str]:
    """Return the cells as `clean` returns each of them."""
    return cells if "".join(cells).isprintable() else [clean(cell) for cell in cells]


def display_width(text: str) -> int:
    """Return how many character cells a text takes: East Asian wide characters two, combining marks none."""
    if text.replace("…", "").isascii():  # most cells, cut ones too
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1 for character in text
    )


class _Column:
    """A column's cells and widths: of its widest cell, and, where cells may be broken, one that most of them fit in."""

    __slots__ = ("cells", "is_ascii", "natural", "title", "usual")

    def __init__(self, title: str, cells: Sequence[str], layout: Layout) -> None:
        self.title = title
        self.cells = cells
        self.is_ascii = "".join(cells).isascii()
        widths = list(map(len if self.is_ascii else display_width, cells))
        self.natural = max(display_width(title), max(widths, default=0))
        self.usual = self.natural
        if widths and title in layout.wrap:
            self.usual = max(display_width(title), sorted(widths)[int(len(widths) * _MOST)])


def _fit(columns: list[_Column], room: int | None, layout: Layout) -> tuple[list[_Column], list[int]]:
    """Return the columns that stay and their widths."""
    if room is None:
        return columns, [column.natural for column in columns]
    columns = list(columns)
    widths = _widths_within(columns, room, layout)
    for title in layout.optional:
        if any(
            width < min(column.natural, READABLE) or (column.title == title and width < column.usual / 2)
            for column, width in zip(columns, widths, strict=True)
        ):
            columns = [column for column in columns if column.title != title]
            widths = _widths_within(columns, room, layout)
    return columns, widths


def _widths_within(columns: Sequence[_Column], room: int, layout: Layout) -> list[int]:
    """Take from the widest columns until the row fits, from those that are kept only what they can spare."""
    line = room - len(GAP) * (len(columns) - 1)
    widths = [column.natural for column in columns]
    least = [min(width, SMALLEST) for width in widths]
    floors = list(least)
    for index, column in enumerate(columns):
        if column.title == layout.keep:
            floors[index] = min(column.natural, max(int(room * layout.share), SMALLEST))
        elif column.title in layout.whole:
            floors[index] = column.natural
        elif column.title in layout.wrap:
            floors[index] = min(column.natural, READABLE)
    usual = [column.usual for column in columns]
    for stage in (usual, floors, least, [min(width, 1) for width in widths]):
        widths = _shrink(widths, stage, line)
    return widths


def _shrink(widths: list[int], floors: list[int], room: int) -> list[int]:
    """Return the widths with the widest cut down towards the others.

    It ends when their sum is `room`, or all are at their floors.
    """
    shrunk = list(widths)
    while sum(shrunk) > room:
        able = [column for column, width in enumerate(shrunk) if width > floors[column]]
        if not able:
            break
        widest = max(able, key=lambda column: shrunk[column])
        shrunk[widest] -= 1
    return shrunk


def _text_of(
    columns: Sequence[_Column],
    widths: Sequence[int],
    right: Sequence[bool],
    cuts: Sequence[Callable[[str, int], str]],
    layout: Layout,
    indent: str,
) -> Iterator[str]:
    """Yield the lines of a table's rows: column by column, since a large application has thousands of rows."""
    padded: list[list[str]] = []
    # Row → for each cell of several pieces where its column begins, and the pieces after the first.
    further: dict[int, list[tuple[int, list[str]]]] = {}
    start = 0
    for column, width, on_right, cut in zip(columns, widths, right, cuts, strict=True):
        cells = column.cells
        if column.title in layout.wrap and column.natural > width:
            pieces_of = {cell: _broken(cell, width) for cell in set(cells)}
            rest_of = {
                cell: (start, _padded(pieces[1:], width, on_right, cut))
                for cell, pieces in pieces_of.items()
                if len(pieces) > 1
            }
            for row, cell in enumerate(cells):
                if cell in rest_of:
                    further.setdefault(row, []).append(rest_of[cell])
            cells = [pieces_of[cell][0] for cell in cells]
        padded.append(_padded(cells, width, on_right, cut))
        start += width + len(GAP)
    for row, line in enumerate(map(GAP.join, zip(*padded, strict=True))):
        yield f"{indent}{line.rstrip()}\n"
        if row not in further:
            continue
        for pieces in zip_longest(*(pieces for _, pieces in further[row]), fillvalue=""):
            text = ""
            for (start, _), piece in zip(further[row], pieces, strict=True):
                text += " " * (start - display_width(text)) + piece
            yield f"{indent}{text.rstrip()}\n"


def _padded(cells: Sequence[str], width: int, on_right: bool, cut: Callable[[str, int], str]) -> list[str]:
    """Return the cells, cut where they are wider than the column, with blanks up to its width."""
    if "".join(cells).isascii() and max(map(len, cells), default=0) <= width:
        return list(map(str.rjust if on_right else str.ljust, cells, repeat(width)))
    padded = {cell: _pad(cell, width, on_right, cut) for cell in set(cells)}
    return [padded[cell] for cell in cells]


def _pad(cell: str, width: int, on_right: bool, cut: Callable[[str, int], str]) -> str:
    taken = display_width(cell)
    if taken > width:
        cell = cut(cell, width)
        taken = display_width(cell)
    blanks = " " * (width - taken)
    return blanks + cell if on_right else cell + blanks


def _broken(text: str, width: int) -> list[str]:
    """Return the text in pieces of at most `width` cells: at a blank, else between words, else anywhere."""
    pieces = []
    while display_width(text) > width:
        end = _break_in(text, width)
        pieces.append(text[:end].rstrip())
        text = text[end:].lstrip()
    return [*pieces, text]


def _break_in(text: str, width: int) -> int:
    """Return where to break a text that is wider than `width`."""
    most = max(len(_cut(text, width + 1)) - 1, 1)
    while most > 1 and display_width(text[:most]) > width:
        most -= 1
    blank = text.rfind(" ", 1, most + 1)
    if blank > 0:
        return blank
    slash = text.rfind("/", most // 2, most) + 1
    return slash or next((at for at in range(most, 1, -1) if _may_break(text, at)), most)


def _may_break(text: str, at: int) -> bool:
    return text[at - 1] in _BREAKS or (text[at - 1].islower() and text[at].isupper())


def _row(
    cells: Sequence[str],
    widths: Sequence[int],
    right: Sequence[bool],
    cuts: Sequence[Callable[[str, int], str]],
) -> str:
    return GAP.join(map(_pad, cells, widths, right, cuts)).rstrip()


def _cut_of(title: str, layout: Layout) -> Callable[[str, int], str]:
    if title in layout.ends:
        return _cut_beginning
    return _cut_middle if title in layout.middles else _cut


def _cut(text: str, width: int | None) -> str:
    """Return the text in at most `width` cells; where it was longer, it ends in `…`."""
    if width is None or display_width(text) <= width:
        return text
    kept = text[: width - 1]
    while display_width(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def _cut_beginning(text: str, width: int) -> str:
    """Return the end of the text in at most `width` cells; where the text was longer, it begins with `…`."""
    return _cut(text[::-1], width)[::-1]


def _cut_middle(text: str, width: int) -> str:
    """Return both ends of the text in at most `width` cells, with `…` between them if it was longer."""
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
