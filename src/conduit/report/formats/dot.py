"""`-dot`: the call graph in Graphviz's language.

Larger boxes have a larger flat value; thicker, redder edges have a larger weight.
"""

from __future__ import annotations

import re
from math import ceil, isnan, sqrt
from typing import TYPE_CHECKING, NamedTuple

from conduit.profile.measurement import quotient
from conduit.profile.model import base_name
from conduit.report.node_tags import MAX_NODELETS, collapse_tags, sort_tags
from conduit.report.report import with_header
from conduit.report.trimming import sort_edges, trimmed_graph

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conduit.report.frames import Frame
    from conduit.report.graph import Edge, Node
    from conduit.report.node_tags import Tag
    from conduit.report.report import Report

# What may go from a function's name in a picture, and what stays of it (Go, Java, C++).
_ANONYMOUS_NAMESPACE = re.compile(r"^\(anonymous namespace\)::")
_GO_MODULE_VERSION = re.compile(r"^(.*?)/v(?:[2-9]|[1-9][0-9]+)([./].*)$", re.ASCII)
_GO_NAME = re.compile(r"^(?:[\w\-.]+/)+([^.]+\..+)", re.ASCII)
_JAVA_NAME = re.compile(r"^(?:[a-z]\w*\.)*([A-Z][\w$]*\.(?:<init>|[a-z][\w$]*(?:\$\d+)?))(?:\(|$)", re.ASCII)
_CPP_NAME = re.compile(r"^(?:[_a-zA-Z]\w*::)+(_*[A-Z]\w*::~?[_a-zA-Z]\w*(?:<.*>)?)", re.ASCII)

_BASE_FONT, _FONT_GROWTH = 8, 16.0


def shorten_name(name: str) -> str:
    """Return a function's name without its package path or namespaces, if the language shows them."""
    name = _ANONYMOUS_NAMESPACE.sub("", name)
    name = _GO_MODULE_VERSION.sub(r"\1\2", name)
    for pattern in (_GO_NAME, _JAVA_NAME, _CPP_NAME):
        match = pattern.match(name)
        if match:
            return match[1]
    return name


class Drawing(NamedTuple):
    """The unit of all amounts, the header lines and the nodes of a drawing, in order."""

    unit: str
    labels: list[str]
    nodes: list[Node]


def compute_drawing(report: Report) -> Drawing:
    """Return the nodes to draw, with their edges."""
    graph = trimmed_graph(report, visual=True)
    report, labels = with_header(report, graph, full=True)
    return Drawing(report.output_unit, labels, graph.nodes)


def print_dot(report: Report) -> Iterator[str]:
    """Yield the lines of the report."""
    return write_dot(report, compute_drawing(report))


def write_dot(report: Report, drawing: Drawing) -> Iterator[str]:
    """Yield the drawing in Graphviz's language."""
    report = report.in_unit(drawing.unit)
    yield f'digraph "{report.title or "unnamed"}" {{'
    yield 'node [style=filled fillcolor="#f8f8f8"]'
    yield _legend(report, drawing.labels)
    nodes = drawing.nodes
    numbers = {node: number for number, node in enumerate(nodes, 1)}
    largest = max((abs(node.flat_value) for node in nodes), default=0)
    with_nodelets = set()
    for node, number in numbers.items():
        yield _node_line(report, node, number, largest)
        nodelets = list(_nodelet_lines(report, node, number))
        if nodelets:
            with_nodelets.add(node)
        yield from nodelets
    edges = sort_edges(edge for node in nodes for edge in node.outgoing.values())
    for edge in edges:
        yield _edge_line(report, edge, numbers, edge.caller in with_nodelets)
    yield "}"


def _legend(report: Report, labels: list[str]) -> str:
    text = r"\l".join(_escaped(line) for line in labels)
    tooltip = f' tooltip="{report.title}"' if report.title else ""
    return (
        f'subgraph cluster_L {{ "{_escaped(labels[0])}" [shape=box fontsize=16 label="{text}\\l"{tooltip}] }}'
    )


def _escaped(text: str) -> str:
    """Return text for use inside Graphviz's quotes; its lines are aligned to the left."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\l")


def _node_line(report: Report, node: Node, number: int, largest: int) -> str:
    flat, cum = node.flat_value, node.cum_value
    share = cum / abs(report.total) if report.total else _quotient_by_zero(cum)
    tooltip = f"{_escaped(node.name)} ({report.amount(cum)})"
    return (
        f'N{number} [label="{_node_label(report, node.frame, flat, cum)}" id="node{number}"'
        f' fontsize={_font_size(flat, largest)} shape=box tooltip="{tooltip}"'
        f' color="{_color(share, background=False)}" fillcolor="{_color(share, background=True)}"]'
    )


def _quotient_by_zero(value: int) -> float:
    # What IEEE 754 says of a division by zero; the colour of a node in a difference that cancels out.
    return float("nan") if not value else float("inf") if value > 0 else float("-inf")


def _node_label(report: Report, frame: Frame, flat: int, cum: int) -> str:
    label = _multiline_name(report, frame)
    if flat:
        label += f"{report.amount(flat)} ({report.share(flat).strip()})"
    else:
        label += "0"
    if cum != flat:
        label += r"\n" if flat else " "
        label += f"of {report.amount(cum)} ({report.share(cum).strip()})"
    return label


def shown_name(report: Report, name: str) -> str:
    """Return a function's name as drawings show it."""
    short = report.short_names.get(name)
    return short.readable if short else shorten_name(name)


