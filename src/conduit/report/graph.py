"""The call graph of a profile: how much time (or memory, or whatever it counts) each frame and each call took.

A sample is walked from its root to its leaf. Every frame on it gets the sample's value once in `cum`, however
often it recurs; every call from one frame to another gets it once; the leaf gets it in `flat`. A call from a
frame to itself is no edge. Where frames are left out (`kept`), their callers and callees are joined by a
*residual* edge, and a leaf that is left out gives its flat value to nobody.

Summing works on frame numbers and plain dictionaries, one look-up a location and one addition a frame; the
objects that reports read are made at the end, for the frames that have a value.
"""

from __future__ import annotations

from array import array
from itertools import chain
from typing import TYPE_CHECKING

from conduit.profile.columns import Columns, LabelSet
from conduit.report.division import quotient
from conduit.report.node_tags import NodeTags

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from _typeshed import ReadableBuffer as Buffer

    from conduit.profile.model import Location, Profile, Sample
    from conduit.report.frames import Frame, FrameTable
    from conduit.report.node_tags import SampleTags

    TagsOf = Callable[[Sample], "SampleTags"]

_WORTH_IMPORTING = 1_000  # stacks from which on loading the C extension pays


class Edge:
    """Calls from one node to another: `weight` is the values of the samples in which it happens."""

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
        """The weight, divided where the report shows means."""
        return quotient(self.weight, self.divisor)


class Node:
    """A frame with its values. `flat` is its own, `cum` includes what it called; edges by the other node."""

    __slots__ = ("cum", "cum_divisor", "flat", "flat_divisor", "frame", "function", "incoming", "name", "outgoing", "tags")  # fmt: skip

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.name = frame.printable_name
        self.flat = self.flat_divisor = self.cum = self.cum_divisor = 0
        self.incoming: dict[Node, Edge] = {}
        self.outgoing: dict[Node, Edge] = {}
        # Nodes of one function (at line or address granularity) share this; callgrind tells contexts apart by it.
        self.function: object = frame.of_function
        self.tags: NodeTags | None = None

    @property
    def flat_value(self) -> int:
        """`flat`, divided where the report shows means."""
        return quotient(self.flat, self.flat_divisor)

    @property
    def cum_value(self) -> int:
        """`cum`, divided where the report shows means."""
        return quotient(self.cum, self.cum_divisor)

    def edge_to(self, callee: Node) -> Edge:
        """The edge to another node, made if there is none."""
        edge = self.outgoing.get(callee)
        if edge is None:
            edge = self.outgoing[callee] = callee.incoming[self] = Edge(self, callee)
        return edge


class Values:
    """Which column of a sample's values a report shows, and whether it divides by the first (means)."""

    __slots__ = ("index", "mean")

    def __init__(self, index: int, mean: bool = False) -> None:
        self.index = index
        self.mean = mean

    def of(self, sample: Sample) -> tuple[int, int]:
        """The sample's value and its divisor (0: do not divide)."""
        return sample.values[self.index], sample.values[0] if self.mean else 0

    def columns_of(self, columns: Columns) -> tuple[Buffer, Buffer]:
        """Return the column of values, and that of divisors, zeros where nothing is divided."""
        return columns.values[self.index], columns.values[0] if self.mean else array(
            "q", bytes(8 * len(columns))
        )

    def weighted(self, samples: Sequence[Sample]) -> Iterator[tuple[Sample, int, int]]:
        """The samples that weigh anything, with their values and divisors."""
        index = self.index
        if self.mean:
            for sample in samples:
                value, divisor = sample.values[index], sample.values[0]
                if value or divisor:
                    yield sample, value, divisor
            return
        for sample in samples:
            value = sample.values[index]
            if value:
                yield sample, value, 0


