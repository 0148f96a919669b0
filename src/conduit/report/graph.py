"""The call graph of a profile: the time (or memory, or other value) of each frame and each call.

A sample is walked from its root to its leaf. Its value is added once to `cum` of every frame on it, even if the frame
recurs; once to every call from one frame to another; and to `flat` of the leaf. A call from a frame to itself is not an
edge. If frames are left out (`kept`), their callers and callees are joined by a *residual* edge. The flat value of an
omitted leaf is not assigned to any other node.

The loops over the profile's columns compute the sums by frame number; the objects that reports read are made at the
end, for the frames that have a value.
"""

from __future__ import annotations

from array import array
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit.interruption import interruptible
from conduit.profile import loops
from conduit.profile.columns import runs_of
from conduit.profile.measurement import quotient
from conduit.report.node_tags import NodeTags

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from _typeshed import ReadableBuffer as Buffer

    from conduit.profile.columns import LabelSet, Values
    from conduit.report.frames import Frame, FrameTable
    from conduit.report.node_tags import SampleTags

    TagsOf = Callable[[LabelSet], SampleTags]


class Edge:
    """Calls from one node to another: `weight` is the value of the samples in which they occur."""

    __slots__ = ("callee", "caller", "divisor", "inline", "residual", "weight")

    def __init__(self, caller: Node, callee: Node) -> None:
        self.caller = caller
        self.callee = callee
        self.weight = 0
        self.divisor = 0
        self.inline = True
        self.residual = False

    @property
    def value(self) -> int:
        """The weight, divided if the report shows means."""
        return quotient(self.weight, self.divisor)


class Node:
    """A frame with its values: `flat` is its own, `cum` includes what it called; edges are keyed by the other node.

    `flat_value` and `cum_value` are what reports show: the same, divided if they show means.
    """

    __slots__ = (
        "context",
        "cum",
        "cum_divisor",
        "cum_value",
        "flat",
        "flat_divisor",
        "flat_value",
        "frame",
        "incoming",
        "name",
        "outgoing",
        "tags",
    )

    def __init__(self, frame: Frame, name: str) -> None:
        self.frame = frame
        self.name = name
        self.flat = self.flat_divisor = self.cum = self.cum_divisor = 0
        self.flat_value = self.cum_value = 0
        self.incoming: dict[Node, Edge] = {}
        self.outgoing: dict[Node, Edge] = {}
        # What callgrind tells contexts of one function apart by, where a tree has several.
        self.context: object = None
        self.tags: NodeTags | None = None

    def set_sums(self, flat: int, cum: int, flat_divisor: int = 0, cum_divisor: int = 0) -> None:
        """Set the sums of the samples, and what reports show of them."""
        self.flat, self.flat_divisor, self.cum, self.cum_divisor = flat, flat_divisor, cum, cum_divisor
        self.flat_value = quotient(flat, flat_divisor) if flat_divisor else flat
        self.cum_value = quotient(cum, cum_divisor) if cum_divisor else cum

    def edge_to(self, callee: Node) -> Edge:
        """Return the edge to another node, creating it if necessary."""
        edge = self.outgoing.get(callee)
        if edge is None:
            edge = self.outgoing[callee] = callee.incoming[self] = Edge(self, callee)
        return edge


class TrimmedGraph(NamedTuple):
    """The nodes that a report shows, in order, and what it omits."""

    nodes: list[Node]
    original_count: int
    dropped_nodes: int
    dropped_edges: int


def sum_frames(table: FrameTable, values: Values) -> list[Node]:
    """Return the nodes of all frames that occur, without edges; a flat report needs no more.

    The samples of the values are those of the table's profile, or some of them.
    """
    value, divisor = values.amounts, values.divisors
    stacks, count = (values.columns.bounds, values.columns.frames), len(table.frames)
    flat, cum = loops.sum_stacks(*stacks, value, divisor, *table.runs, count)
    flat_divisors = cum_divisors = [0] * count
    if values.mean:
        flat_divisors, cum_divisors = loops.sum_stacks(*stacks, divisor, value, *table.runs, count)
    nodes = []
    for number, frame in enumerate(interruptible(table.frames)):
        if cum[number] or flat[number]:
            node = Node(frame, table.names[number])
            node.set_sums(flat[number], cum[number], flat_divisors[number], cum_divisors[number])
            nodes.append(node)
    return nodes


def build_graph(
    table: FrameTable,
    values: Values,
    kept: Collection[Frame] | None = None,
    tags_of: TagsOf | None = None,
) -> list[Node]:
    """Return the nodes with their edges; with `kept`, only of those frames. `tags_of` collects labels for drawings."""
    builder = _Builder(table, values, kept)
    if tags_of is not None:
        builder.add_tags(tags_of)
    return builder.nodes()