def _multiline_name(report: Report, frame: Frame) -> str:
    name = _escaped(shown_name(report, frame.name)).replace("::", r"\n")
    # Go writes type parameters as [...]: that is one word, not three line breaks.
    name = name.replace("[...]", "[…]").replace(".", r"\n")
    file = base_name(frame.file) if frame.file else ""
    return r"\n".join(frame._replace(name=name, file=file).components()) + r"\n"


def _font_size(flat: int, largest: int) -> int:
    if not largest or not flat:
        return _BASE_FONT
    return _BASE_FONT + ceil(_FONT_GROWTH * sqrt(abs(flat) / largest))


def _nodelet_lines(report: Report, node: Node, number: int) -> Iterator[str]:
    """Yield the boxes for a node's labels; those of a leaf include the labels of what it calls."""
    if node.tags is None:
        return
    flat = bool(node.outgoing)
    numeric = node.tags.numeric
    for place, tag in enumerate(sort_tags(node.tags.text.values(), flat)[:MAX_NODELETS]):
        weight = tag.flat_value if flat else tag.cum_value
        if not weight:
            continue
        amount = report.amount(weight)
        box = f"N{number}_{place}"
        yield _box(box, tag.name, amount)
        yield _box_edge(f"N{number}", box, amount)
        yield from _numeric_lines(report, numeric.get(tag.name, {}).values(), flat, box)
    yield from _numeric_lines(report, numeric.get("", {}).values(), flat, f"N{number}")


def _numeric_lines(report: Report, tags: Iterable[Tag], flat: bool, source: str) -> Iterator[str]:
    for place, tag in enumerate(collapse_tags(tags, MAX_NODELETS, flat)):
        weight, style = tag.cum_value, ' style="dotted"'
        if flat or tag.flat_value == tag.cum_value:
            weight, style = tag.flat_value, ""
        if weight:
            amount = report.amount(weight)
            box = f"N{source}_{place}"
            yield _box(box, tag.name, amount)
            yield _box_edge(source, box, amount, style)


def _box(name: str, label: str, amount: str) -> str:
    return f'{name} [label = "{label}" id="{name}" fontsize=8 shape=box3d tooltip="{amount}"]'


def _box_edge(source: str, box: str, amount: str, style: str = "") -> str:
    return (
        f'{source} -> {box} [label=" {amount}" weight=100 tooltip="{amount}" labeltooltip="{amount}"{style}]'
    )


def _edge_line(report: Report, edge: Edge, numbers: dict[Node, int], after_nodelets: bool) -> str:
    total, value = report.total, edge.value
    amount = report.amount(value)
    inline = r"\n (inline)" if edge.inline else ""
    parts = [f'label=" {amount}{inline}"']
    if total:
        weight = 1 + min(abs(quotient(value * 100, total)), 100)
        if weight > 1:
            parts.append(f"weight={weight}")
        width = 1 + min(abs(quotient(value * 5, total)), 5)
        if width > 1:
            parts.append(f"penwidth={width}")
        parts.append(f'color="{_color(value / abs(total), background=False)}"')
    arrow = "..." if edge.residual else "->"
    tooltip = f'"{_escaped(edge.caller.name)} {arrow} {_escaped(edge.callee.name)} ({amount})"'
    parts.append(f"tooltip={tooltip} labeltooltip={tooltip}")
    if edge.residual:
        parts.append('style="dotted"')
    if after_nodelets:
        # Room for the boxes between the node and what it calls.
        parts.append("minlen=2")
    caller, callee = numbers.get(edge.caller, 0), numbers.get(edge.callee, 0)
    return f"N{caller} -> N{callee} [{' '.join(parts)}]"


def _color(score: float, *, background: bool) -> str:
    """Return red for 1, grey for 0, green for -1; light and pale colours for a background."""
    saturation, value = (0.1, 0.93) if background else (1.0, 0.7)
    if isnan(score):
        # Nothing out of nothing: what the original's arithmetic makes of it.
        return "#ed00d5" if background else "#b20000"
    score = max(-1.0, min(1.0, score))
    if abs(score) < 0.2:
        # Near 0 the colour fades to grey, or it would be yellow.
        saturation *= abs(score) / 0.2
    # The root spreads the small scores, which are most of them.
    shifted = abs(score) ** (1.0 - 0.7)
    strong, weak, blue = value, value * (1 - saturation * shifted), value * (1 - saturation)
    red, green = (strong, weak) if score >= 0 else (weak, strong)
    return f"#{int(red * 255.0):02x}{int(green * 255.0):02x}{int(blue * 255.0):02x}"