def sum_frames(profile: Profile, table: FrameTable, values: Values) -> list[Node]:
    """Return the nodes of all frames that occur, without edges: all that a flat report needs, at the least cost."""
    flat, cum, flat_divisors, cum_divisors = _sums_in_c(profile, table, values) or _sums_in_python(
        profile, table, values
    )
    nodes = []
    for number, frame in enumerate(table.frames):
        if cum[number] or flat[number]:
            node = Node(frame)
            node.flat, node.cum = flat[number], cum[number]
            node.flat_divisor, node.cum_divisor = flat_divisors[number], cum_divisors[number]
            nodes.append(node)
    return nodes


_Sums = tuple[list[int], list[int], list[int], list[int]]


def _sums_in_c(profile: Profile, table: FrameTable, values: Values) -> _Sums | None:
    """Flat and cum by frame number, with their divisors; None where C is not there, not worth it, or overflows."""
    columns = worthwhile_columns(profile)
    if columns is None:
        return None
    from conduit._native.columns import sum_stacks

    runs, numbers = _runs_of(columns, table.of_location)
    value, divisor = values.columns_of(columns)
    count = len(table.frames)
    sums = sum_stacks(columns.starts, columns.frames, value, divisor, runs, numbers, count)
    if sums is None:
        return None
    if not values.mean:
        nothing = [0] * count
        return (*sums, nothing, nothing)
    divisors = sum_stacks(columns.starts, columns.frames, divisor, value, runs, numbers, count)
    return None if divisors is None else (*sums, *divisors)


def worthwhile_columns(profile: Profile) -> Columns | None:
    """Return the profile's columns for the loops in C; None where there is no extension, or it is not worth loading."""
    if profile.columns is None and profile.sample_count < _WORTH_IMPORTING:
        return None
    from conduit._native.columns import available

    if not available():
        return None
    try:
        return _columns_for_sums(profile)
    except OverflowError:  # a value that 64 bits do not hold: the loops in Python have no such border
        return None


def _columns_for_sums(profile: Profile) -> Columns:
    """Return the profile's columns, made of its samples where it has none; labels are left out of those."""
    columns = profile.columns  # another thread may ask for the samples now
    if columns is not None:
        return columns
    samples = profile.samples
    index_of = {location: number for number, location in enumerate(profile.locations)}
    for location in chain.from_iterable(sample.locations for sample in samples):
        index_of.setdefault(location, len(index_of))
    starts = array("q", [0])
    frames = array("I")
    for sample in samples:
        frames.extend([index_of[location] for location in sample.locations])
        starts.append(len(frames))
    types = range(len(profile.sample_types))
    values = tuple(array("q", [sample.values[index] for sample in samples]) for index in types)
    nothing = LabelSet({}, {}, {})
    return Columns(list(index_of), starts, frames, values, array("I", bytes(4 * len(samples))), [nothing])


def _runs_of(columns: Columns, numbers_of: Mapping[Location, Sequence[int]]) -> tuple[array[int], array[int]]:
    """The numbers of each location one after the other, and where each location's begin."""
    runs, numbers = array("i", [0]), array("i")
    for location in columns.locations:
        numbers.extend(numbers_of[location])
        runs.append(len(numbers))
    return runs, numbers


def _sums_in_python(profile: Profile, table: FrameTable, values: Values) -> _Sums:
    weighted = list(values.weighted(profile.samples))
    stacks = [sample.locations for sample, _, _ in weighted]
    flat, cum = _sum_stacks_in_python(stacks, [value for _, value, _ in weighted], table)
    flat_divisors = cum_divisors = [0] * len(table.frames)
    if values.mean:
        flat_divisors, cum_divisors = _sum_stacks_in_python(
            stacks, [divisor for _, _, divisor in weighted], table
        )
    return flat, cum, flat_divisors, cum_divisors


def _sum_stacks_in_python(
    stacks: list[list[Location]], values: list[int], table: FrameTable
) -> tuple[list[int], list[int]]:
    flat, cum = [0] * len(table.frames), [0] * len(table.frames)
    for path, value in zip(_paths(stacks, table), values, strict=True):
        for number in set(path):
            cum[number] += value
        if path:
            flat[path[0]] += value
    return flat, cum


