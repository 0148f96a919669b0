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
    """Return the tables as text for people; empty if nothing was measured."""
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


# Row, column, span, text, margin, align.
_PageCell = tuple[int, int, int, str, str, str]

# How the columns of the page are used, by their number within a column of the comparison: margin, align.
_LABEL = "", "left"
_ROLES = (" ", "right"), (" ± ", "right"), (" ", "left"), (" ", "right"), (" ", "left"), (" ", "left")


def _role(column: int) -> tuple[str, str]:
    if not column:
        return _LABEL
    if column <= _CENTER_COLUMNS:
        return _ROLES[column - 1]
    return _ROLES[(column - 1 - _CENTER_COLUMNS) % len(_ROLES)]


class _Page:
    """Cells by row and column; `render` lays them out.

    A large table has many thousands of rows of results. They are kept by the columns that they fill, so that widths
    and lines are made for all of them at once.
    """

    def __init__(self) -> None:
        self.cells: list[_PageCell] = []
        self.results: dict[tuple[int, ...], list[list[str]]] = {}  # columns → texts of each row
        self.rows_of_results: dict[tuple[int, ...], list[int]] = {}
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

    def put_results(self, columns: list[int], texts: list[str]) -> None:
        """Place texts that each take one column, from left to right, in a new row; no text but the first is blank."""
        self.row += 1
        pattern = tuple(columns)
        rows = self.results.get(pattern)
        if rows is None:
            rows = self.results[pattern] = []
            self.rows_of_results[pattern] = []
        rows.append(texts)
        self.rows_of_results[pattern].append(self.row)

    def render(self) -> str:
        margins = [0] * max((column + span for _, column, span, _, _, _ in self.cells), default=0)
        for _, column, _, _, margin_text, _ in self.cells:
            margins[column] = max(margins[column], len(margin_text))
        for pattern in self.results:
            for column in pattern:
                margins[column] = max(margins[column], len(_role(column)[0]))
        offsets = [0, *accumulate(self._widths(margins))]
        lines = [""] * (self.row + 1)
        self._render_results(lines, margins, offsets)
        ends = [0] * (self.row + 1)
        for row, column, span, text, margin_text, align in self.cells:
            if (not text or text.isspace()) and (not margin_text or margin_text.isspace()):
                continue
            margin, offset = margins[column], offsets[column]
            # What was wider than its columns pushes the next cell away by as much as it sticks out: so does benchstat.
            gap = abs(offset - ends[row])
            text = _aligned(text, align, offsets[column + span] - offset - margin)
            lines[row] += f"{' ' * gap}{margin_text.rjust(margin)}{text}"
            ends[row] = offset + margin + len(text)
        last = max((row for row, line in enumerate(lines) if line), default=0)
        return "\n".join(lines[: last + 1]) + "\n" if lines and self.cells else ""

    def _render_results(self, lines: list[str], margins: list[int], offsets: list[int]) -> None:
        for pattern, rows in self.results.items():
            template = _template(pattern, margins, offsets)
            for row, texts in zip(self.rows_of_results[pattern], rows, strict=True):
                lines[row] = template % tuple(texts)

    def _widths(self, margins: list[int]) -> list[int]:
        widths = [0] * len(margins)
        spanning = []
        for _, column, span, text, _, _ in self.cells:
            need = len(text) + margins[column]
            if span > 1:
                spanning.append((span, column, need))
            elif need > widths[column]:
                widths[column] = need
        for pattern, rows in self.results.items():
            for column, texts in zip(pattern, zip(*rows, strict=True), strict=True):
                widths[column] = max(widths[column], max(map(len, texts)) + margins[column])
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


def _template(pattern: tuple[int, ...], margins: list[int], offsets: list[int]) -> str:
    """Return the %-format of a row of results: each text in its place, and nothing behind the last one."""
    pieces = []
    end = 0
    for column in pattern:
        margin_text, align = _role(column)
        start = offsets[column] + margins[column]
        room = offsets[column + 1] - start
        pieces.append(" " * (offsets[column] - end) + margin_text.rjust(margins[column]))
        if align == "right" or column == pattern[-1]:
            pieces.append(f"%{room}s" if align == "right" else "%s")
        else:
            pieces.append(f"%-{room}s")
        end = offsets[column + 1]
    return "".join(pieces)


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
    starts = [_first_column(index) for index in range(len(table.columns))]
    for row, label in zip(table.rows, table.row_labels, strict=True):
        cells = [table.cells.get((row, column)) for column in table.columns]
        scaler = common_scaler([cell.summary.center for cell in cells if cell], binary)
        columns, texts = [0], [label]
        for first, cell in zip(starts, cells, strict=True):
            if cell:
                _add_cell(columns, texts, first, cell, scaler, notes)
        page.put_results(columns, texts)
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


def _add_cell(
    columns: list[int], texts: list[str], first: int, cell: Cell, scaler: Scaler, notes: _Footnotes
) -> None:
    """Append the columns of the page that a cell fills, from `first` on, and their texts."""
    summary, test = cell.summary, cell.test
    columns += first, first + 1
    texts += scaler.format(summary.center), summary.range_text
    if cell.warnings or summary.warnings:
        columns.append(first + 2)
        texts.append(notes.marks(cell.warnings, summary.warnings))
    if test is not None and cell.baseline is not None:
        columns += first + 3, first + 4
        texts += test.delta_text(cell.baseline.summary.center, summary.center), f"({test.text})"
        if test.warnings:
            columns.append(first + 5)
            texts.append(notes.marks(test.warnings))


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
    """Return the tables as comma-separated values, and the warnings with the cells they belong to (`B6: …`)."""
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
    """Return the letters of a column. From the 27th on they are benchstat's, not a spreadsheet's: BA follows Z."""
    letters = ""
    while index:
        index, digit = divmod(index, 26)
        letters = chr(ord("A") + digit) + letters
    return letters or "A"


def csv_line(fields: Iterable[str]) -> str:
    """Return one line of comma-separated values, quoted where it must be."""
    return ",".join([_csv_field(field) for field in fields])


def _csv_field(field: str) -> str:
    quoted = field == "\\." or field[:1].isspace() or any(character in field for character in ',"\r\n')
    return '"' + field.replace('"', '""') + '"' if quoted else field
