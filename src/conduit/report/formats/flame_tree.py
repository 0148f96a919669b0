"""The call tree of a flame graph: stacks with a common beginning joined, as columns that a page can draw.

A node is a source in one context. Nodes are numbered so that every parent stands before its children, children in
the order of the stacks. A large profile can have millions of nodes, of which a screen shows some thousands: what
holds less than `smallest_share` of the total is left out and counted, its value added to its parent's own.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit.report.formats.flame import Flame, begin_flame

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conduit.report.report import Report

# A box of this share is a third of a pixel wide on a wide screen; below so many frames nothing is left out.
SMALLEST_SHARE = 1 / 6000
KEEP_ALL_BELOW = 300_000


class FlameTree(NamedTuple):
    """Columns, one entry a node; node 0 is the root and its own parent.

    `positive` and `negative` are what the samples that end there add and take away (a comparison has both; both
    are at least 0). `omitted` nodes, and all below them, held less than `omitted_below` each.
    """

    parents: list[int]
    sources: list[int]
    positive: list[int]
    negative: list[int]
    omitted: int
    omitted_below: int
    hidden: list[tuple[int, int, int]]


def build_flame_tree(
    report: Report,
    *,
    smallest_share: float = SMALLEST_SHARE,
    keep_all_below: int = KEEP_ALL_BELOW,
    below: Sequence[int] = (),
) -> tuple[Flame, FlameTree]:
    """Join the stacks of a report and leave out what cannot be seen.

    With `below`, the sources on the way from the root to a node, return that node's subtree, with it as node 0.

    Works level by level from the root, and goes below a node only if it is large enough: the stacks of a profile
    are mostly distinct near their leaves, where nothing is wide enough to draw.
    """
    flame, paths = begin_flame(report)
    values = [report.values.of(sample)[0] for sample in report.profile.samples]
    if below:
        depth, start = len(below), list(below)
        chosen = [n for n, path in enumerate(paths) if path[:depth] == start]
        paths, values = [paths[n][depth:] for n in chosen], [values[n] for n in chosen]
    large = sum(map(len, paths)) > keep_all_below
    cutoff = max(1, int(sum(map(abs, values)) * smallest_share)) if large else 0
    return flame, _join(paths, values, cutoff)


def _join(paths: Sequence[Sequence[int]], values: Sequence[int], cutoff: int) -> FlameTree:
    parents, sources, positive, negative = [0], [0], [0], [0]
    omitted = 0
    hidden: dict[int, list[int]] = {}
    waiting: deque[tuple[int, int, Iterable[int]]] = deque([(0, 0, range(len(paths)))])
    while waiting:
        node, depth, members = waiting.popleft()
        groups: dict[int, list[int]] = {}
        for member in members:
            path = paths[member]
            if depth < len(path):
                groups.setdefault(path[depth], []).append(member)
            else:
                _end(node, values[member], positive, negative)
        for source, group in groups.items():
            size = sum([abs(values[member]) for member in group]) if cutoff else 0
            if size < cutoff:
                omitted += 1
                left_out = hidden.setdefault(node, [0, 0])
                left_out[0] += 1
                left_out[1] += size
                for member in group:
                    _end(node, values[member], positive, negative)
                continue
            waiting.append((len(parents), depth + 1, group))
            parents.append(node)
            sources.append(source)
            positive.append(0)
            negative.append(0)
    return FlameTree(
        parents,
        sources,
        positive,
        negative,
        omitted,
        cutoff,
        [(node, boxes, value) for node, (boxes, value) in hidden.items()],
    )


def _end(node: int, value: int, positive: list[int], negative: list[int]) -> None:
    if value >= 0:
        positive[node] += value
    else:
        negative[node] -= value


def flame_document(flame: Flame, tree: FlameTree, *, has_base: bool = False) -> dict[str, Any]:
    """The tree as the page takes it: JSON's types only.

    `has_base` says that negative samples are a base's, kept apart; otherwise values are net, and before is unknown.
    """
    difference = any(tree.negative)
    return {
        "type": flame.type,
        "unit": {"scale": flame.scale, "name": flame.unit},
        "total": flame.total,
        "names": [source.full_name for source in flame.sources],
        "files": [source.file_name for source in flame.sources],
        "parents": tree.parents,
        "sources": tree.sources,
        "values": tree.positive,
        "negatives": tree.negative if difference else None,
        "difference": difference,
        "hasBase": has_base,
        "hidden": tree.hidden,
        "pruned": {"nodes": tree.omitted, "below": tree.omitted_below} if tree.omitted else None,
    }
