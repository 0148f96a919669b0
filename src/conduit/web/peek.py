"""Callers and callees for the page: some functions at a time, every name a link.

The lines are those of `-peek`. Of a large profile the calls are millions, so they are summed only for the functions
that a page shows; nodes and totals are those of the whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from conduit.report.errors import NoMatchError
from conduit.report.formats.tree import LEGEND, SEPARATOR, TreeEntry, entry_lines
from conduit.report.graph import Node
from conduit.report.header import report_labels
from conduit.report.trimming import TrimmedGraph, cum_order, flat_order, sort_edges, whole_graph

if TYPE_CHECKING:
    from conduit.report.frames import Frame
    from conduit.report.report import Report

PAGE = 100  # functions


def peek_document(report: Report, first: int) -> dict[str, Any]:
    """The lines of the functions from number `first` on, heaviest first: `[text, regular expression of the link]`.

    Raises `NoMatchError` where the report's expression matches no function.
    """
    order = cum_order if report.options.sort == "cum" else flat_order
    nodes = order(whole_graph(report))
    report.choose_unit(nodes)
    matched = [node for node in nodes if report.matches is None or report.matches(node.name)]
    if report.matches is not None and not matched:
        raise NoMatchError(f"no matches found for regexp: {report.argument}")
    shown = matched[first : first + PAGE]
    _add_calls(report, shown)
    lines = [[line, ""] for line in report_labels(report, TrimmedGraph(nodes, len(nodes), 0, 0))]
    lines += [[SEPARATOR, ""], [LEGEND, ""]]
    running = sum(node.flat_value for node in matched[:first])
    for node in shown:
        running += node.flat_value
        entry = TreeEntry(node, sort_edges(node.incoming.values()), sort_edges(node.outgoing.values()))
        lines.append([SEPARATOR, ""])
        lines += [[line, _expression(named)] for line, named in entry_lines(report, entry, running)]
    if nodes:
        lines.append([SEPARATOR, ""])
    return {"lines": lines, "functions": len(matched), "first": first, "page": PAGE}


def _expression(node: Node) -> str:
    """What finds the lines of a node's function: their printed names continue with the file after a space."""
    return f"^{re.escape(node.frame.name)}( |$)" if node.frame.name else ""


def _add_calls(report: Report, shown: list[Node]) -> None:
    """Give the nodes their edges to all their callers and callees, as the whole graph has them."""
    table, nodes = report.table, dict[int, Node]()
    wanted_frames: dict[Frame, Node] = {node.frame: node for node in shown}
    wanted: set[int] = set()
    for number, frame in enumerate(table.frames):
        if frame in wanted_frames:
            wanted.add(number)
            nodes[number] = wanted_frames[frame]
    steps = {
        location: [(number, place != 0) for place, number in enumerate(reversed(numbers))]
        for location, numbers in table.of_location.items()
    }
    holds = {location for location, numbers in table.of_location.items() if not wanted.isdisjoint(numbers)}
    weights: dict[tuple[int, int], list[int]] = {}  # value, divisor, and whether it is a real call somewhere
    for sample, value, divisor in report.values.weighted(report.profile.samples):
        if holds.isdisjoint(sample.locations):
            continue
        parent, parent_wanted, seen = -1, False, set[tuple[int, int]]()
        for location in reversed(sample.locations):
            for number, inlined in steps[location]:
                is_wanted = number in wanted
                if (is_wanted or parent_wanted) and parent not in (-1, number):
                    call = (parent, number)
                    if call not in seen:
                        seen.add(call)
                        sums = weights.setdefault(call, [0, 0, 0])
                        sums[0] += value
                        sums[1] += divisor
                        sums[2] |= not inlined
                parent, parent_wanted = number, is_wanted
    for (caller, callee), (weight, divisor, is_call) in weights.items():
        for number in (caller, callee):
            if number not in nodes:
                nodes[number] = Node(table.frames[number])
        edge = nodes[caller].edge_to(nodes[callee])
        edge.weight, edge.divisor, edge.inline = weight, divisor, not is_call
