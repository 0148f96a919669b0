"""A document loaded once, indexed, and asked many times.

Everything that answers is in a `Snapshot`: the document, the indexes over it and the answers kept. A snapshot never
changes in what it says; indexes that are not needed at once are built on first use, each once, under the snapshot's
lock, and published with one store. A `Registry` is a handle that points at a snapshot. Loading makes a new snapshot off
to the side and swaps the pointer, so a reader sees the old document or the new one, and a cached answer can never
outlive the document that it is about. Reads take no lock, copy nothing and allocate nothing once they are warm.

The form of the query methods is measured, not taste: one hop to the snapshot, nested plain dicts, `try` around the
hit, and everything else in a method of its own (a closure in the same method would cost every call). Parameters are
positional or by keyword; on 3.11 keyword-only defaults cost 8 ns each.
"""

from __future__ import annotations

from _thread import RLock
from _weakref import ref
from sys import intern
from typing import TYPE_CHECKING, Any, TypeVar

from conduit.errors import NotFoundError, NotRegisteredError
from conduit.metadata.codec import DEFAULT_LIMITS, decode, freeze, read_document
from conduit.metadata.schema import Field, FrozenDict, Metadata, Record, Relationship

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Mapping

    from conduit.metadata.codec import Limits
    from conduit.metadata.dependencies import Cycle, Depth, Graph
    from conduit.metadata.impact import Impact
    from conduit.metadata.patterns import PatternOptions
    from conduit.metadata.schema import DependencyGraph, Pattern, Resource, Route
    from conduit.metadata.warnings import DocumentWarning

T = TypeVar("T")

CACHED_ANSWERS = 1_000
"""How many answers of each kind whose questions come from the caller are kept: dependencies, globs, types."""


class RelationshipReference(Record, frozen=True):
    """A relationship and the resource that declares it."""

    source_resource: str
    relationship: Relationship


class FieldReference(Record, frozen=True):
    """A field and the resource that has it."""

    resource: str
    field: Field


class CacheStats(Record, frozen=True):
    """What the snapshot keeps of answers to `dependencies`, `resources_matching`, `fields_by_type` and `conventions`.

    Hits are not counted: counting would make every hit allocate.
    """

    entries: int
    capacity: int
    misses: int
    evictions: int
    indexes: tuple[str, ...]
    """The indexes built so far, in the order in which they were built."""


_UNBUILT: Any = FrozenDict()
"""Stands where an index is not built yet: finds nothing, so that a query falls through to its slow way."""


