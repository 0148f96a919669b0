"""The call tree of a flame graph: stacks with a common beginning are joined, as columns that a page can draw.

A node is a frame (`Source`) together with its callers. Nodes are numbered so that every parent comes before its
children, and children have the order of the stacks. A large profile can have millions of nodes, and a screen can show
some thousands: nodes with less than `smallest_share` of the total are omitted and counted, and their value is added to
their parent's own.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit.interruption import checkpoint, interruptible
from conduit.profile import loops
from conduit.profile.columns import runs_of
from conduit.report.formats.flame import Flame

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conduit.profile.columns import Columns
    from conduit.profile.loops import StackTree
    from conduit.report.report import Report

# A box of this share is a third of a pixel wide on a wide screen; below so many frames nothing is left out.
SMALLEST_SHARE = 1 / 6000
KEEP_ALL_BELOW = 300_000


class FlameTree(NamedTuple):
    """Columns with one entry for each node; node 0 is the root and its own parent.

    `positive` and `negative` are the amounts that samples ending at the node add and subtract (a comparison has both;
    both are at least 0). `omitted` nodes, and all nodes below them, had less than `omitted_below` each.
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
    """Join the stacks of a report, omitting nodes that are too small to see.

    With `below`, the sources on the path from the root to a node, return the subtree of that node, as node 0.

    The tree is built level by level from the root, and a node is only extended if it is large enough: most stacks of a
    profile are distinct near their leaves, where no node is wide enough to draw.
    """
    flame = Flame(report)
    columns = report.columns
    runs = runs_of(interruptible(flame.sources_of))
    if below:
        columns = columns.selected(bytes(_starts_with(columns, flame.sources_of, list(below))))
    values = columns.values[report.values.index]
    large = _frame_count(columns, flame.sources_of, len(below)) > keep_all_below
    cutoff = max(1, int(sum(map(abs, values)) * smallest_share)) if large else 0
    checkpoint()
    tree = loops.join_stacks(columns.bounds, columns.frames, values, *runs, cutoff)
    return flame, _subtree(tree, len(below), cutoff)


def _starts_with(columns: Columns, sources_of: list[list[int]], start: list[int]) -> Iterator[bool]:
    """Yield for each stack whether its sources, from the root on, begin with these."""
    depth = len(start)
    for stack in interruptible(columns.stacks()):
        path: list[int] = []
        for location in reversed(stack):
            path += sources_of[location]
            if len(path) >= depth or path != start[: len(path)]:
                break
        yield path[:depth] == start


def _frame_count(columns: Columns, sources_of: list[list[int]], depth: int) -> int:
    """Return the number of boxes that the stacks have below the depth, if none are joined."""
    sizes = list(map(len, sources_of))
    if sizes == [1] * len(sizes):
        return sum(columns.stops) - sum(columns.starts) - depth * len(columns)
    # Stacks share frames: how many boxes there are before each frame says how many there are between two.
    before = [0, *accumulate(map(sizes.__getitem__, columns.frames.tolist()))].__getitem__
    return sum(map(before, columns.stops)) - sum(map(before, columns.starts)) - depth * len(columns)


def _subtree(tree: StackTree, depth: int, cutoff: int) -> FlameTree:
    """Return the tree below the node at this depth, which all stacks contain."""
    parents, sources, positive, negative = (list(column[depth:]) for column in tree[:4])
    if not parents:  # the samples come to nothing, and so do their boxes
        return FlameTree([0], [0], [0], [0], 0, cutoff, [])
    parents = [0, *(parent - depth for parent in parents[1:])]
    sources[0] = 0
    hidden = [
        (node - depth, boxes, value) for node, boxes, value in zip(*tree[4], strict=True) if node >= depth
    ]
    omitted = sum(boxes for _, boxes, _ in hidden)
    return FlameTree(parents, sources, positive, negative, omitted, cutoff, hidden)


def flame_document(flame: Flame, tree: FlameTree, *, has_base: bool = False) -> dict[str, Any]:
    """Return the tree for the page, in JSON's types.

    With `has_base`, negative samples are those of a base and are kept apart; otherwise values are net, and the value
    before is unknown.
    """
    difference = any(tree.negative)
    return {
        "type": flame.type,
        "unit": {"scale": flame.scale, "name": flame.unit},
        "total": flame.total,
        "names": [source.full_name for source in interruptible(flame.sources)],
        "files": [source.file_name for source in interruptible(flame.sources)],
        "starts": [source.start_line for source in interruptible(flame.sources)],
        "parents": tree.parents,
        "sources": tree.sources,
        "values": tree.positive,
        "negatives": tree.negative if difference else None,
        "difference": difference,
        "hasBase": has_base,
        "hidden": tree.hidden,
        "pruned": {"nodes": tree.omitted, "below": tree.omitted_below} if tree.omitted else None,
    }
