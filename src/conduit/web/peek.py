"""Callers and callees for the page: some functions at a time, every name a link.

The lines are those of `-peek`. Of a large profile the calls are millions, so they are summed only for the functions
that a page shows; nodes and totals are those of the whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from conduit.interruption import interruptible
from conduit.report.errors import NoMatchError
from conduit.report.formats.tree import LEGEND, SEPARATOR, TreeEntry, entry_lines
from conduit.report.graph import TrimmedGraph, add_calls
from conduit.report.report import with_header
from conduit.report.trimming import cum_order, flat_order, sort_edges, whole_graph

if TYPE_CHECKING:
    from conduit.report.graph import Node
    from conduit.report.report import Report

PAGE = 100  # functions


def peek_document(report: Report, first: int) -> dict[str, Any]:
    """Return the lines of the functions from number `first` on, heaviest first.

    Each line is `[text, regular expression of the link]`. Raises `NoMatchError` where the report's expression
    matches no function.
    """
    order = cum_order if report.options.sort == "cum" else flat_order
    nodes = order(whole_graph(report))
    report, header = with_header(report, TrimmedGraph(nodes, len(nodes), 0, 0))
    matched = [node for node in interruptible(nodes) if report.matches is None or report.matches(node.name)]
    if report.matches is not None and not matched:
        raise NoMatchError(f"no matches found for regexp: {report.argument}")
    shown = matched[first : first + PAGE]
    add_calls(report.table, report.values, shown)
    lines = [[line, ""] for line in header]
    lines += [[SEPARATOR, ""], [LEGEND, ""]]
    running = sum(node.flat_value for node in matched[:first])
    for node in interruptible(shown):
        running += node.flat_value
        entry = TreeEntry(node, sort_edges(node.incoming.values()), sort_edges(node.outgoing.values()))
        lines.append([SEPARATOR, ""])
        lines += [[line, _expression(named)] for line, named in entry_lines(report, entry, running)]
    if nodes:
        lines.append([SEPARATOR, ""])
    return {"lines": lines, "functions": len(matched), "first": first, "page": PAGE}


def _expression(node: Node) -> str:
    """Return a pattern for the lines of a node's function: their printed names continue with the file after a space."""
    return f"^{re.escape(node.frame.name)}( |$)" if node.frame.name else ""
