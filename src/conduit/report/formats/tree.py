"""`-tree` and `-peek`: each function between its callers and its callees."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit.profile.measurement import percentage
from conduit.report.errors import NoMatchError
from conduit.report.graph import CallLists, TrimmedGraph
from conduit.report.report import with_header
from conduit.report.trimming import (
    cum_order,
    flat_order,
    shows_everything,
    sort_edges,
    trimmed_graph,
    whole_graph,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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
    """The unit of amounts, the header lines, the entries, and whether the graph has any node (matching or not)."""

    unit: str
    labels: list[str]
    entries: list[TreeEntry]
    has_nodes: bool


def compute_tree(report: Report) -> Tree:
    """Return the entries; for `-peek`, those of matching nodes. Raise `NoMatchError` if there are none."""
    graph = trimmed_graph(report)
    report, labels = with_header(report, graph)
    nodes = [node for node in graph.nodes if report.matches is None or report.matches(node.name)]
    if report.matches is not None and not nodes:
        raise NoMatchError(f"no matches found for regexp: {report.argument}")
    entries = [
        TreeEntry(node, sort_edges(node.incoming.values()), sort_edges(node.outgoing.values()))
        for node in nodes
    ]
    return Tree(report.output_unit, labels, entries, bool(graph.nodes))


def print_tree(report: Report) -> Iterator[str]:
    """Yield the lines of the report."""
    return _print_everything(report) if shows_everything(report) else _print_trimmed(report)


def _print_everything(report: Report) -> Iterator[str]:
    """Yield the lines of an untrimmed tree, without making objects of its calls, which may be millions."""
    order = cum_order if report.options.sort == "cum" else flat_order
    nodes = order(whole_graph(report))
    report, labels = with_header(report, TrimmedGraph(nodes, len(nodes), 0, 0))
    shown = [node for node in nodes if report.matches is None or report.matches(node.name)]
    if report.matches is not None and not shown:
        raise NoMatchError(f"no matches found for regexp: {report.argument}")
    yield from labels
    yield SEPARATOR
    yield LEGEND
    if shown:
        yield from _entries(report, shown)
    if nodes:
        yield SEPARATOR


def _entries(report: Report, nodes: list[Node]) -> Iterator[str]:
    calls = CallLists(report.table, report.values)
    numbers = {frame: number for number, frame in enumerate(report.table.frames)}
    names = [f" |   {name}" for name in report.table.names]
    amounts: dict[int, str] = {}

    def lines(cum: int, found: Sequence[int], other: Callable[[int], int]) -> Iterator[str]:
        starts: dict[int, str] = {}
        for call in found:
            value = calls.values[call]
            start = starts.get(value)
            if start is None:
                if value not in amounts:
                    amounts[value] = f"{report.amount(value):>50} "
                start = starts[value] = amounts[value] + percentage(value, cum)
            line = start + names[other(call)]
            yield line + " (inline)" if calls.is_inlined(call) else line

    running = 0
    for node in nodes:
        running += node.flat_value
        number, cum = numbers[node.frame], node.cum_value
        yield SEPARATOR
        yield from lines(cum, calls.to(number), calls.caller)
        yield _own_line(report, node, running)
        yield from lines(cum, calls.of(number), calls.callee)


def _print_trimmed(report: Report) -> Iterator[str]:
    tree = compute_tree(report)
    report = report.in_unit(tree.unit)
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
    """Yield the lines of one entry, callers first, each with its node; `running` sums flat values up to it."""
    node = entry.node
    cum = node.cum_value
    for edge in entry.callers:
        yield _edge_line(report, edge, cum, edge.caller.name), edge.caller
    yield _own_line(report, node, running), node
    for edge in entry.callees:
        yield _edge_line(report, edge, cum, edge.callee.name), edge.callee


def _own_line(report: Report, node: Node, running: int) -> str:
    flat, cum = node.flat_value, node.cum_value
    return (
        f"{report.amount(flat):>10} {report.share(flat)} {report.share(running)}"
        f" {report.amount(cum):>10} {report.share(cum)}                | {node.name}"
    )


def _edge_line(report: Report, edge: Edge, cum: int, name: str) -> str:
    remark = " (inline)" if edge.inline else ""
    return f"{report.amount(edge.value):>50} {percentage(edge.value, cum)} |   {name}{remark}"
