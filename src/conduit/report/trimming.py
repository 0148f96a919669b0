"""Trimming: which nodes and edges of the call graph a report shows, and in what order.

Nodes whose cum is below a fraction of the total are dropped first; of the rest, sorted, the first `nodecount` are kept.
After each step the graph is summed again from the samples with only the kept frames, so no weight is lost. Drawings are
sorted by an *entropy score*, which prefers nodes where call paths join or split, and omit redundant edges.
"""

from __future__ import annotations

from collections import Counter
from math import log2, nan
from typing import TYPE_CHECKING

from conduit.interruption import checkpoint, interruptible, interruptible_key
from conduit.report.graph import Edge, Node, TrimmedGraph, build_graph, build_tree, sum_frames
from conduit.report.node_tags import MAX_NODELETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conduit.report.report import Report


_TWO_63 = 1 << 63


def is_negative(node: Node) -> bool:
    """Return whether `drop_negative` hides a node: it shrank, or it is 0 and what it called shrank."""
    return node.flat < 0 or (node.flat == 0 and node.cum < 0)


def trimmed_graph(report: Report, *, visual: bool = False) -> TrimmedGraph:
    """Return the graph of a report after trimming by its options; `visual` is for drawings."""
    options = report.options
    node_count, node_fraction, edge_fraction = _limits(report)
    call_tree = options.call_tree and report.format.draws
    nodes = _tree(report, visual=visual) if call_tree else whole_graph(report)
    whole = sum(node.flat for node in nodes)
    node_cutoff = abs(int(whole * node_fraction))
    has_edges = call_tree or _needs_edges(report)
    edge_cutoff = abs(int(whole * edge_fraction)) if has_edges else 0

    original = len(nodes)
    heavy = [node for node in nodes if abs(node.cum) >= node_cutoff] if node_cutoff > 0 else nodes
    dropped_nodes = original - len(heavy)
    if call_tree:
        nodes = _keep(report, nodes, heavy, visual=visual, call_tree=True)
    else:
        # Nodes that are dropped here never need edges, and a large profile has millions of them.
        kept = None if len(heavy) == original else heavy
        nodes = _with_edges(report, kept, visual=visual) if has_edges else heavy
    original = len(nodes)

    order = entropy_order if visual else cum_order if options.sort == "cum" else flat_order
    nodes = order(nodes)
    if node_count > 0:
        _trim_tags(nodes, node_cutoff)
        trim_edges(nodes, edge_cutoff)
        top = nodes[: _visual_count(nodes, node_count) if visual else node_count]
        if len(top) != len(nodes):
            nodes = order(_keep(report, nodes, top, visual=visual, call_tree=call_tree))
    _trim_tags(nodes, node_cutoff)
    dropped_edges = trim_edges(nodes, edge_cutoff)
    if visual:
        remove_redundant_edges(nodes)
    return TrimmedGraph(nodes, original, dropped_nodes, dropped_edges)


def shows_everything(report: Report) -> bool:
    """Return whether the options trim nothing, so that nodes without edges suffice."""
    return not any(_limits(report))


def _limits(report: Report) -> tuple[int, float, float]:
    """Return how many nodes are shown (0: all), and the shares of the total below which nodes and edges are not."""
    options, format = report.options, report.format
    if format.untrimmed or not options.trim:
        return 0, 0.0, 0.0
    count = format.default_nodes if options.nodecount == -1 else options.nodecount
    return count, options.nodefraction, options.edgefraction


def whole_graph(report: Report) -> list[Node]:
    """Return every node of a report, untrimmed, unordered, without edges."""
    return _without_negative(report, sum_frames(report.table, report.values))


def _tree(report: Report, *, visual: bool) -> list[Node]:
    tags_of = report.tags_of if visual else None
    nodes = build_tree(report.table, report.values, tags_of)
    return _without_negative(report, nodes)


def _needs_edges(report: Report) -> bool:
    """Return whether a report shows edges, or whether nodes are inlined, which depends on edges."""
    return report.format.needs_edges or report.table.has_inlined


def _with_edges(report: Report, kept: list[Node] | None, *, visual: bool) -> list[Node]:
    """Return the graph with its edges, of the kept nodes or (None) of all."""
    frames = None if kept is None else {node.frame for node in kept}
    tags_of = report.tags_of if visual else None
    nodes = build_graph(report.table, report.values, frames, tags_of)
    return _without_negative(report, nodes)


def _without_negative(report: Report, nodes: list[Node]) -> list[Node]:
    if not report.options.drop_negative:
        return nodes
    return [node for node in nodes if not is_negative(node)]


def _keep(
    report: Report, nodes: list[Node], kept: list[Node], *, visual: bool, call_tree: bool
) -> list[Node]:
    """Return the graph of the kept nodes only."""
    if len(kept) == len(nodes):
        return nodes
    if call_tree:
        return trim_tree(nodes, set(kept))
    # Without edges the kept nodes' values are what they were: nothing to sum again.
    return _with_edges(report, kept, visual=visual) if _needs_edges(report) else kept


def trim_tree(nodes: list[Node], kept: set[Node]) -> list[Node]:
    """Return the kept nodes of a tree, each joined to its nearest kept ancestor by a residual edge."""
    for node in interruptible(nodes):
        if node not in kept:
            _cut_out(node)
    result = [node for node in nodes if node in kept]
    remove_redundant_edges(result)
    return result


