"""`-tags`: for every label, how much of the profile has each of its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit.profile.measurement import scaled_label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.report.report import Report


class TagTable(NamedTuple):
    """A label's key, the sum over its values, and its values with theirs, heaviest first."""

    key: str
    total: int
    values: list[tuple[str, int]]


def compute_tags(report: Report) -> list[TagTable]:
    """Return a table for each label key, in alphabetical order; numbers have their units."""
    sums: dict[str, dict[str, int]] = {}
    columns = report.columns
    weights: dict[int, int] = {}
    for number, value in zip(columns.label_of, columns.values[report.values.index], strict=True):
        weights[number] = weights.get(number, 0) + value
    for number, weight in weights.items():
        labels = columns.label_sets[number]
        for key, texts in labels.labels.items():
            for text in texts:
                _add(sums, key, text, weight)
        for key, numbers in labels.numeric_labels.items():
            unit = report.label_units.get(key, "")
            for amount in numbers:
                _add(sums, key, scaled_label(amount, unit, report.output_unit), weight)
    return [
        TagTable(key, sum(of_key.values()), sorted(of_key.items(), key=lambda item: (-abs(item[1]), item[0])))
        for key, of_key in sorted(sums.items())
    ]


def _add(sums: dict[str, dict[str, int]], key: str, text: str, weight: int) -> None:
    of_key = sums.setdefault(key, {})
    of_key[text] = of_key.get(text, 0) + weight


def print_tags(report: Report) -> Iterator[str]:
    """Yield the lines of the report: a right-aligned table for each key, followed by a blank line."""
    for table in compute_tags(report):
        share = f" ({report.share(table.total)})" if report.total > 0 else ""
        rows = [
            [f"{table.key}:", f" Total {report.amount(table.total)} of {report.amount(report.total)}{share}"]
        ]
        for value, weight in table.values:
            share = f" ({report.share(weight)})" if report.total > 0 else ""
            rows.append([" ", f"{report.amount(weight)}{share}:", f" {value}"])
        yield from _aligned("\n".join("\t".join(row) for row in rows).split("\n"))
        yield ""


def _aligned(lines: list[str]) -> Iterator[str]:
    """Yield lines with tab-ended cells padded on the left to the width of their column, plus one.

    A column is a sequence of lines that have such a cell in the same place; text after the last tab is not padded.
    """
    cells = [line.split("\t") for line in lines]
    widths = [[0] * (len(row) - 1) for row in cells]
    for column in range(max(len(row) for row in cells) - 1):
        start = 0
        while start < len(cells):
            end = start
            while end < len(cells) and len(cells[end]) - 1 > column:
                end += 1
            width = max((len(cells[row][column]) for row in range(start, end)), default=0) + 1
            for row in range(start, end):
                widths[row][column] = width
            start = max(end, start + 1)
    for texts, columns in zip(cells, widths, strict=True):
        yield "".join(text.rjust(width) for text, width in zip(texts, columns, strict=False)) + texts[-1]
