"""The call graph for the page: Graphviz's drawing where it is installed, nodes and edges for our own otherwise."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from conduit.report.formats.dot import compute_drawing, shorten_name, write_dot
from conduit.report.trimming import sort_edges

if TYPE_CHECKING:
    from conduit.report.formats.dot import Drawing
    from conduit.report.report import Report

_TIMEOUT_S = 30


def graph_document(report: Report) -> tuple[dict[str, Any], list[str]]:
    """The page's data and the header's lines."""
    drawing = compute_drawing(report)
    names = {f"N{number}": node.frame.name or node.name for number, node in enumerate(drawing.nodes, 1)}
    note = next((line for line in drawing.labels if line.startswith("Showing nodes")), "")
    content: dict[str, Any] = {"names": names, "note": f"{note}."}
    svg = _by_graphviz(report, drawing) if drawing.nodes else None
    if svg is not None:
        content["svg"] = svg
    else:
        content.update(_own_drawing(report, drawing))
        if drawing.nodes:
            content["note"] += " Graphviz is not installed, so the page placed the boxes itself."
    return content, drawing.labels


def _by_graphviz(report: Report, drawing: Drawing) -> str | None:
    program = shutil.which("dot")
    if program is None:
        return None
    # The legend stands above the page already.
    lines = [line for line in write_dot(report, drawing) if not line.startswith("subgraph cluster_L")]
    source = "\n".join(lines).encode("utf-8", "replace")
    try:
        done = subprocess.run(
            [program, "-Tsvg"], input=source, capture_output=True, timeout=_TIMEOUT_S, check=True
        )
    except (subprocess.SubprocessError, OSError):
        return None  # the page's own drawing serves where Graphviz gives up
    return done.stdout.decode("utf-8", "replace")


def _own_drawing(report: Report, drawing: Drawing) -> dict[str, Any]:
    total = abs(report.total) or 1
    numbers = {node: number for number, node in enumerate(drawing.nodes)}
    edges = sort_edges(edge for node in drawing.nodes for edge in node.outgoing.values())
    return {
        "nodes": [
            {
                "name": node.frame.name or node.name,
                "lines": _lines(node.frame.name or node.name),
                "flatText": f"{report.amount(node.flat_value)} of {report.amount(node.cum_value)}",
                "flatShare": node.flat_value / total,
                "cumShare": node.cum_value / total,
            }
            for node in drawing.nodes
        ],
        "edges": [
            {
                "from": numbers[edge.caller],
                "to": numbers[edge.callee],
                "text": report.amount(edge.value),
                "share": edge.value / total,
                "residual": edge.residual,
            }
            for edge in edges
        ],
    }


def _lines(name: str) -> list[str]:
    """A name in lines of a box, split where it has dots."""
    short = shorten_name(name)
    parts = short.rsplit(".", 2)
    return [part if len(part) <= 48 else f"{part[:47]}…" for part in parts]