def _paths(stacks: list[list[Location]], table: FrameTable) -> Iterator[list[int]]:
    """Each stack's frame numbers, leaf first."""
    if table.has_inlined:
        frames_of = table.of_location.__getitem__
        for stack in stacks:
            yield list(chain.from_iterable(map(frames_of, stack)))
        return
    frame_of = {location: indices[0] for location, indices in table.of_location.items()}.__getitem__
    for stack in stacks:
        yield list(map(frame_of, stack))


def build_graph(
    profile: Profile,
    table: FrameTable,
    values: Values,
    kept: Collection[Frame] | None = None,
    tags_of: TagsOf | None = None,
) -> list[Node]:
    """The nodes with their edges; with `kept`, of those frames only. `tags_of` collects labels for drawings."""
    builder = _Builder(table, kept)
    if tags_of is not None or not builder.add_in_c(profile, values):
        for sample, value, divisor in values.weighted(profile.samples):
            builder.add(sample, value, divisor, tags_of)
    return builder.nodes()


class _Builder:
    """Sums samples into edges keyed by caller·n + callee, and nodes by frame number."""

    def __init__(self, table: FrameTable, kept: Collection[Frame] | None) -> None:
        self._table = table
        self._steps = _steps(table, kept)
        self._size = size = len(table.frames)
        self._flat = [0] * size
        self._cum = [0] * size
        self._flat_divisors = [0] * size
        self._cum_divisors = [0] * size
        self._weights: dict[int, int] = {}
        self._edge_divisors: dict[int, int] = {}
        self._called: set[int] = set()  # edges that are real calls somewhere, not inlined
        self._residual: set[int] = set()
        self._tags: dict[int, NodeTags] = {}

    def add_in_c(self, profile: Profile, values: Values) -> bool:
        """Add all samples, their labels aside, if there are enough of them and the C extension can."""
        columns = worthwhile_columns(profile)
        if columns is None:
            return False
        from conduit._native.columns import sum_calls

        steps_of = {
            location: [-1 if frame < 0 else 2 * frame + inlined for frame, inlined in steps]
            for location, steps in self._steps.items()
        }
        runs, numbers = _runs_of(columns, steps_of)
        value, divisor = values.columns_of(columns)
        sums = sum_calls(columns.starts, columns.frames, value, divisor, runs, numbers, self._size)
        divisors = None
        if values.mean:
            divisors = sum_calls(columns.starts, columns.frames, divisor, value, runs, numbers, self._size)
        if sums is None or (values.mean and divisors is None):
            return False
        self._flat, self._cum, calls = sums
        self._weights = {key: weight for key, weight, _, _ in calls}
        self._called = {key for key, _, called, _ in calls if called}
        self._residual = {key for key, _, _, residual in calls if residual}
        if divisors is not None:
            self._flat_divisors, self._cum_divisors, divided_calls = divisors
            self._edge_divisors = {key: divisor for key, divisor, _, _ in divided_calls}
        return True

    def add(self, sample: Sample, value: int, divisor: int, tags_of: TagsOf | None) -> None:
        size, steps = self._size, self._steps
        weights, cum = self._weights, self._cum
        seen: set[int] = set()
        seen_edges: set[int] = set()
        parent = -1
        residual = False
        for location in reversed(sample.locations):
            for frame, inlined in steps[location]:
                if frame < 0:
                    residual = True
                    continue
                if frame not in seen:
                    seen.add(frame)
                    cum[frame] += value
                if parent not in (-1, frame):
                    edge = parent * size + frame
                    if edge not in seen_edges:
                        seen_edges.add(edge)
                        weights[edge] = weights.get(edge, 0) + value
                        if not inlined:
                            self._called.add(edge)
                        if residual:
                            self._residual.add(edge)
                parent = frame
                residual = False
        leaf = -1 if residual else parent
        if leaf >= 0:
            self._flat[leaf] += value
        if divisor:
            self._add_divisor(divisor, seen, seen_edges, leaf)
        if tags_of is not None:
            self._add_tags(tags_of(sample), value, divisor, seen, leaf)

    def _add_divisor(self, divisor: int, seen: set[int], seen_edges: set[int], leaf: int) -> None:
        for frame in seen:
            self._cum_divisors[frame] += divisor
        for edge in seen_edges:
            self._edge_divisors[edge] = self._edge_divisors.get(edge, 0) + divisor
        if leaf >= 0:
            self._flat_divisors[leaf] += divisor

    def _add_tags(self, tags: SampleTags, value: int, divisor: int, seen: set[int], leaf: int) -> None:
        for frame in seen:
            held = self._tags.get(frame)
            if held is None:
                held = self._tags[frame] = NodeTags()
            held.add(tags, value, divisor, is_leaf=frame == leaf)

    def nodes(self) -> list[Node]:
        all_nodes: dict[int, Node] = {}
        frames = self._table.frames

        def node(number: int) -> Node:
            found = all_nodes.get(number)
            if found is None:
                found = all_nodes[number] = Node(frames[number])
                found.flat, found.flat_divisor = self._flat[number], self._flat_divisors[number]
                found.cum, found.cum_divisor = self._cum[number], self._cum_divisors[number]
                found.tags = self._tags.get(number)
            return found

        # Edges reach nodes whose own values cancel out too; those are not listed themselves.
        listed = [node(i) for i in range(self._size) if self._cum[i] or self._flat[i]]
        for key, weight in self._weights.items():
            caller, callee = divmod(key, self._size)
            edge = node(caller).edge_to(node(callee))
            edge.weight = weight
            edge.divisor = self._edge_divisors.get(key, 0)
            edge.inline = key not in self._called
            edge.residual = key in self._residual
        return listed


