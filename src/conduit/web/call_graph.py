"""The call graph for the page: Graphviz's drawing where it is installed, nodes and edges for the page's own otherwise.

`graph_document` computes, `draw` runs Graphviz. Apart, because Graphviz may take seconds in a process of its own, for
which no other view needs to wait.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

from conduit.profile.focus import Filters, apply_filters
from conduit.report.formats.dot import compute_drawing, shown_name, write_dot
from conduit.report.node_tags import BASE_LABEL
from conduit.report.trimming import sort_edges

if TYPE_CHECKING:
    import threading

    from conduit.report.formats.dot import Drawing
    from conduit.report.report import Report

_TIMEOUT_S = 20.0
_WATCH_INTERVAL_S = 0.1


def without_constant_labels(report: Report) -> tuple[Report, list[str]]:
    """Leave out the labels that have one value in the whole profile: they tell nothing and double a graph.

    Returns the report without them, and the labels as `key:value`. The label that marks a base stays: no drawing
    shows it.
    """
    values: dict[str, set[str]] = {}
    for labels in report.columns.used_sets():
        for key, texts in labels.labels.items():
            values.setdefault(key, set()).update(texts)
    constant = {
        key: next(iter(found)) for key, found in values.items() if len(found) == 1 and key != BASE_LABEL
    }
    if constant:
        keys = "|".join(map(re.escape, sorted(constant)))
        profile = apply_filters(report.profile, Filters(taghide=f"^({keys})$"), lambda _: None, {})
        report = report.with_profile(profile)
    return report, [f"{key}:{value}" for key, value in sorted(constant.items())]


def graph_document(report: Report) -> tuple[dict[str, Any], list[str]]:
    """Return the page's data, with the graph in Graphviz's language under `dot` for `draw`, and the header's lines."""
    drawing = compute_drawing(report)
    _drop_edges_to_missing_nodes(drawing)
    report = report.in_unit(drawing.unit)
    names = {f"N{number}": node.frame.name or node.name for number, node in enumerate(drawing.nodes, 1)}
    note = next((line for line in drawing.labels if line.startswith("Showing nodes")), "")
    content: dict[str, Any] = {"names": names, "note": f"{note}.", **_own_drawing(report, drawing)}
    if drawing.nodes:
        # The legend stands above the page already.
        lines = (line for line in write_dot(report, drawing) if not line.startswith("subgraph cluster_L"))
        content["dot"] = "\n".join(lines)
    return content, drawing.labels


def _drop_edges_to_missing_nodes(drawing: Drawing) -> None:
    """Drop the edges of value 0 to nodes that were left out. `-dot` keeps them, as the original does: a node `N0`."""
    shown = set(drawing.nodes)
    for node in drawing.nodes:
        node.outgoing = {callee: edge for callee, edge in node.outgoing.items() if callee in shown}


def draw(content: dict[str, Any], cancelled: threading.Event | None) -> None:
    """Replace the nodes and edges of a graph's data by Graphviz's drawing, or add to `note` why there is none."""
    source = content.pop("dot", None)
    if source is None:
        return
    program = shutil.which("dot")
    if program is None:
        content["note"] += " Graphviz is not installed: the page placed the boxes itself."
        return
    svg, reason = _run_graphviz(program, source.encode("utf-8", "replace"), cancelled)
    if svg is None:
        content["note"] += f" Graphviz {reason}: the page placed the boxes itself."
        return
    content["svg"] = svg
    del content["nodes"], content["edges"]


def _run_graphviz(program: str, source: bytes, cancelled: threading.Event | None) -> tuple[str | None, str]:
    """Return the drawing, or None and the reason. The process ends with the time limit and with the client."""
    try:
        process = subprocess.Popen(
            [program, "-Tsvg"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        return None, f"could not be started ({error.strerror})"
    deadline = time.monotonic() + _TIMEOUT_S
    given: bytes | None = source
    try:
        while True:
            try:
                output, _ = process.communicate(given, timeout=_WATCH_INTERVAL_S)
                break
            except subprocess.TimeoutExpired:
                given = None  # is being sent already
            if time.monotonic() > deadline:
                return None, f"needed more than {_TIMEOUT_S:.0f} s"
            if cancelled is not None and cancelled.is_set():
                return None, "was stopped, because the client disconnected"
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    if process.returncode != 0:
        return None, f"failed with status {process.returncode}"
    return output.decode("utf-8", "replace"), ""


def _own_drawing(report: Report, drawing: Drawing) -> dict[str, Any]:
    total = abs(report.total) or 1
    numbers = {node: number for number, node in enumerate(drawing.nodes)}
    edges = sort_edges(edge for node in drawing.nodes for edge in node.outgoing.values())
    return {
        "nodes": [
            {
                "name": node.frame.name or node.name,
                "lines": _lines(report, node.frame.name or node.name),
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


def _lines(report: Report, name: str) -> list[str]:
    """Return a name in lines of a box, split where it has dots."""
    short = shown_name(report, name)
    parts = short.rsplit(".", 2)
    return [part if len(part) <= 48 else f"{part[:47]}…" for part in parts]