def _cut_out(node: Node) -> None:
    incoming = next(iter(node.incoming.values()), None)
    if incoming is None:
        for edge in node.outgoing.values():
            edge.callee.incoming.pop(node, None)
        return
    parent = incoming.caller
    del parent.outgoing[node]
    for edge in node.outgoing.values():
        child = edge.callee
        child.incoming.pop(node, None)
        child.incoming[parent] = parent.outgoing[child] = edge
        edge.caller = parent
        edge.residual = True
        edge.inline = edge.inline and incoming.inline


def _trim_tags(nodes: Iterable[Node], cutoff: int) -> None:
    for node in nodes:
        if node.tags is not None:
            node.tags.trim(cutoff)


def trim_edges(nodes: Iterable[Node], cutoff: int) -> int:
    """Remove edges into the nodes that weigh less than the cutoff; return their number."""
    if cutoff <= 0:
        return 0
    dropped = 0
    for node in interruptible(nodes):
        light = [caller for caller, edge in node.incoming.items() if abs(edge.weight) < cutoff]
        for caller in light:
            del node.incoming[caller]
            del caller.outgoing[node]
        dropped += len(light)
    return dropped


def _visual_count(nodes: list[Node], limit: int) -> int:
    """Return how many nodes fit into a drawing of `limit` boxes, including boxes for tags."""
    boxes = 0
    for count, node in enumerate(nodes, 1):
        boxes += 1 + (min(node.tags.count_flat(), MAX_NODELETS) if node.tags is not None else 0)
        if boxes >= limit:
            return count
    return limit


def remove_redundant_edges(nodes: list[Node]) -> None:
    """Remove residual edges whose ends are also joined by another path, lightest first."""
    for node in reversed(nodes):
        checkpoint()
        for edge in reversed(sort_edges(node.incoming.values())):
            if not edge.residual:
                # A residual edge heavier than a direct one stays, or the picture would mislead.
                break
            if _is_redundant(edge):
                del edge.caller.outgoing[edge.callee]
                del edge.callee.incoming[edge.caller]


def _is_redundant(edge: Edge) -> bool:
    seen = {edge.callee}
    queue = [edge.callee]
    for node in queue:
        for caller, incoming in node.incoming.items():
            if incoming is edge or caller in seen:
                continue
            if caller is edge.caller:
                return True
            seen.add(caller)
            queue.append(caller)
    return False


def flat_order(nodes: Iterable[Node]) -> list[Node]:
    """Return nodes by decreasing flat value, then by name, then by decreasing cum value."""
    return _ordered(nodes, lambda node: abs(node.flat), lambda node: node.cum)


def cum_order(nodes: Iterable[Node]) -> list[Node]:
    """Return nodes by decreasing cum value, then by name, then by decreasing flat value."""
    return _ordered(nodes, lambda node: node.cum, lambda node: node.flat)


def entropy_order(nodes: Iterable[Node]) -> list[Node]:
    """Return nodes by decreasing entropy score, then by name, then by decreasing flat value."""
    return _ordered(nodes, entropy_score, lambda node: node.flat)


def _ordered(
    nodes: Iterable[Node], score: Callable[[Node], int], second: Callable[[Node], int]
) -> list[Node]:
    nodes = list(nodes)
    names = Counter(node.name for node in nodes)

    def size(node: Node) -> int:
        value = score(node)
        return value if value == -_TWO_63 else abs(value)  # the lowest number has no positive counterpart

    def key(node: Node) -> tuple[int, str, int, str]:
        name = node.name
        # Only a name that several nodes have needs a text that orders these.
        return -size(node), name, -abs(second(node)), node.frame.tie_break if names[name] > 1 else ""

    return sorted(nodes, key=interruptible_key(key))


def entropy_score(node: Node) -> int:
    """Return a node's importance in a drawing: its cum times the entropy of its edges, plus its flat.

    Entry and leaf nodes count as one bit on the side where they have no edges.
    """
    incoming = _edge_entropy(node.incoming.values(), 0) if node.incoming else 1.0
    outgoing = _edge_entropy(node.outgoing.values(), node.flat) if node.outgoing else 1.0
    return _wrap(_truncate((incoming + outgoing) * node.cum) + node.flat)


def _truncate(score: float) -> int:
    """Return the score as a 64-bit integer; the lowest one if it does not fit or is not a number, as on x86-64."""
    return int(score) if -_TWO_63 <= score < _TWO_63 else -_TWO_63


def _wrap(score: int) -> int:
    return (score + _TWO_63) % (2 * _TWO_63) - _TWO_63


def _edge_entropy(edges: Iterable[Edge], own: int) -> float:
    weights = [edge.weight for edge in edges]
    total = own + sum(weight for weight in weights if weight > 0)
    if not total:
        return 0.0
    shares = [abs(weight) / total for weight in weights]
    if own > 0:
        shares.append(own / total)
    # In a difference an edge may come to nothing. 0·log 0 is then not a number, and so is the whole score: the
    # original orders such nodes by what that becomes as an integer, and the order of a drawing follows it.
    return sum((-share * log2(share) if share > 0 else nan) for share in shares)


def sort_edges(edges: Iterable[Edge]) -> list[Edge]:
    """Return edges by decreasing weight, then by the names of their ends."""
    return sorted(edges, key=lambda edge: (-abs(edge.weight), edge.caller.name, edge.callee.name))
