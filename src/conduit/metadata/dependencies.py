"""The dependency graph of an application: building it from resources, and walking it.

A vertex is a resource, the target of a relationship (even if there is no such resource), a middleware, or a
function called in a hook's source. An edge points from the dependant to its dependency. Only resources have
outgoing edges. A vertex gets its edges the first time a walk reaches it and keeps them, so a query about one
resource does not pay for the whole application; queries about everything build the whole graph.

Walks are breadth-first over prebuilt tuples, one list per level; the answer's own dict is the set of seen nodes.
Components come from Tarjan's algorithm with an explicit stack: linear, without a recursion limit. Tarjan emits each
component after everything it reaches, so longest paths come from the same pass.

Callers hold the document's lock around everything here that builds.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct

from conduit.metadata.schema import DependencyEdge, DependencyGraph, DependencyNode, FrozenDict, Record

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
    from typing import TypeVar

    from conduit.metadata.schema import Relationship, Resource

    T = TypeVar("T", bound=Hashable)

_CALL = re.compile(r"([A-Z][A-Za-z0-9]*\.[a-z][A-Za-z0-9_]*)\(")
_FUNCTION_NAME = re.compile(r"[A-Z][A-Za-z0-9]*\.[a-z][A-Za-z0-9_]*")

RELATIONSHIP_TYPES = frozenset(
    "belongs_to has_one has_many has_many_through one_to_one many_to_many inherits proxies generic union".split()  # noqa: SIM905
)
"""The relationship types that the format and our sources use; a document may bring others."""

EDGE_TYPES = RELATIONSHIP_TYPES | {"uses", "calls"}

VIEW_TYPES = frozenset(("has_one", "has_many", "has_many_through", "many_to_many"))
"""Relationships whose side holds no key: the other side, or a table between, holds it."""


class Vertex(Struct, eq=False):
    """A node with its edges and the vertices at their other ends; edges are None until first requested."""

    name: str
    node: DependencyNode
    outgoing: tuple[DependencyEdge, ...] | None = None
    targets: tuple[Vertex, ...] = ()
    incoming: tuple[DependencyEdge, ...] | None = None
    sources: tuple[Vertex, ...] = ()


class Cycle(Record, frozen=True):
    """Resources that depend on one another: a strongly connected component over owning relationships."""

    names: tuple[str, ...]
    """Sorted."""
    path: tuple[str, ...]
    """A shortest cycle from the first name back to it."""
    edges: tuple[DependencyEdge, ...]
    """Every owning edge among the names, in document order."""


class Depth(int):
    """A number of edges, with `cyclic`: whether the counted paths contain a cycle."""

    cyclic: bool

    def __new__(cls, edges: int, cyclic: bool) -> Depth:  # noqa: D102
        depth = super().__new__(cls, edges)
        depth.cyclic = cyclic
        return depth


def called_functions(source_code: str) -> list[str]:
    """Return the functions called in a hook's source, once per call: `Namespace.function(`, namespace capitalised."""
    return _CALL.findall(source_code)


def is_owning(relationship: Relationship) -> bool:
    """Return whether the declaring resource holds the foreign key, and so depends on the target."""
    details = relationship.details
    return relationship.type not in VIEW_TYPES and not (details is not None and details.inverse)


def is_view(relationship: Relationship) -> bool:
    """Return whether the relationship is the inverse of an edge that the other side declares.

    Only a source that knows both sides marks it; in the original's documents every relationship is an edge.
    """
    details = relationship.details
    return details is not None and details.inverse and not details.generic