def _steps(table: FrameTable, kept: Collection[Frame] | None) -> dict[Location, tuple[tuple[int, bool], ...]]:
    """For each location its frames from the caller inwards: number (-1: left out) and whether inlined."""
    frames = table.frames
    wanted = [kept is None or frame in kept for frame in frames]
    return {
        location: tuple(
            (number if wanted[number] else -1, place != len(numbers) - 1)
            for place, number in reversed(tuple(enumerate(numbers)))
        )
        for location, numbers in table.of_location.items()
    }


def build_tree(
    samples: Sequence[Sample], table: FrameTable, values: Values, tags_of: TagsOf | None = None
) -> list[Node]:
    """A node for each frame *in each calling context*, so that no node has two callers; callers come first.

    Here a recurring frame is a new node each time, and nothing is counted twice.
    """
    steps = _steps(table, None)
    nodes: list[Node] = []
    children: dict[tuple[Node | None, int], Node] = {}
    for sample, value, divisor in values.weighted(samples):
        parent: Node | None = None
        path: list[Node] = []
        for location in reversed(sample.locations):
            for frame, inlined in steps[location]:
                node = children.get((parent, frame))
                if node is None:
                    node = children[parent, frame] = Node(table.frames[frame])
                    node.function = (parent, node.frame.of_function)
                    nodes.append(node)
                node.cum += value
                node.cum_divisor += divisor
                if parent is not None:
                    edge = parent.edge_to(node)
                    edge.weight += value
                    edge.divisor += divisor
                    edge.inline = edge.inline and inlined
                parent = node
                path.append(node)
        if parent is not None:
            parent.flat += value
            parent.flat_divisor += divisor
        if tags_of is not None:
            _tag_path(path, tags_of(sample), value, divisor)
    return [node for node in nodes if node.cum or node.flat]


def _tag_path(path: list[Node], tags: SampleTags, value: int, divisor: int) -> None:
    for node in path:
        if node.tags is None:
            node.tags = NodeTags()
        node.tags.add(tags, value, divisor, is_leaf=node is path[-1])
