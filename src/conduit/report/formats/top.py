"""`-top`: a row for each function, heaviest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit.report.report import with_header
from conduit.report.trimming import trimmed_graph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.report.graph import Node
    from conduit.report.report import Report


class TopRow(NamedTuple):
    """One function, line or file: values in the profile's unit and as printed; `inline` is a remark or empty.

    `name` is the printed one; `function` is that of a line alone, empty where rows are files.
    """

    name: str
    inline: str
    flat: int
    cum: int
    flat_text: str
    cum_text: str
    function: str = ""


class Top(NamedTuple):
    """The header lines and the rows, in order."""

    labels: list[str]
    rows: list[TopRow]


def compute_top(report: Report) -> Top:
    """Return the rows of a flat report."""
    graph = trimmed_graph(report)
    report, labels = with_header(report, graph)
    return Top(labels, [_row(report, node) for node in graph.nodes])


def _row(report: Report, node: Node) -> TopRow:
    flat, cum = node.flat_value, node.cum_value
    return TopRow(
        node.name, _inline(node), flat, cum, report.amount(flat), report.amount(cum), node.frame.name
    )


def _inline(node: Node) -> str:
    """Return whether the calls to a node were inlined: all, some, or none."""
    kinds = {edge.inline for edge in node.incoming.values()}
    if True not in kinds:
        return ""
    return "(partial-inline)" if False in kinds else "(inline)"


def print_top(report: Report) -> Iterator[str]:
    """Yield the lines of the report."""
    top = compute_top(report)
    yield from top.labels
    yield "      flat  flat%   sum%        cum   cum%"
    running = 0
    for row in top.rows:
        running += row.flat
        remark = f" {row.inline}" if row.inline else ""
        yield (
            f"{row.flat_text:>10} {report.share(row.flat)} {report.share(running)}"
            f" {row.cum_text:>10} {report.share(row.cum)}  {row.name}{remark}"
        )