class Graph:
    """The graph of one document, built on demand."""

    def __init__(self, resources: tuple[Resource, ...], by_name: Mapping[str, Resource]) -> None:
        self._resources = resources
        self._by_name = by_name
        self._vertices: dict[str, Vertex] = {}
        self._namesakes: dict[str, list[Resource]] | None = None
        self._relationship_sources: dict[str, list[tuple[str, Relationship]]] | None = None
        self._middleware: set[str] | None = None
        self._complete = False
        self._used: dict[str, set[str]] = {"middleware": set(), "function": set()}

    # --- growing

    def _vertex(self, name: str, kind: str) -> Vertex:
        resource = self._by_name.get(name)
        if resource is None:
            node = DependencyNode(name, self._kind_of(name, kind), name, "")
        else:
            node = DependencyNode(name, "resource", name, resource.file_path)
        vertex = self._vertices[name] = Vertex(name, node)
        return vertex

    def _kind_of(self, name: str, kind: str) -> str:
        """Return the node type of a name that is no resource.

        The target of a relationship comes first, then middleware, then function.
        """
        if kind == "resource":
            return kind
        if name in self._sources_of_relationships():
            return "resource"
        return "middleware" if kind == "function" and name in self._all_middleware() else kind

    def _sources_of_relationships(self) -> dict[str, list[tuple[str, Relationship]]]:
        if self._relationship_sources is None:
            sources: dict[str, list[tuple[str, Relationship]]] = {}
            for resource in self._resources:
                name = resource.name
                for relationship in resource.relationships:
                    if relationship.details is not None and is_view(relationship):
                        continue
                    try:
                        sources[relationship.target_resource].append((name, relationship))
                    except KeyError:
                        sources[relationship.target_resource] = [(name, relationship)]
            self._relationship_sources = sources
        return self._relationship_sources

    def _all_middleware(self) -> set[str]:
        if self._middleware is None:
            chains = (chain.from_iterable(r.middleware.values()) for r in self._resources if r.middleware)
            self._middleware = set(chain.from_iterable(chains))
        return self._middleware

    def _declarations(self, name: str) -> Sequence[Resource]:
        """Return the resources with this name, usually one."""
        if len(self._by_name) == len(self._resources):
            resource = self._by_name.get(name)
            return () if resource is None else (resource,)
        if self._namesakes is None:
            self._namesakes = {}
            for resource in self._resources:
                self._namesakes.setdefault(resource.name, []).append(resource)
        return self._namesakes.get(name, ())

    def expand(self, vertex: Vertex) -> tuple[DependencyEdge, ...]:
        """Return the outgoing edges: relationships, then middleware, then functions, each in document order."""
        if vertex.outgoing is not None:
            return vertex.outgoing
        name = vertex.name
        vertices = self._vertices
        edges: list[DependencyEdge] = []
        targets: list[Vertex] = []
        declarations = self._declarations(name)
        uses = False
        for resource in declarations:
            if resource.middleware or resource.hooks:
                uses = True
            for relationship in resource.relationships:
                if relationship.details is not None and is_view(relationship):
                    continue
                target = relationship.target_resource
                try:
                    other = vertices[target]
                except KeyError:
                    other = self._vertex(target, "resource")
                edges.append(DependencyEdge(name, other.name, relationship.type, 1))
                targets.append(other)
        if uses:
            self._add_uses(declarations, name, edges, targets)
        vertex.targets = tuple(targets)
        vertex.outgoing = tuple(edges)
        return vertex.outgoing

    def _add_uses(
        self, declarations: Iterable[Resource], name: str, edges: list[DependencyEdge], targets: list[Vertex]
    ) -> None:
        vertices = self._vertices
        for kind, label, counts in _counted_uses(declarations):
            self._used[kind].update(counts)
            for used, weight in counts.items():
                try:
                    other = vertices[used]
                except KeyError:
                    other = self._vertex(used, kind)
                edges.append(DependencyEdge(name, other.name, label, weight))
                targets.append(other)

    def expand_backwards(self, vertex: Vertex) -> tuple[DependencyEdge, ...]:
        """Return the incoming edges, in the order of `expand` over all resources."""
        if vertex.incoming is not None:
            return vertex.incoming
        name = vertex.name
        vertices = self._vertices
        edges: list[DependencyEdge] = []
        sources: list[Vertex] = []
        for source, relationship in self._sources_of_relationships().get(name, ()):
            try:
                other = vertices[source]
            except KeyError:
                other = self._vertex(source, "resource")
            edges.append(DependencyEdge(other.name, name, relationship.type, 1))
            sources.append(other)
        if name in self._all_middleware():
            self._add_users(name, "uses", edges, sources)
        if _FUNCTION_NAME.fullmatch(name):
            self._add_users(name, "calls", edges, sources)
        vertex.sources = tuple(sources)
        vertex.incoming = tuple(edges)
        return vertex.incoming

    def _add_users(self, name: str, label: str, edges: list[DependencyEdge], sources: list[Vertex]) -> None:
        for source in self._by_name:
            other = self._vertices.get(source) or self._vertex(source, "resource")
            for edge in self.expand(other):
                if edge.to == name and edge.relationship == label:
                    edges.append(edge)
                    sources.append(other)

    # --- walking

    def traverse(
        self, name: str, depth: int, reverse: bool, types: Collection[str] | None
    ) -> DependencyGraph:
        """Return the graph within `depth` edges of a vertex, with every edge of expanded nodes.

        With a depth of 0 it is everything reachable.
        """
        start = self._vertices.get(name) or self._vertex(name, "resource")
        seen = {start.name: start.node}
        found: list[DependencyEdge] = []
        level = [start]
        remaining = depth or -1
        while level and remaining:
            remaining -= 1
            following: list[Vertex] = []
            for vertex in level:
                if reverse:
                    edges = vertex.incoming
                    if edges is None:
                        edges = self.expand_backwards(vertex)
                    others = vertex.sources
                else:
                    edges = vertex.outgoing
                    if edges is None:
                        edges = self.expand(vertex)
                    others = vertex.targets
                if types is not None:
                    pairs = [
                        pair for pair in zip(edges, others, strict=True) if pair[0].relationship in types
                    ]
                    edges = tuple([edge for edge, _ in pairs])
                    others = tuple([other for _, other in pairs])
                found += edges
                for other in others:
                    key = other.name
                    if key not in seen:
                        seen[key] = other.node
                        following.append(other)
            level = following
        return DependencyGraph(FrozenDict(seen), tuple(found))

    def whole(self) -> DependencyGraph:
        """Return the whole graph: resources first; relationships, then uses, then calls."""
        vertices = self.complete()
        used = [edge for vertex in vertices for edge in self._uses(vertex)]
        edges = [
            DependencyEdge(resource.name, relationship.target_resource, relationship.type, 1)
            for resource in self._resources
            for relationship in resource.relationships
            if not is_view(relationship)
        ]
        edges += [edge for edge in used if edge.relationship == "uses"]
        edges += [edge for edge in used if edge.relationship == "calls"]
        nodes = {vertex.name: vertex.node for vertex in vertices}
        nodes.update((edge.to, self._vertices[edge.to].node) for edge in edges)
        return DependencyGraph(FrozenDict(nodes), tuple(edges))

    def _uses(self, vertex: Vertex) -> tuple[DependencyEdge, ...]:
        """Return the edges after a vertex's relationships: uses and calls."""
        declared = [one for resource in self._declarations(vertex.name) for one in resource.relationships]
        return self.expand(vertex)[sum([not is_view(relationship) for relationship in declared]) :]

    def complete(self) -> list[Vertex]:
        """Return every resource's vertex in document order, all expanded."""
        vertices = self._vertices
        if not self._complete:
            for name, resource in self._by_name.items():
                if name not in vertices:
                    vertices[name] = Vertex(name, DependencyNode(name, "resource", name, resource.file_path))
        own = [vertices[name] for name in self._by_name]
        if not self._complete:
            for vertex in own:
                self.expand(vertex)
            self._complete = True
        return own

    # --- questions about all of it

    def used_names(self) -> tuple[set[str], set[str]]:
        """Return the names of all middleware and of all functions that resources use."""
        if self._complete:
            return self._used["middleware"], self._used["function"]
        sources = [hook.source_code for one in self._resources for hook in one.hooks if hook.source_code]
        return self._all_middleware(), set(called_functions("\n".join(sources)))

    def depths(self) -> dict[str, Depth]:
        """Return for each vertex the edges on its longest path; a cycle counts as one vertex."""
        self.complete()
        successors = {
            name: tuple([t.name for t in vertex.targets]) for name, vertex in self._vertices.items()
        }
        depths: dict[str, Depth] = {}
        for component in strongly_connected_components(successors):
            members = set(component)
            outside = [depths[to] for name in component for to in successors[name] if to not in members]
            cyclic = len(component) > 1 or component[0] in successors[component[0]]
            longest = max([depth + 1 for depth in outside], default=0)
            depth = Depth(longest, cyclic or any(each.cyclic for each in outside))
            depths.update(dict.fromkeys(component, depth))
        return depths

    def cycles(self) -> tuple[Cycle, ...]:
        """Return the cycles over owning relationships, sorted by name."""
        successors: dict[str, list[str]] = {name: [] for name in self._by_name}
        edges: list[DependencyEdge] = []
        for resource in self._resources:
            for relationship in resource.relationships:
                target = relationship.target_resource
                if target in self._by_name and is_owning(relationship):
                    successors[resource.name].append(target)
                    edges.append(DependencyEdge(resource.name, target, relationship.type, 1))
        component_of = {}
        members: dict[int, list[str]] = {}
        for number, component in enumerate(strongly_connected_components(successors)):
            if len(component) > 1 or component[0] in successors[component[0]]:
                component_of.update(dict.fromkeys(component, number))
                members[number] = sorted(component)
        inside: dict[int, list[DependencyEdge]] = {number: [] for number in members}
        for edge in edges:
            number = component_of.get(edge.from_, -1)
            if number >= 0 and component_of.get(edge.to) == number:
                inside[number].append(edge)
        cycles = [
            Cycle(tuple(names), _shortest_cycle(names[0], inside[number]), tuple(inside[number]))
            for number, names in members.items()
        ]
        return tuple(sorted(cycles, key=lambda cycle: cycle.names))