class _Builder:
    """Sums samples into calls, keyed by caller·n + callee, and into nodes, by frame number."""

    def __init__(self, table: FrameTable, values: Values, kept: Collection[Frame] | None) -> None:
        self._table = table
        self._columns = values.columns
        self._runs = runs_of(_steps(table, kept))
        self._value, self._divisor = values.amounts, values.divisors
        self._mean = values.mean
        size = len(table.frames)
        self._flat, self._cum, *self.sums = self._sum(loops.sum_calls, self._value, self._divisor)
        self._flat_divisors = self._cum_divisors = [0] * size
        self.call_divisors: Sequence[int] = ()
        if values.mean:
            divided = self._sum(loops.sum_calls, self._divisor, self._value)
            self._flat_divisors, self._cum_divisors, _, self.call_divisors, _ = divided
        self._tags: dict[int, NodeTags] = {}

    def _sum(self, loop: Callable[..., Any], value: Buffer, other: Buffer, *more: object) -> Any:
        columns = self._columns
        return loop(columns.bounds, columns.frames, value, other, *self._runs, len(self._table.frames), *more)

    def add_tags(self, tags_of: TagsOf) -> None:
        """Collect the labels of each node's samples."""
        sets = self._columns.label_sets
        labels = (self._columns.label_of, len(sets))
        keys, flat, cum = self._sum(loops.sum_labels, self._value, self._divisor, *labels)
        divisors = [(0, 0)] * len(keys)
        if self._mean:
            _, *sums = self._sum(loops.sum_labels, self._divisor, self._value, *labels)
            divisors = list(zip(*sums, strict=True))
        known: dict[int, SampleTags] = {}
        rows = zip(keys, flat, cum, divisors, strict=True)
        for key, own, whole, (flat_divisor, cum_divisor) in interruptible(rows):
            frame, number = divmod(key, len(sets))
            tags = known.get(number)
            if tags is None:
                tags = known[number] = tags_of(sets[number])
            held = self._tags.get(frame)
            if held is None:
                held = self._tags[frame] = NodeTags()
            held.add(tags, own, flat_divisor, whole, cum_divisor)

    def nodes(self) -> list[Node]:
        all_nodes: dict[int, Node] = {}
        frames, names = self._table.frames, self._table.names

        def node(number: int) -> Node:
            found = all_nodes.get(number)
            if found is None:
                found = all_nodes[number] = Node(frames[number], names[number])
                own, whole = self._flat[number], self._cum[number]
                found.set_sums(own, whole, self._flat_divisors[number], self._cum_divisors[number])
                found.tags = self._tags.get(number)
            return found

        # Edges reach nodes whose own values cancel out too; those are not listed themselves.
        listed = [node(i) for i in interruptible(range(len(frames))) if self._cum[i] or self._flat[i]]
        for caller, callee, *sums in interruptible(self.calls()):
            _join(node(caller), node(callee), *sums)
        return listed

    def calls(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Yield caller, callee, weight, divisor and flags of each call, in order of first use."""
        size = len(self._table.frames)
        keys, weights, flags = self.sums
        divisors = self.call_divisors or repeat(0)
        for key, weight, divisor, flag in zip(keys, weights, divisors, flags, strict=False):
            yield *divmod(key, size), weight, divisor, flag

    def calls_of(self, is_wanted: bytes) -> Iterator[tuple[int, int, int, int, int]]:
        """Yield what `calls` does, for the calls with a wanted frame at one end."""
        size = len(self._table.frames)
        keys, weights, flags = self.sums
        divisors = self.call_divisors or repeat(0)
        rows = zip(keys, weights, divisors, flags, strict=False)
        for key, weight, divisor, flag in interruptible(rows):
            caller, callee = divmod(key, size)
            if is_wanted[caller] or is_wanted[callee]:
                yield caller, callee, weight, divisor, flag


class CallLists:
    """All calls of a profile, heaviest first, by caller and by callee, as columns, since there may be millions.

    Calls have numbers; `values[call]` is divided if the report shows means.
    """

    def __init__(self, table: FrameTable, values: Values) -> None:
        builder = _Builder(table, values, None)
        self._size = len(table.frames)
        sums: tuple[Sequence[int], Sequence[int], Sequence[int]] = builder.sums
        self._keys, weights, self._flags = sums
        rank_of = {name: rank for rank, name in enumerate(sorted(set(table.names)))}
        ranks = array("I", [rank_of[name] for name in table.names])
        self._outgoing, self._incoming = loops.sort_calls(self._keys, weights, ranks)
        divisors = builder.call_divisors
        self.values: Sequence[int] = list(map(quotient, weights, divisors)) if divisors else weights

    def to(self, callee: int) -> Sequence[int]:
        """Return the calls to a frame."""
        runs, calls = self._incoming
        return calls[runs[callee] : runs[callee + 1]]

    def of(self, caller: int) -> Sequence[int]:
        """Return the calls that a frame makes."""
        runs, calls = self._outgoing
        return calls[runs[caller] : runs[caller + 1]]

    def caller(self, call: int) -> int:
        """Return the frame that calls."""
        return self._keys[call] // self._size

    def callee(self, call: int) -> int:
        """Return the frame that is called."""
        return self._keys[call] % self._size

    def is_inlined(self, call: int) -> bool:
        """Return whether the callee was inlined into the caller in every occurrence of this call."""
        return not self._flags[call] & loops.REAL_CALL


def _join(caller: Node, callee: Node, weight: int, divisor: int, flags: int) -> None:
    edge = caller.edge_to(callee)
    edge.weight, edge.divisor = weight, divisor
    edge.inline = not flags & loops.REAL_CALL
    edge.residual = bool(flags & loops.RESIDUAL)


def add_calls(table: FrameTable, values: Values, shown: Collection[Node]) -> None:
    """Add the edges to all callers and callees to some nodes of a graph without edges."""
    nodes = {node.frame: node for node in shown}
    flags = bytes(
        any(table.frames[number] in nodes for number in numbers)
        for numbers in interruptible(table.of_location.values())
    )
    columns = values.columns
    mask = loops.match_stacks(columns.bounds, columns.frames, flags, bytes(len(flags)))
    builder = _Builder(table, values.of(columns.selected(mask)), None)
    frames, names = table.frames, table.names
    is_wanted = bytes(frame in nodes for frame in frames)
    for *numbers, weight, divisor, flag in builder.calls_of(is_wanted):
        caller, callee = (
            nodes.get(frames[n]) or nodes.setdefault(frames[n], Node(frames[n], names[n])) for n in numbers
        )
        _join(caller, callee, weight, divisor, flag)


def _steps(table: FrameTable, kept: Collection[Frame] | None) -> Iterator[list[int]]:
    """Yield for each location its frames from the caller inwards, as `loops.sum_calls` takes them."""
    wanted = [kept is None or frame in kept for frame in table.frames]
    for numbers in interruptible(table.of_location.values()):
        yield [
            2 * number + (place != len(numbers) - 1) if wanted[number] else -1
            for place, number in reversed(tuple(enumerate(numbers)))
        ]


def build_tree(table: FrameTable, values: Values, tags_of: TagsOf | None = None) -> list[Node]:
    """Return a node for each frame *in each calling context*, so no node has two callers; callers come first.

    A recurring frame is a new node each time, and no value is counted twice.
    """
    columns, steps = values.columns, list(_steps(table, None))
    nodes: list[Node] = []
    children: dict[tuple[Node | None, int], Node] = {}
    tags = (
        {}
        if tags_of is None
        else {n: tags_of(columns.label_sets[n]) for n in dict.fromkeys(columns.label_of)}
    )
    rows = zip(columns.stacks(), values.amounts, values.divisors, columns.label_of, strict=True)
    for stack, value, divisor, label_set in interruptible(rows):
        if not value and not divisor:
            continue
        parent: Node | None = None
        path: list[Node] = []
        for step in chain.from_iterable([steps[location] for location in reversed(stack)]):
            frame = step >> 1
            node = children.get((parent, frame))
            if node is None:
                node = children[parent, frame] = Node(table.frames[frame], table.names[frame])
                node.context = (parent, node.frame.of_function)
                nodes.append(node)
            node.cum += value
            node.cum_divisor += divisor
            if parent is not None:
                edge = parent.edge_to(node)
                edge.weight += value
                edge.divisor += divisor
                edge.inline = edge.inline and bool(step & 1)
            parent = node
            path.append(node)
        if parent is not None:
            parent.flat += value
            parent.flat_divisor += divisor
        if tags_of is not None:
            _tag_path(path, tags[label_set], value, divisor)
    for node in nodes:
        node.set_sums(node.flat, node.cum, node.flat_divisor, node.cum_divisor)
    return [node for node in nodes if node.cum or node.flat]


def _tag_path(path: list[Node], tags: SampleTags, value: int, divisor: int) -> None:
    for node in path:
        if node.tags is None:
            node.tags = NodeTags()
        is_leaf = node is path[-1]
        node.tags.add(tags, value if is_leaf else 0, divisor if is_leaf else 0, value, divisor)