class Snapshot:
    """One document and all that is known about it; made whole, then only read."""

    __slots__ = (
        "__weakref__",
        "_backward",
        "_conventions",
        "_cycles",
        "_depths",
        "_document_bytes",
        "_edge_types",
        "_entries",
        "_evictions",
        "_field_positions",
        "_field_references",
        "_fields_by_type",
        "_forward",
        "_graph",
        "_impacts",
        "_indexes",
        "_lock",
        "_matching",
        "_misses",
        "_pattern_by_name",
        "_patterns",
        "_relationships_to",
        "_routes",
        "_routes_at",
        "_routes_of",
        "_warnings",
        "by_name",
        "reference",
        "resources",
        "schema",
    )

    def __init__(self, metadata: Metadata, document_bytes: bytes | None = None) -> None:
        self.schema = metadata
        self.resources = resources = metadata.resources
        self.by_name: Mapping[str, Resource] = {intern(resource.name): resource for resource in resources}
        """Name → resource; the last one where names are repeated. Not to be changed."""
        self.reference = ref(self)
        self._document_bytes = document_bytes
        self._lock = RLock()
        self._indexes: list[str] = []
        self._routes: dict[str | None, dict[str | None, tuple[Route, ...]]] = _UNBUILT
        self._routes_of: dict[str, tuple[Route, ...]] = _UNBUILT
        self._routes_at: dict[str, dict[str | None, dict[str | None, tuple[Route, ...]]]] = _UNBUILT
        self._relationships_to: dict[str, tuple[RelationshipReference, ...]] = _UNBUILT
        self._patterns: dict[str | None, tuple[Pattern, ...]] = _UNBUILT
        self._pattern_by_name: dict[str, Pattern] = _UNBUILT
        self._field_references: tuple[FieldReference, ...] = ()
        self._field_positions: dict[str, list[int]] = _UNBUILT
        self._fields_by_type: dict[str, tuple[FieldReference, ...]] = {}
        self._matching: dict[str, tuple[Resource, ...]] = {}
        self._forward: dict[str, dict[Any, DependencyGraph]] = {}
        self._backward: dict[str, dict[Any, DependencyGraph]] = {}
        self._conventions: dict[Any, tuple[Pattern, ...]] = {}
        self._impacts: dict[str, Impact] = {}
        self._edge_types: frozenset[str] | None = None
        self._graph: Graph | None = None
        self._depths: dict[str, Depth] | None = None
        self._cycles: tuple[Cycle, ...] | None = None
        self._warnings: tuple[DocumentWarning, ...] | None = None
        self._entries = self._misses = self._evictions = 0

    def names(self, kind: str) -> tuple[str, ...]:
        """What exists of a kind (`resource` or `pattern`), in document order, each name once."""
        if kind == "pattern":
            return tuple(dict.fromkeys(pattern.name for pattern in self.schema.patterns))
        return tuple(self.by_name)

    def not_found(self, kind: str, name: str) -> NotFoundError:
        """The error for a name that this snapshot does not have."""
        return NotFoundError(kind, name, self.reference)

    # --- routes

    def find_routes(self, method: str | None, path: str | None, resource: str | None) -> tuple[Route, ...]:
        """The slow way of `Registry.routes`: builds what is missing, then keeps the answer if there is one."""
        method = upper_method(method) if method else None
        path = path or None
        resource = resource or None
        with self._lock:
            if path is not None:
                if self._routes_at is _UNBUILT:
                    self._build_routes_at()
                if path not in self._routes_at:
                    return ()
                by_resource = self._routes_at[path]
                if resource not in by_resource:
                    here = tuple([route for route in by_resource[None][None] if route.resource == resource])
                    if not here:
                        return ()
                    by_resource[resource] = {None: here}
                return _of_method(by_resource[resource], method)
            if self._routes is _UNBUILT:
                self._build_routes()
            if resource not in self._routes:
                if self._routes_of is _UNBUILT:
                    self._build_routes_of()
                if resource not in self._routes_of:
                    return ()
                self._routes[resource] = {None: self._routes_of[resource]}
            return _of_method(self._routes[resource], method)

    def _build_routes(self) -> None:
        routes = self.schema.routes
        by_method: dict[str, list[Route]] = {}
        for route in routes:
            try:
                by_method[route.method].append(route)
            except KeyError:
                by_method[route.method] = [route]
        if any(upper_method(method) != method for method in by_method):
            return self._build_routes_of_any_case()
        index: dict[str | None, tuple[Route, ...]] = {
            intern(key): tuple(group) for key, group in by_method.items()
        }
        index[None] = routes
        self._routes = {None: index}
        self._indexes.append("routes_by_method")
        return None

    def _build_routes_of_any_case(self) -> None:
        index: dict[str | None, tuple[Route, ...]] = {None: self.schema.routes}
        index.update(_grouped(self.schema.routes, lambda route: upper_method(route.method)))
        self._routes = {None: index}
        self._indexes.append("routes_by_method")

    def _build_routes_of(self) -> None:
        by_resource: dict[str, tuple[Route, ...]] = {}
        from itertools import groupby
        from operator import attrgetter

        for resource, group in groupby(self.schema.routes, attrgetter("resource")):
            routes = tuple(group)
            by_resource[intern(resource)] = (
                by_resource[resource] + routes if resource in by_resource else routes
            )
        self._routes_of = by_resource
        self._indexes.append("routes_by_resource")

    def _build_routes_at(self) -> None:
        by_path: dict[str, list[Route]] = {}
        for route in self.schema.routes:
            try:
                by_path[route.path].append(route)
            except KeyError:
                by_path[route.path] = [route]
        self._routes_at = {intern(path): {None: {None: tuple(group)}} for path, group in by_path.items()}
        self._indexes.append("routes_by_path")

    # --- relationships, fields, patterns, names

    def find_relationships_to(self, name: str) -> tuple[RelationshipReference, ...]:
        """The slow way of `Registry.relationships_to`."""
        if self._relationships_to is _UNBUILT:
            with self._lock:
                if self._relationships_to is _UNBUILT:
                    self._build_relationships_to()
        return self._relationships_to.get(name, ())

    def _build_relationships_to(self) -> None:
        by_target: dict[str, list[RelationshipReference]] = {}
        for resource in self.resources:
            name = resource.name
            for relationship in resource.relationships:
                target = relationship.target_resource
                try:
                    by_target[target].append(RelationshipReference(name, relationship))
                except KeyError:
                    by_target[target] = [RelationshipReference(name, relationship)]
        self._relationships_to = {intern(target): tuple(group) for target, group in by_target.items()}
        self._indexes.append("relationships_to")

    def find_fields_by_type(self, prefix: str) -> tuple[FieldReference, ...]:
        """The slow way of `Registry.fields_by_type`; keeps also that there is no such field."""
        with self._lock:
            if self._field_positions is _UNBUILT:
                self._build_field_positions()
            groups = [group for kind, group in self._field_positions.items() if kind.startswith(prefix)]
            positions = (
                groups[0] if len(groups) == 1 else sorted([place for group in groups for place in group])
            )
            references = self._field_references
            return self._keep(self._fields_by_type, prefix, tuple([references[place] for place in positions]))

    def _build_field_positions(self) -> None:
        references: list[FieldReference] = []
        positions: dict[str, list[int]] = {}
        for resource in self.resources:
            name = resource.name
            for field in resource.fields:
                try:
                    positions[field.type].append(len(references))
                except KeyError:
                    positions[field.type] = [len(references)]
                references.append(FieldReference(name, field))
        self._field_references = tuple(references)
        self._field_positions = positions
        self._indexes.append("fields_by_type")

    def find_patterns(self, category: str | None) -> tuple[Pattern, ...]:
        """The slow way of `Registry.patterns`."""
        if self._patterns is _UNBUILT:
            with self._lock:
                if self._patterns is _UNBUILT:
                    self._build_patterns()
        return self._patterns.get(category, ())

    def _build_patterns(self) -> None:
        index: dict[str | None, tuple[Pattern, ...]] = {}
        index.update(_grouped(self.schema.patterns, lambda pattern: pattern.category))
        index[None] = index[""] = self.schema.patterns
        self._patterns = index
        self._indexes.append("patterns_by_category")

    def find_pattern(self, name: str) -> Pattern:
        """The slow way of `Registry.pattern`."""
        if self._pattern_by_name is _UNBUILT:
            with self._lock:
                self._build_pattern_by_name()
        if name not in self._pattern_by_name:
            raise self.not_found("pattern", name)
        return self._pattern_by_name[name]

    def _build_pattern_by_name(self) -> None:
        if self._pattern_by_name is _UNBUILT:
            self._pattern_by_name = {intern(pattern.name): pattern for pattern in self.schema.patterns}
            self._indexes.append("patterns_by_name")

    def find_matching(self, pattern: str) -> tuple[Resource, ...]:
        """The slow way of `Registry.resources_matching`; keeps also that there is no such resource."""
        matches = matcher(pattern)
        with self._lock:
            found = tuple([resource for resource in self.resources if matches(resource.name)])
            return self._keep(self._matching, pattern, found)

    # --- dependencies

    def find_dependencies(self, name: str, depth: int, reverse: bool, types: Any) -> DependencyGraph:
        """The slow way of `Registry.dependencies`: checks the question, computes once, keeps the answer."""
        if name not in self.by_name:
            raise self.not_found("resource", name)
        if not isinstance(depth, int) or depth < 0:
            raise ValueError(f"depth is a number of edges, 0 for all that can be reached; got {depth!r}")
        asked, wanted = _asked_types(types)
        with self._lock:
            if wanted is not None:
                self._check_types(wanted)
            answers = self._backward if reverse else self._forward
            key = depth if wanted is None else (depth, wanted)
            kept = answers.get(name, {}).get(key)
            if kept is None:
                kept = self.graph().traverse(name, depth, bool(reverse), wanted)
                self._misses += 1
                self._keep_dependencies(answers, name, key, kept)
            if asked is not None and asked != wanted:
                self._keep_dependencies(answers, name, (depth, asked), kept)
            return kept

    def _check_types(self, types: Collection[str]) -> None:
        from conduit.metadata.dependencies import EDGE_TYPES

        if EDGE_TYPES.issuperset(types):
            return
        if self._edge_types is None:
            own = {
                relationship.type for resource in self.resources for relationship in resource.relationships
            }
            self._edge_types = EDGE_TYPES | own
        unknown = sorted(set(types) - self._edge_types)
        if unknown:
            known = ", ".join(sorted(self._edge_types))
            raise ValueError(f"unknown dependency type {unknown[0]!r}; there are {known}")

    def _keep_dependencies(
        self, answers: dict[str, dict[Any, DependencyGraph]], name: str, key: Any, answer: DependencyGraph
    ) -> None:
        of_name = answers.get(name)
        if of_name is not None and key in of_name:
            return
        if self._entries >= CACHED_ANSWERS:
            oldest = self._forward or self._backward
            dropped = len(oldest.pop(next(iter(oldest))))
            self._entries -= dropped
            self._evictions += dropped
            of_name = answers.get(name)
        if of_name is None:
            answers[name] = {key: answer}
        else:
            of_name[key] = answer
        self._entries += 1

    def graph(self) -> Graph:
        """The dependency graph, to be used under the snapshot's lock."""
        if self._graph is None:
            from conduit.metadata.dependencies import Graph

            self._graph = Graph(self.resources, self.by_name)
            self._indexes.append("dependencies")
        return self._graph

    def find_depth(self, name: str) -> Depth:
        """The longest path that begins at a resource."""
        if name not in self.by_name:
            raise self.not_found("resource", name)
        if self._depths is None:
            with self._lock:
                if self._depths is None:
                    self._depths = self.graph().depths()
        return self._depths[name]

    def find_cycles(self) -> tuple[Cycle, ...]:
        """The slow way of `Registry.cycles`."""
        with self._lock:
            if self._cycles is None:
                self._cycles = self.graph().cycles()
        return self._cycles

    def find_impact(self, name: str) -> Impact:
        """The slow way of `Registry.impact`."""
        if name not in self.by_name:
            raise self.not_found("resource", name)
        from conduit.metadata.impact import impact_of

        with self._lock:
            if name in self._impacts:
                return self._impacts[name]
            return self._keep(self._impacts, name, impact_of(name, self.resources, self.by_name))

    def find_conventions(self, options: PatternOptions | None) -> tuple[Pattern, ...]:
        """The slow way of `Registry.conventions`."""
        from conduit.metadata.patterns import PatternOptions, extract_patterns

        with self._lock:
            if options not in self._conventions:
                found = extract_patterns(self.schema, options or PatternOptions())
                self._keep(self._conventions, options, found)
            return self._conventions[options]

    def find_warnings(self) -> tuple[DocumentWarning, ...]:
        """What is doubtful about the document; sought on first use, which lets go of the document's bytes."""
        if self._warnings is None:
            with self._lock:
                if self._warnings is None:
                    from conduit.metadata.warnings import warnings_about

                    self._warnings = warnings_about(self.schema, self.by_name, self._document_bytes)
                    self._document_bytes = None
        return self._warnings

    # --- the rest

    def _keep(self, answers: dict[Any, T], question: Any, answer: T) -> T:
        """Keeps an answer, at the price of the oldest one where there are too many; returns it. Under the lock."""
        self._misses += 1
        if len(answers) >= CACHED_ANSWERS:
            del answers[next(iter(answers))]
            self._evictions += 1
        answers[question] = answer
        return answer

    def stats(self) -> CacheStats:
        """How much is kept and was missed."""
        with self._lock:
            kept = (
                len(self._fields_by_type),
                len(self._matching),
                len(self._conventions),
                len(self._impacts),
            )
            capacity = CACHED_ANSWERS * (1 + len(kept))
            return CacheStats(
                self._entries + sum(kept), capacity, self._misses, self._evictions, tuple(self._indexes)
            )

    def warm(self) -> None:
        """Builds every index."""
        with self._lock:
            if self._routes is _UNBUILT:
                self._build_routes()
            if self._routes_of is _UNBUILT:
                self._build_routes_of()
            if self._routes_at is _UNBUILT:
                self._build_routes_at()
            if self._field_positions is _UNBUILT:
                self._build_field_positions()
            self.find_relationships_to("")
            self.find_patterns(None)
            self._build_pattern_by_name()
            self.graph().complete()


