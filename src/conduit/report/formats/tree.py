"""`-tree` and `-peek`: each function between its callers and its callees."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit.profile.measurement import percentage
from conduit.report.errors import NoMatchError
from conduit.report.header import report_labels
from conduit.report.trimming import sort_edges, trimmed_graph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.report.graph import Edge, Node
    from conduit.report.report import Report

SEPARATOR = "----------------------------------------------------------+-------------"
LEGEND = "      flat  flat%   sum%        cum   cum%   calls calls% + context \t \t "


class TreeEntry(NamedTuple):
    """A node with the calls to it and from it, heaviest first."""

    node: Node
    callers: list[Edge]
    callees: list[Edge]


class Tree(NamedTuple):
    """The header lines, the entries, and whether the graph has any node at all (matching or not)."""

    labels: list[str]
    entries: list[TreeEntry]
    has_nodes: bool


def compute_tree(report: Report) -> Tree:
    """The entries; for `-peek`, of the nodes whose printed name matches. Raises `NoMatchError` where none does."""
    graph = trimmed_graph(report)
    report.choose_unit(graph.nodes)
    labels = report_labels(report, graph)
    nodes = [node for node in graph.nodes if report.matches is None or report.matches(node.name)]
    if report.matches is not None and not nodes:
        raise NoMatchError(f"no matches found for regexp: {report.argument}")
    entries = [
        TreeEntry(node, sort_edges(node.incoming.values()), sort_edges(node.outgoing.values()))
        for node in nodes
    ]
    return Tree(labels, entries, bool(graph.nodes))


def print_tree(report: Report) -> Iterator[str]:
    """The report's lines."""
    tree = compute_tree(report)
    yield from tree.labels
    yield SEPARATOR
    yield LEGEND
    running = 0
    for entry in tree.entries:
        running += entry.node.flat_value
        yield SEPARATOR
        yield from (line for line, _ in entry_lines(report, entry, running))
    if tree.has_nodes:
        yield SEPARATOR


def entry_lines(report: Report, entry: TreeEntry, running: int) -> Iterator[tuple[str, Node]]:
    """The lines of one entry, callers first, each with the node it names; `running` sums flat values up to it."""
    node, total = entry.node, report.total
    flat, cum = node.flat_value, node.cum_value
    for edge in entry.callers:
        yield _edge_line(report, edge, cum, edge.caller.name), edge.caller
    own = (
        f"{report.amount(flat):>10} {percentage(flat, total)} {percentage(running, total)}"
        f" {report.amount(cum):>10} {percentage(cum, total)}                | {node.name}"
    )
    yield own, node
    for edge in entry.callees:
        yield _edge_line(report, edge, cum, edge.callee.name), edge.callee


def _edge_line(report: Report, edge: Edge, cum: int, name: str) -> str:
    remark = " (inline)" if edge.inline else ""
    return f"{report.amount(edge.value):>50} {percentage(edge.value, cum)} |   {name}{remark}"