def _counted_uses(resources: Iterable[Resource]) -> list[tuple[str, str, dict[str, int]]]:
    """Return what resources use besides one another, as (node type, edge label, {name: count}); usually nothing."""
    middleware: dict[str, int] = {}
    functions: dict[str, int] = {}
    for resource in resources:
        if resource.middleware:
            for name in chain.from_iterable(resource.middleware.values()):
                middleware[name] = middleware.get(name, 0) + 1
        for hook in resource.hooks:
            if hook.source_code:
                for name in _CALL.findall(hook.source_code):
                    functions[name] = functions.get(name, 0) + 1
    if not middleware and not functions:
        return []
    return [("middleware", "uses", middleware), ("function", "calls", functions)]


def _shortest_cycle(start: str, edges: list[DependencyEdge]) -> tuple[str, ...]:
    """Return a shortest closed walk from `start` over the edges of its component."""
    successors: dict[str, list[str]] = {}
    for edge in edges:
        successors.setdefault(edge.from_, []).append(edge.to)
    reached_from: dict[str, str] = {}
    level = [start]
    while start not in reached_from:
        following = []
        for name in level:
            for to in successors[name]:
                if to not in reached_from:
                    reached_from[to] = name
                    following.append(to)
        level = following
    walk = [start]
    while len(walk) == 1 or walk[-1] != start:
        walk.append(reached_from[walk[-1]])
    return tuple(reversed(walk))