class Registry:
    """A document to ask. Every answer is shared and cannot be changed."""

    __slots__ = ("__weakref__", "snapshot")

    def __init__(self, metadata: Metadata | None = None) -> None:
        self.snapshot = Snapshot(freeze(Metadata() if metadata is None else metadata))
        """What answers now. Whoever loops takes it once and reads `snapshot.by_name[name]` and `snapshot.schema`."""

    @classmethod
    def from_json(
        cls,
        data: bytes | bytearray | memoryview | str,
        *,
        strict: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Registry:
        """A registry of the document in `data`; see `conduit.metadata.decode`, which may raise `MetadataError`.

        `bytes` are kept until `warnings` or `warm()` has read them for repeated keys.
        """
        metadata = decode(data, strict=strict, limits=limits)
        registry = cls.__new__(cls)
        registry.snapshot = Snapshot(metadata, data if isinstance(data, bytes) else _as_bytes(data))
        return registry

    def __repr__(self) -> str:
        snapshot = self.snapshot
        return f"<Registry of {len(snapshot.resources)} resources and {len(snapshot.schema.routes)} routes>"

    def replace(self, other: Registry | Metadata) -> None:
        """Answers from another document from now on; every reader sees the old one or the new one, whole."""
        self.snapshot = other.snapshot if isinstance(other, Registry) else Snapshot(freeze(other))

    def warm(self) -> Registry:
        """Builds at once every index that is otherwise built on first use, and finds the warnings; returns itself."""
        self.snapshot.warm()
        self.snapshot.find_warnings()
        return self

    @property
    def warnings(self) -> tuple[DocumentWarning, ...]:
        """What is doubtful about a document that can still be used, with its place; sought on first use."""
        return self.snapshot.find_warnings()

    def schema(self) -> Metadata:
        """The whole document."""
        return self.snapshot.schema

    def resources(self) -> tuple[Resource, ...]:
        """All resources in document order, also those whose name is repeated."""
        return self.snapshot.resources

    def resource(self, name: str) -> Resource:
        """The resource of exactly this name, the last one where it is repeated; `NotFoundError` with near names."""
        try:
            return self.snapshot.by_name[name]
        except KeyError:
            raise NotFoundError("resource", name, self.snapshot.reference) from None

    def get(self, name: str) -> Resource | None:
        """The resource of exactly this name, or None: ten times cheaper than an error where misses are common."""
        return self.snapshot.by_name.get(name)

    def routes(
        self, method: str | None = None, path: str | None = None, resource: str | None = None
    ) -> tuple[Route, ...]:
        """The routes that meet all that is given, in document order; `""` is not given.

        `method` is compared without case, `path` and `resource` exactly.
        """
        try:
            if path is None:
                return self.snapshot._routes[resource][method]
            return self.snapshot._routes_at[path][resource][method]
        except KeyError:
            pass
        return self.snapshot.find_routes(method, path, resource)

    def patterns(self, category: str | None = None) -> tuple[Pattern, ...]:
        """The document's own patterns of exactly this category, or all of them; what `conventions` finds is apart."""
        try:
            return self.snapshot._patterns[category]
        except KeyError:
            pass
        return self.snapshot.find_patterns(category)

    def pattern(self, name: str) -> Pattern:
        """The document's pattern of exactly this name, the last one where it is repeated; `NotFoundError` if none."""
        try:
            return self.snapshot._pattern_by_name[name]
        except KeyError:
            pass
        return self.snapshot.find_pattern(name)

    def conventions(self, options: PatternOptions | None = None) -> tuple[Pattern, ...]:
        """What the application does again and again: middleware, validation, hook and field conventions with outliers."""
        try:
            return self.snapshot._conventions[options]
        except KeyError:
            pass
        return self.snapshot.find_conventions(options)

    def relationships_to(self, name: str) -> tuple[RelationshipReference, ...]:
        """Every relationship whose target is `name`, in document order; none for a name that nobody points at."""
        try:
            return self.snapshot._relationships_to[name]
        except KeyError:
            pass
        return self.snapshot.find_relationships_to(name)

    def relationships_from(self, name: str) -> tuple[Relationship, ...]:
        """The relationships that a resource declares; `NotFoundError` if there is no such resource."""
        return self.resource(name).relationships

    def resources_matching(self, pattern: str) -> tuple[Resource, ...]:
        """The resources whose name is `pattern` or matches it as a glob, in document order.

        `*` is any text, also none; `?` is one character; `[abc]`, `[a-z]` and `[!a]` are one character of a set. Case
        matters, and the whole name has to match.
        """
        try:
            return self.snapshot._matching[pattern]
        except KeyError:
            pass
        return self.snapshot.find_matching(pattern)

    def fields_by_type(self, type: str) -> tuple[FieldReference, ...]:
        """The fields whose type begins with `type` (`string` finds `string!`), with their resources, in document order."""
        try:
            return self.snapshot._fields_by_type[type]
        except KeyError:
            pass
        return self.snapshot.find_fields_by_type(type)

    def dependencies(
        self,
        name: str,
        depth: int = 0,
        reverse: bool = False,
        types: str | Iterable[str] | None = None,
    ) -> DependencyGraph:
        """What a resource depends on, or with `reverse` what depends on it, breadth first.

        `depth` 1 gives its own edges and their ends, `d` the edges of everything nearer than `d`, 0 all that can be
        reached. Edges keep their own direction also in reverse. `types` keeps to relationship types, `uses`
        (middleware) and `calls` (functions); a tuple is found fastest. Raises `NotFoundError` for an unknown resource,
        `ValueError` for a negative depth or a type that neither the format nor the document knows.
        """
        try:
            if types is None:
                return (self.snapshot._backward if reverse else self.snapshot._forward)[name][depth]
            return (self.snapshot._backward if reverse else self.snapshot._forward)[name][depth, types]
        except (KeyError, TypeError):  # a list of types is no key
            pass
        return self.snapshot.find_dependencies(name, depth, reverse, types)

    def graph(self) -> DependencyGraph:
        """The whole dependency graph: all relationships, then all uses, then all calls, in document order."""
        snapshot = self.snapshot
        with snapshot._lock:
            return snapshot.graph().whole()

    def dependency_depth(self, name: str) -> Depth:
        """The edges on the longest path from a resource, middleware and functions included; a cycle counts as one node.

        The number's `cyclic` says whether a cycle was met.
        """
        return self.snapshot.find_depth(name)

    def count_dependents(self, name: str) -> int:
        """How many relationships point at `name`; 0 for a name that nobody points at."""
        return len(self.relationships_to(name))

    def count_dependencies(self, name: str) -> int:
        """How many relationships a resource declares; `NotFoundError` if there is no such resource."""
        return len(self.resource(name).relationships)

    def cycles(self) -> tuple[Cycle, ...]:
        """The groups of resources that need each other through relationships whose key they hold."""
        cycles = self.snapshot._cycles
        return self.snapshot.find_cycles() if cycles is None else cycles

    def impact(self, name: str) -> Impact:
        """What breaks when a row of the resource is deleted, transitively, each effect with its chain."""
        try:
            return self.snapshot._impacts[name]
        except KeyError:
            pass
        return self.snapshot.find_impact(name)

    def cache_stats(self) -> CacheStats:
        """What is kept of answers, and which indexes were built."""
        return self.snapshot.stats()


def upper_method(method: str) -> str:
    """The method in upper case, character by character as Go does it (`ß` stays `ß`)."""
    upper = method.upper()
    if len(upper) == len(method):
        return upper
    return "".join([each if len(each.upper()) > 1 else each.upper() for each in method])


def matcher(pattern: str) -> Callable[[str], bool]:
    """Tells whether a name is `pattern` or matches it as a glob."""
    if not any(sign in pattern for sign in "*?["):
        return pattern.__eq__
    import re
    from fnmatch import translate

    fits = re.compile(translate(pattern)).match
    return lambda name: fits(name) is not None or name == pattern


def _of_method(by_method: dict[str | None, tuple[Route, ...]], method: str | None) -> tuple[Route, ...]:
    """The routes of one method; kept where there are any, so that there are no more keys than in the document."""
    if method not in by_method:
        found = tuple([route for route in by_method[None] if upper_method(route.method) == method])
        if not found:
            return ()
        by_method[method] = found
    return by_method[method]


def _grouped(items: Iterable[Any], key: Callable[[Any], str]) -> dict[str, tuple[Any, ...]]:
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(intern(key(item)), []).append(item)
    return {name: tuple(group) for name, group in groups.items()}


def _asked_types(types: Any) -> tuple[Any, frozenset[str] | None]:
    """The types as they were asked for, if they can be a key, and as a set; no types at all are None."""
    if types is None:
        return None, None
    if isinstance(types, str):
        return types, frozenset((types,))
    asked = types if isinstance(types, tuple | frozenset) else None
    wanted = frozenset(types if asked is None else asked)
    return asked, wanted or None


def _as_bytes(data: bytearray | memoryview | str) -> bytes:
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)


