"""`-callgrind`: the graph as KCachegrind reads it, with whole numbers, name compression and relative addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.report.trimming import sort_edges, trimmed_graph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.report.frames import Frame
    from conduit.report.graph import Node
    from conduit.report.report import Report


class _Names:
    """Callgrind's name compression: `(1) name` the first time, `(1)` afterwards."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __call__(self, name: str) -> str:
        if not name:
            return ""
        known = self._numbers.get(name)
        if known is not None:
            return f"({known})"
        self._numbers[name] = number = len(self._numbers) + 1
        return f"({number}) {name}"


def print_callgrind(report: Report) -> Iterator[str]:
    """Yield the lines of the report."""
    graph = trimmed_graph(report)
    report = report.in_unit_for(graph.nodes)
    callee_names = _distinct_names(graph.nodes)
    binaries, files, names = _Names(), _Names(), _Names()
    yield "positions: instr line"
    yield f"events: {report.sample_type}({report.output_unit})"
    previous: Frame | None = None
    for node in graph.nodes:
        frame = node.frame
        if previous is None or _place(frame) != _place(previous):
            yield ""
            yield f"ob={binaries(frame.object_file)}"
            yield f"fl={files(frame.file)}"
            yield f"fn={names(frame.name)}"
        address = _position(previous, frame.address)
        yield f"{address} {frame.line} {report.scaled(node.flat_value)}"
        for edge in sort_edges(node.outgoing.values()):
            callee = edge.callee.frame
            yield f"cfl={files(callee.file)}"
            yield f"cfn={names(callee_names.get(edge.callee, ''))}"
            # A profile counts time, not calls.
            yield f"calls=0 {_position(previous, callee.address)} {callee.line}"
            yield f"* * {report.scaled(edge.weight)}"
        previous = frame


def _place(frame: Frame) -> tuple[str, str, str]:
    return frame.object_file, frame.file, frame.name


def _function_of(node: Node) -> object:
    """Return what the nodes of one function share, and the functions of a file with the same name do not."""
    return node.context or node.frame.of_function


def _distinct_names(nodes: list[Node]) -> dict[Node, str]:
    """Return names that distinguish functions of the same file and name by ` [1/2]`; callgrind would merge them."""
    namesakes: dict[tuple[str, str], dict[object, int]] = {}
    for node in nodes:
        known = namesakes.setdefault((node.frame.file, node.frame.name), {})
        known.setdefault(_function_of(node), len(known) + 1)
    names = {}
    for node in nodes:
        known = namesakes[node.frame.file, node.frame.name]
        suffix = f" [{known[_function_of(node)]}/{len(known)}]" if len(known) > 1 else ""
        names[node] = node.frame.name + suffix
    return names


def _position(previous: Frame | None, address: int) -> str:
    """Return an address, or its distance from the previous one if that is shorter."""
    absolute = f"{address:#x}" if address else "0x0"
    if previous is None:
        return absolute
    if previous.address == address:
        return "*"
    distance = (address - previous.address + (1 << 63)) % (1 << 64) - (1 << 63)
    relative = f"{distance:+d}"
    return relative if len(relative) < len(absolute) else absolute
