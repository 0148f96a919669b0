"""A comparison as benchstat prints it: aligned text, or comma-separated values.

Text: every column of the comparison takes three columns of the page (centre, interval, footnotes), and every
column but the first three more (difference, p and n, footnotes). Headers span several. Columns are first as wide
as their single cells; then the spans, narrowest first, widen what they cover: the widest of the columns first,
each to the average that is still missing, and never the columns between the outer two of a group, so that `±`,
`%` and the brackets stay in line.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from conduit.bench.text.numbers import format_fixed, format_shortest
from conduit.bench.text.units import common_scaler, is_binary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conduit.bench.compare.comparison import Cell, Comparison, Table
    from conduit.bench.text.units import Scaler

_CENTER_COLUMNS = 3
_DELTA_COLUMNS = 3
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_text(comparison: Comparison) -> str:
    """The tables as text for people; empty where nothing was measured."""
    pieces = []
    for heading, table in _with_headings(comparison.tables):
        pieces += [line + "\n" for line in heading]
        pieces.append(_text_of(table))
    return "".join(pieces)


def _with_headings(tables: list[Table]) -> Iterator[tuple[list[str], Table]]:
    """Each table with the lines above it: a blank one, and the configuration that changed."""
    before: dict[str, str] | None = None
    for table in tables:
        lines = [] if before is None else [""]
        for name, value in table.configuration:
            if before is None or value != before[name]:
                lines.append(f"{name}: {value}")
        before = dict(table.configuration)
        yield lines, table


# Row, column, span, text, margin, align: a plain tuple, since a large table has hundreds of thousands.
_PageCell = tuple[int, int, int, str, str, str]


class _Page:
    """Cells by row and column; `render` lays them out."""

    def __init__(self) -> None:
        self.cells: list[_PageCell] = []
        self.shrunk: set[int] = set()
        self.row = 0
        self.column = 0

    def next_row(self) -> None:
        if self.cells:
            self.row += 1
        self.column = 0

    def put(self, text: str, *, span: int = 1, margin: str | None = None, align: str = "left") -> None:
        """Place a text at the current column. The margin stands left of it; by default one blank, or none."""
        column = self.column
        if margin is None:
            margin = " " if text and column else ""
        self.cells.append((self.row, column, span, text, margin, align))
        self.column = column + span

    def put_texts(self, texts: list[tuple[int, str, str, str]]) -> None:
        """Place texts that each take one column: column, text, margin, align. The current column stays."""
        row = self.row
        self.cells += [(row, column, 1, text, margin, align) for column, text, margin, align in texts]

    def render(self) -> str:
        margins = [0] * max((column + span for _, column, span, _, _, _ in self.cells), default=0)
        for _, column, _, _, margin_text, _ in self.cells:
            if len(margin_text) > margins[column]:
                margins[column] = len(margin_text)
        offsets = [0, *accumulate(self._widths(margins))]
        lines: list[list[str]] = [[] for _ in range(self.row + 1)]
        ends = [0] * (self.row + 1)
        last = 0
        for row, column, span, text, margin_text, align in self.cells:
            if (not text or text.isspace()) and (not margin_text or margin_text.isspace()):
                continue
            margin, offset = margins[column], offsets[column]
            # What was wider than its columns pushes the next cell away by as much as it sticks out: so does benchstat.
            gap = abs(offset - ends[row])
            text = _aligned(text, align, offsets[column + span] - offset - margin)
            lines[row].append(f"{' ' * gap}{margin_text.rjust(margin)}{text}")
            ends[row] = offset + margin + len(text)
            last = row
        return "".join("".join(pieces) + "\n" for pieces in lines[: last + 1]) if self.cells else ""

    def _widths(self, margins: list[int]) -> list[int]:
        widths = [0] * len(margins)
        spanning = []
        for _, column, span, text, _, _ in self.cells:
            need = len(text) + margins[column]
            if span > 1:
                spanning.append((span, column, need))
            elif need > widths[column]:
                widths[column] = need
        for span, column, need in sorted(spanning, key=lambda entry: entry[0]):
            self._widen(widths, range(column, column + span), need)
        return widths

    def _widen(self, widths: list[int], columns: range, need: int) -> None:
        if sum(widths[column] for column in columns) >= need:
            return
        need -= sum(widths[column] for column in columns if column in self.shrunk)
        growing = sorted(
            (column for column in columns if column not in self.shrunk), key=lambda column: -widths[column]
        )
        for index, column in enumerate(growing):
            left = len(growing) - index
            widths[column] = max(widths[column], -(-need // left))
            need -= widths[column]


def _aligned(text: str, align: str, room: int) -> str:
    if align == "right":
        return text.rjust(room)
    if align == "center":
        return " " * max((room - len(text)) // 2, 0) + text
    return text


def _first_column(index: int) -> int:
    """Where the columns of the page begin that show column `index` of the comparison."""
    return 1 if index == 0 else 1 + _CENTER_COLUMNS + (index - 1) * (_CENTER_COLUMNS + _DELTA_COLUMNS)


class _Footnotes:
    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def marks(self, *warnings: tuple[str, ...]) -> str:
        if not any(warnings):
            return ""
        return " ".join(self.mark(text) for group in warnings for text in group)

    def mark(self, text: str) -> str:
        return _superscript(self.numbers.setdefault(text, len(self.numbers) + 1))


@lru_cache(maxsize=256)
def _superscript(number: int) -> str:
    return str(number).translate(_SUPERSCRIPTS)


def _text_of(table: Table) -> str:
    page = _Page()
    notes = _Footnotes()
    edge = _first_column(len(table.columns) + 1)
    _put_header(page, table, edge)
    binary = is_binary(table.unit)
    for row, label in zip(table.rows, table.row_labels, strict=True):
        page.next_row()
        page.put(label)
        cells = [table.cells.get((row, column)) for column in table.columns]
        scaler = common_scaler([cell.summary.center for cell in cells if cell], binary)
        for index, cell in enumerate(cells):
            if cell:
                page.column = _first_column(index)
                _put_cell(page, cell, scaler, notes)
    if len(table.rows) > 1:
        _put_summaries(page, table, notes, binary)
    footer = "".join(f"{_superscript(number)} {text}\n" for text, number in notes.numbers.items())
    return page.render() + footer


def _put_header(page: _Page, table: Table, edge: int) -> None:
    groups = [(0, len(table.columns))]
    for level in range(len(table.column_labels[0])):
        page.next_row()
        groups = [part for group in groups for part in _split_group(table, group, level)]
        for start, end in groups:
            page.column = _first_column(start)
            span = _first_column(end) - page.column
            page.put(table.column_labels[start][level], span=span, align="center", margin=" │ ")
        page.column = edge
        page.put("", margin=" │")
    page.next_row()
    for index in range(len(table.columns)):
        first = page.column = _first_column(index)
        page.put(table.unit, span=_CENTER_COLUMNS, align="center", margin=" │ ")
        if index:
            page.put("vs base", span=_DELTA_COLUMNS, margin="  ")
        page.shrunk.update(range(first + 1, page.column))
    page.column = edge
    page.put("", margin=" │")


def _split_group(table: Table, group: tuple[int, int], level: int) -> Iterator[tuple[int, int]]:
    """Split columns that stand under one heading into runs with the same heading on this level."""
    start, end = group
    for index in range(start + 1, end):
        if table.column_labels[index][level] != table.column_labels[start][level]:
            yield start, index
            start = index
    yield start, end


def _put_cell(page: _Page, cell: Cell, scaler: Scaler, notes: _Footnotes) -> None:
    summary, test, column = cell.summary, cell.test, page.column
    texts = [
        (column, scaler.format(summary.center), " ", "right"),
        (column + 1, summary.range_text, " ± ", "right"),
    ]
    if cell.warnings or summary.warnings:
        texts.append((column + 2, notes.marks(cell.warnings, summary.warnings), " ", "left"))
    if test is not None and cell.baseline is not None:
        delta = test.delta_text(cell.baseline.summary.center, summary.center)
        texts += (column + 3, delta, " ", "right"), (column + 4, f"({test.text})", " ", "left")
        if test.warnings:
            texts.append((column + 5, notes.marks(test.warnings), " ", "left"))
    page.put_texts(texts)


def _put_summaries(page: _Page, table: Table, notes: _Footnotes, binary: bool) -> None:
    page.next_row()
    page.put("geomean")
    for index, summary in enumerate(table.summaries):
        start = page.column = _first_column(index)
        if summary.center is not None:
            page.put(common_scaler([summary.center], binary).format(summary.center), align="right")
        if index:
            page.column = start + _CENTER_COLUMNS
            if summary.ratio is None:
                page.put("?")
            else:
                page.put(_percent(summary.ratio), align="right")
        page.column = _first_column(index + 1) - 1
        page.put(notes.marks(summary.warnings))


def _percent(ratio: float) -> str:
    return format_fixed((ratio - 1) * 100, 2, plus=True) + "%"


def format_csv(comparison: Comparison) -> tuple[str, str]:
    """The tables as comma-separated values, and the warnings with the cells they belong to (`B6: …`)."""
    lines: list[str] = []
    warnings: list[str] = []
    for heading, table in _with_headings(comparison.tables):
        lines += [csv_line([text]) for text in heading]
        _CsvTable(table, lines, warnings).write()
    return "".join(line + "\n" for line in lines), "".join(line + "\n" for line in warnings)


class _CsvTable:
    """Writes one table behind the lines that are there already; warnings name cells of the whole sheet."""

    def __init__(self, table: Table, lines: list[str], warnings: list[str]) -> None:
        self.table = table
        self.lines = lines
        self.warnings = warnings
        self.row: list[str] = []

    def write(self) -> None:
        table = self.table
        count = len(table.columns)
        for level in range(len(table.column_labels[0])):
            labels = [column[level] for column in table.column_labels]
            self._each(lambda index, labels=labels: self.row.append(labels[index]))  # type: ignore[misc]
        self._each(self._unit_header, fill=False)
        for row, label in zip(table.rows, table.row_labels, strict=True):
            self.row = [label]
            for index, column in enumerate(table.columns):
                cell = table.cells.get((row, column))
                if cell is not None:
                    self._clear_to(self._start(index))
                    self._cell(cell)
            self._emit()
        self.row = ["geomean"]
        for index in range(count):
            self._clear_to(self._start(index))
            self._summary(index)
        self._clear_to(self._start(count))
        self._emit()

    @staticmethod
    def _start(index: int) -> int:
        return 1 if index == 0 else 3 + (index - 1) * 4

    def _each(self, put: Callable[[int], None], *, fill: bool = True) -> None:
        for index in range(len(self.table.columns)):
            self._clear_to(self._start(index))
            put(index)
        if fill:
            self._clear_to(self._start(len(self.table.columns)))
        self._emit()

    def _unit_header(self, index: int) -> None:
        self.row += [self.table.unit, "CI", *(["vs base", "P"] if index else [])]

    def _cell(self, cell: Cell) -> None:
        summary = cell.summary
        self._warn(cell.warnings)
        self._warn(summary.warnings)
        self.row += [format_shortest(summary.center), summary.range_text]
        if cell.test is not None and cell.baseline is not None:
            self._warn(cell.test.warnings)
            self.row += [cell.test.delta_text(cell.baseline.summary.center, summary.center), cell.test.text]

    def _summary(self, index: int) -> None:
        summary = self.table.summaries[index]
        self._warn(summary.warnings)
        if summary.center is not None:
            self.row.append(format_shortest(summary.center))
        if index:
            self._clear_to(self._start(index) + 2)
            self.row.append("?" if summary.ratio is None else _percent(summary.ratio))

    def _clear_to(self, column: int) -> None:
        self.row += [""] * (column - len(self.row))

    def _emit(self) -> None:
        self.lines.append(csv_line(self.row))
        self.row = []

    def _warn(self, warnings: Iterable[str]) -> None:
        location = f"{_sheet_column(len(self.row))}{len(self.lines) + 1}"
        self.warnings += [f"{location}: {text}" for text in warnings]


def _sheet_column(index: int) -> str:
    """The letters of a column. From the 27th on they are benchstat's, not a spreadsheet's: BA follows Z."""
    letters = ""
    while index:
        index, digit = divmod(index, 26)
        letters = chr(ord("A") + digit) + letters
    return letters or "A"


def csv_line(fields: Iterable[str]) -> str:
    """One line of comma-separated values, quoted where it must be."""
    return ",".join([_csv_field(field) for field in fields])


def _csv_field(field: str) -> str:
    quoted = field == "\\." or field[:1].isspace() or any(character in field for character in ',"\r\n')
    return '"' + field.replace('"', '""') + '"' if quoted else field
