"""The call tree of a flame graph: stacks with a common beginning joined, as columns that a page can draw.

A node is a source in one context. Nodes are numbered so that every parent stands before its children, children in
the order of the stacks. A large profile can have millions of nodes, of which a screen shows some thousands: what
holds less than `smallest_share` of the total is left out and counted, its value added to its parent's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.report.flame import Flame, Stack

# A box of this share is a third of a pixel wide on a wide screen; below so many nodes nothing is left out.
SMALLEST_SHARE = 1 / 6000
KEEP_ALL_BELOW = 60_000


class FlameTree(NamedTuple):
    """Columns, one entry a node; node 0 is the root and its own parent.

    `positive` and `negative` are what the samples that end there add and take away (a comparison has both; both
    are at least 0). `omitted` nodes held less than `omitted_below` each.
    """

    parents: list[int]
    sources: list[int]
    positive: list[int]
    negative: list[int]
    omitted: int
    omitted_below: int


def build_flame_tree(
    flame: Flame, *, smallest_share: float = SMALLEST_SHARE, keep_all_below: int = KEEP_ALL_BELOW
) -> FlameTree:
    """Joins the stacks of a flame graph and leaves out what cannot be seen."""
    tree = _join(flame.stacks)
    if len(tree.parents) <= keep_all_below:
        return tree
    total = sum(tree.positive) + sum(tree.negative)
    return _prune(tree, max(1, int(total * smallest_share)))


def _join(stacks: Sequence[Stack]) -> FlameTree:
    parents, sources, positive, negative = [0], [0], [0], [0]
    children: list[dict[int, int]] = [{}]
    for stack in stacks:
        node = 0
        for source in stack.sources[1:]:
            known = children[node].get(source)
            if known is None:
                known = children[node][source] = len(parents)
                parents.append(node)
                sources.append(source)
                positive.append(0)
                negative.append(0)
                children.append({})
            node = known
        if stack.value >= 0:
            positive[node] += stack.value
        else:
            negative[node] -= stack.value
    return FlameTree(parents, sources, positive, negative, 0, 0)


def _prune(tree: FlameTree, cutoff: int) -> FlameTree:
    parents, size = tree.parents, len(tree.parents)
    weight = [up + down for up, down in zip(tree.positive, tree.negative, strict=True)]
    for node in range(
        size - 1, 0, -1
    ):  # parents come first, so their sums are complete when they are reached
        weight[parents[node]] += weight[node]
    number, kept = [0] * size, FlameTree([0], [0], [tree.positive[0]], [tree.negative[0]], 0, cutoff)
    omitted = 0
    for node in range(1, size):
        parent = number[parents[node]]
        if weight[node] < cutoff:
            # The parent's number serves what lies below it too: its value ends up there.
            number[node] = parent
            kept.positive[parent] += tree.positive[node]
            kept.negative[parent] += tree.negative[node]
            omitted += 1
            continue
        number[node] = len(kept.parents)
        kept.parents.append(parent)
        kept.sources.append(tree.sources[node])
        kept.positive.append(tree.positive[node])
        kept.negative.append(tree.negative[node])
    return kept._replace(omitted=omitted)


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
        "modules": [_module(source.full_name, source.file_name) for source in flame.sources],
        "parents": tree.parents,
        "sources": tree.sources,
        "values": tree.positive,
        "negatives": tree.negative if difference else None,
        "difference": difference,
        "hasBase": has_base,
        "pruned": {"nodes": tree.omitted, "below": tree.omitted_below} if tree.omitted else None,
    }


def _module(name: str, file: str) -> str:
    """What boxes of one colour have in common: the folder and file of Python code, the package of other names."""
    if file.endswith(".py") or file.startswith("<"):
        parts = file.replace("\\", "/").rsplit("/", 2)
        return "/".join(parts[-2:])
    head, slash, tail = name.rpartition("/")
    return head + slash + tail.partition(".")[0]