# --- the registry of this process

_registered: Registry | None = None


def load(path: str | os.PathLike[str], *, strict: bool = False, limits: Limits = DEFAULT_LIMITS) -> Registry:
    """A registry of the document in a file (`.json`, or gzip as in `.json.gz`); it is not registered.

    Raises `MetadataError`, with the file's name in front, for what cannot be read or used.
    """
    from conduit.errors import MetadataError

    data = read_document(path, limits=limits)
    try:
        return Registry.from_json(data, strict=strict, limits=limits)
    except MetadataError as error:
        problems = [f"{path}: {problem}" for problem in error.problems]
        raise MetadataError(*problems, place=error.place, offset=error.offset) from error


def register(source: Registry | Metadata | bytes | str | os.PathLike[str]) -> Registry:
    """Makes a document this process's own and returns its registry: a path, a document's bytes, records or a registry.

    A second call replaces everything at once, also for those who hold the registry from the first. When it fails, the
    previous document stays. An application calls it once, at start-up.
    """
    global _registered
    if isinstance(source, Registry):
        fresh = source
    elif isinstance(source, Metadata):
        fresh = Registry(source)
    elif isinstance(source, bytes | bytearray | memoryview):
        fresh = Registry.from_json(source)
    else:
        fresh = load(source)
    with _registration:
        if _registered is None:
            handle = Registry.__new__(Registry)
            handle.replace(fresh)
            _registered = handle
        else:
            _registered.replace(fresh)
        return _registered


_registration = RLock()


def get_registry() -> Registry:
    """This process's registry; `NotRegisteredError`, which says how to load, before the first `register`."""
    if _registered is None:
        raise NotRegisteredError
    return _registered


def unregister() -> None:
    """Forgets this process's registry: tests lend it and give it back."""
    global _registered
    with _registration:
        _registered = None


__all__ = [
    "CacheStats",
    "FieldReference",
    "FrozenDict",
    "Registry",
    "RelationshipReference",
    "Snapshot",
    "get_registry",
    "load",
    "register",
    "unregister",
]