def strongly_connected_components(successors: Mapping[T, Sequence[T]]) -> list[list[T]]:
    """Return the strongly connected components, each after those it reaches; successors that are not keys are ignored.

    Tarjan, SIAM J. Comput. 1 (1972), with the call stack as a list of iterators. Time and space linear in the edges.
    """
    number_of: dict[T, int] = {}
    low: dict[T, int] = {}
    open_vertices: list[T] = []
    is_open: set[T] = set()
    components: list[list[T]] = []
    for root in successors:
        if root in number_of:
            continue
        number_of[root] = low[root] = len(number_of)
        open_vertices.append(root)
        is_open.add(root)
        work = [(root, iter(successors[root]))]
        while work:
            vertex, remaining = work[-1]
            for to in remaining:
                if to not in number_of:
                    if to not in successors:
                        continue
                    number_of[to] = low[to] = len(number_of)
                    open_vertices.append(to)
                    is_open.add(to)
                    work.append((to, iter(successors[to])))
                    break
                if to in is_open and number_of[to] < low[vertex]:
                    low[vertex] = number_of[to]
            else:
                work.pop()
                if work and low[vertex] < low[work[-1][0]]:
                    low[work[-1][0]] = low[vertex]
                if low[vertex] == number_of[vertex]:
                    component: list[T] = []
                    while not component or component[-1] != vertex:
                        component.append(open_vertices.pop())
                        is_open.discard(component[-1])
                    components.append(component)
    return components
