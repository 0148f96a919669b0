"""A loaded document with its indexes and cached answers.

The content never changes. Names are indexed on construction; every other index is built once, on first use, under
the document's lock, into locals, and published with one store, so readers need no lock. Answers to queries with
arbitrary arguments are cached too, at most 1,000 of a kind; the oldest are evicted first. The caches belong to the
document, so no cached answer can outlive it.

The fast lookups are in `questions`; the methods here compute what those do not find.
"""

from __future__ import annotations

from _thread import RLock
from _weakref import ref
from collections import defaultdict
from itertools import chain
from sys import intern
from typing import TYPE_CHECKING, Any, TypeVar

from conduit._native import available as native_available
from conduit.errors import NotFoundError
from conduit.metadata.name_matching import matcher, upper_method
from conduit.metadata.schema import FieldReference, FrozenDict, Record, RelationshipReference

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from conduit.metadata.dependencies import Cycle, Depth, Graph
    from conduit.metadata.impact import Impact
    from conduit.metadata.patterns import PatternOptions
    from conduit.metadata.schema import DependencyGraph, Metadata, Pattern, Resource, Route
    from conduit.metadata.warnings import DocumentWarning

T = TypeVar("T")

CACHED_ANSWERS = 1_000
"""Capacity of each cache of answers with arbitrary arguments: dependencies, globs, types."""


class CacheStats(Record, frozen=True):
    """Statistics of the caches for `dependencies`, `resources_matching`, `fields_by_type` and `conventions`.

    Hits are not counted: counting would make every hit allocate.
    """

    entries: int
    capacity: int
    misses: int
    evictions: int
    indexes: tuple[str, ...]
    """The indexes built so far, in the order in which they were built."""


if TYPE_CHECKING or not native_available():
    from conduit.metadata.tables import Tables, group_by, index_by
else:
    from conduit._native.registry import Tables, group_by, index_by

_UNBUILT: Any = FrozenDict()
"""Placeholder for an index that is not built yet: finds nothing, so a query falls through to `compute_…`."""


class LoadedDocument(Tables):
    """One document with its indexes and caches; complete after construction."""

    __slots__ = (
        "__weakref__",
        "_by_path",
        "_by_resource",
        "_cycles",
        "_depths",
        "_document_bytes",
        "_edge_types",
        "_entries",
        "_evictions",
        "_field_positions",
        "_graph",
        "_indexes",
        "_lock",
        "_misses",
        "_warnings",
        "reference",
    )

    def __init__(self, metadata: Metadata, document_bytes: bytes | None = None) -> None:
        self.schema = metadata
        self.resources: tuple[Resource, ...] = metadata.resources
        self.by_name: dict[str, Resource] = index_by(metadata.resources, "name")
        self.reference: ref[LoadedDocument] = ref(self)
        self._document_bytes = document_bytes
        self._lock = RLock()
        self._indexes: list[str] = []
        self._by_path_method = {}
        self._by_resource_method = {}
        self._by_resource_path = {}
        self._by_resource_path_method = {}
        self._by_resource: dict[str, list[Route]] = _UNBUILT
        self._by_path: dict[str, list[Route]] = _UNBUILT
        self._relationships_to = _UNBUILT
        self._patterns = _UNBUILT
        self._pattern_by_name = _UNBUILT
        self._field_positions: dict[str, list[int]] = _UNBUILT
        self._fields_by_type = {}
        self._matching = {}
        self._forward = {}
        self._backward = {}
        self._forward_of_types = {}
        self._backward_of_types = {}
        self._conventions = {}
        self._impacts = {}
        self._edge_types: frozenset[str] | None = None
        self._graph: Graph | None = None
        self._depths: dict[str, Depth] | None = None
        self._cycles: tuple[Cycle, ...] | None = None
        self._warnings: tuple[DocumentWarning, ...] | None = None
        self._entries = self._misses = self._evictions = 0

    def names(self, kind: str) -> tuple[str, ...]:
        """Return all names of a kind (`resource` or `pattern`), in document order, each once."""
        if kind == "pattern":
            return tuple(dict.fromkeys(pattern.name for pattern in self.schema.patterns))
        return tuple(self.by_name)

    def not_found(self, kind: str, name: str) -> NotFoundError:
        """Return the error for a name that is not in this document."""
        return NotFoundError(kind, name, self.reference)

    # --- routes

    def compute_routes(self, method: str | None, path: str | None, resource: str | None) -> tuple[Route, ...]:
        """Compute `Registry.routes`: build missing indexes, then cache the answer unless it is empty.

        Each argument has at most two cached spellings: a method in upper or lower case, an absent filter as `""` or
        None. So the cache stays about as large as the document.
        """
        with self._lock:
            if path and resource:
                return self._compute_routes_of_at(method, path, resource)
            index = self._compute_routes_of(resource) if resource else self._compute_routes_at(path or "")
            found = _of_method(index, upper_method(method) if method else "")
            if found and resource:
                self._by_resource_method[resource][_cache_key(method)] = found
            elif found and resource is None:
                self._by_path_method.setdefault(path, index)[_cache_key(method)] = found
            return found

    def _compute_routes_of_at(self, method: str | None, path: str, resource: str) -> tuple[Route, ...]:
        at_path = _of_method(self._compute_routes_at(path), upper_method(method) if method else "")
        found = tuple([route for route in at_path if route.resource == resource])
        if found and not method:
            self._by_resource_path.setdefault(resource, {})[path] = found
        elif found and method:
            self._by_resource_path_method.setdefault(resource, {}).setdefault(path, {})[
                _cache_key(method)
            ] = found
        return found

    def _compute_routes_of(self, resource: str) -> dict[str | None, tuple[Route, ...]]:
        if resource not in self._by_resource_method:
            if self._by_resource is _UNBUILT:
                self._build_by_resource()
            if resource not in self._by_resource:
                return {"": ()}
            self._by_resource_method[resource] = {"": tuple(self._by_resource[resource])}
        return self._by_resource_method[resource]

    def _compute_routes_at(self, path: str) -> dict[str | None, tuple[Route, ...]]:
        if path not in self._by_path_method:
            if not path:
                self._build_by_method()
            else:
                if self._by_path is _UNBUILT:
                    self._build_by_path()
                if path not in self._by_path:
                    return {"": ()}
                self._by_path_method[path] = {"": tuple(self._by_path[path])}
        return self._by_path_method[path]

    def _build_by_method(self) -> None:
        by_method = group_by(self.schema.routes, "method")
        if any(upper_method(method) != method for method in by_method):
            by_method = {}
            for route in self.schema.routes:
                by_method.setdefault(upper_method(route.method), []).append(route)
        index: dict[str | None, tuple[Route, ...]] = {
            intern(method): tuple(group) for method, group in by_method.items()
        }
        index[""] = self.schema.routes
        self._by_path_method[""] = index
        self._indexes.append("routes_by_method")

    def _build_by_resource(self) -> None:
        self._by_resource = group_by(self.schema.routes, "resource")
        self._indexes.append("routes_by_resource")

    def _build_by_path(self) -> None:
        self._by_path = group_by(self.schema.routes, "path")
        self._indexes.append("routes_by_path")

    # --- relationships, fields, patterns, names

    def compute_relationships_to(self, name: str) -> tuple[RelationshipReference, ...]:
        """Compute `Registry.relationships_to`."""
        if self._relationships_to is _UNBUILT:
            with self._lock:
                if self._relationships_to is _UNBUILT:
                    self._build_relationships_to()
        return self._relationships_to.get(name, ())

    def _build_relationships_to(self) -> None:
        by_target: dict[str, list[RelationshipReference]] = defaultdict(list)
        for resource in self.resources:
            name = resource.name
            for relationship in resource.relationships:
                by_target[relationship.target_resource].append(RelationshipReference(name, relationship))
        self._relationships_to = {intern(target): tuple(group) for target, group in by_target.items()}
        self._indexes.append("relationships_to")

    def compute_fields_by_type(self, prefix: str) -> tuple[FieldReference, ...]:
        """Compute `Registry.fields_by_type`; an empty answer is cached too."""
        with self._lock:
            if self._field_positions is _UNBUILT:
                self._build_field_positions()
            groups = [group for kind, group in self._field_positions.items() if kind.startswith(prefix)]
            positions = (
                groups[0]
                if len(groups) == 1
                else sorted([position for group in groups for position in group])
            )
            return self._cache(self._fields_by_type, prefix, self._references_to_fields(positions))

    def _build_field_positions(self) -> None:
        fields = list(chain.from_iterable([resource.fields for resource in self.resources]))
        self._field_positions = group_by(fields, "type", True)
        self._indexes.append("fields_by_type")

    def _references_to_fields(self, positions: Iterable[int]) -> tuple[FieldReference, ...]:
        """Return references to fields by their positions, counted over all resources; the positions ascend."""
        references: list[FieldReference] = []
        begin = end = 0
        remaining = iter(self.resources)
        for position in positions:
            while position >= end:
                resource = next(remaining)
                begin, end = end, end + len(resource.fields)
            references.append(FieldReference(resource.name, resource.fields[position - begin]))
        return tuple(references)

    def compute_patterns(self, category: str | None) -> tuple[Pattern, ...]:
        """Compute `Registry.patterns`."""
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

    def compute_pattern(self, name: str) -> Pattern:
        """Compute `Registry.pattern`."""
        if self._pattern_by_name is _UNBUILT:
            with self._lock:
                self._build_pattern_by_name()
        if name not in self._pattern_by_name:
            raise self.not_found("pattern", name)
        return self._pattern_by_name[name]

    def _build_pattern_by_name(self) -> None:
        if self._pattern_by_name is _UNBUILT:
            self._pattern_by_name = index_by(self.schema.patterns, "name")
            self._indexes.append("patterns_by_name")

    def compute_matching(self, pattern: str) -> tuple[Resource, ...]:
        """Compute `Registry.resources_matching`; an empty answer is cached too."""
        matches = matcher(pattern)
        with self._lock:
            found = tuple([resource for resource in self.resources if matches(resource.name)])
            return self._cache(self._matching, pattern, found)

    # --- dependencies

    def compute_dependencies(self, name: str, depth: int, reverse: bool, types: Any) -> DependencyGraph:
        """Compute `Registry.dependencies`: check the arguments, compute once, cache the answer."""
        if name not in self.by_name:
            raise self.not_found("resource", name)
        if not isinstance(depth, int) or depth < 0:
            raise ValueError(f"depth is a number of edges, 0 for all that can be reached; got {depth!r}")
        asked, wanted = (None, None) if types is None else _asked_types(types)
        with self._lock:
            if wanted is None:
                answers = self._backward if reverse else self._forward
            else:
                self._check_types(wanted)
                answers = (self._backward_of_types if reverse else self._forward_of_types).get(wanted, {})
            kept = answers[name].get(depth) if name in answers else None
            if kept is None:
                kept = self.graph().traverse(name, depth, bool(reverse), wanted)
                self._misses += 1
                self._cache_dependencies(reverse, wanted, name, depth, kept)
            if asked is not None and asked is not wanted:
                self._cache_dependencies(reverse, asked, name, depth, kept)
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

    def _cache_dependencies(
        self, reverse: bool, types: Any, name: str, depth: int, answer: DependencyGraph
    ) -> None:
        """Cache an answer under one spelling of its arguments, evicting the oldest when the cache is full."""
        if self._entries >= CACHED_ANSWERS:
            self._evict_dependencies()
        if types is None:
            answers = self._backward if reverse else self._forward
        else:
            answers = (self._backward_of_types if reverse else self._forward_of_types).setdefault(types, {})
        of_name = answers.setdefault(name, {})
        self._entries += depth not in of_name
        of_name[depth] = answer

    def _evict_dependencies(self) -> None:
        """Evict the oldest name of the larger direction, or the oldest combination of types."""
        plain = max((self._forward, self._backward), key=len)
        typed = max((self._forward_of_types, self._backward_of_types), key=len)
        if plain:
            dropped = len(plain.pop(next(iter(plain))))
        else:
            dropped = sum(map(len, typed.pop(next(iter(typed))).values()))
        self._entries -= dropped
        self._evictions += dropped

    def graph(self) -> Graph:
        """Return the dependency graph; the caller holds the document's lock."""
        if self._graph is None:
            from conduit.metadata.dependencies import Graph

            self._graph = Graph(self.resources, self.by_name)
            self._indexes.append("dependencies")
        return self._graph

    def compute_depth(self, name: str) -> Depth:
        """Compute `Registry.dependency_depth`."""
        if name not in self.by_name:
            raise self.not_found("resource", name)
        if self._depths is None:
            with self._lock:
                if self._depths is None:
                    self._depths = self.graph().depths()
        return self._depths[name]

    def compute_cycles(self) -> tuple[Cycle, ...]:
        """Compute `Registry.cycles`."""
        with self._lock:
            if self._cycles is None:
                self._cycles = self.graph().cycles()
        return self._cycles

    def compute_impact(self, name: str) -> Impact:
        """Compute `Registry.impact`."""
        if name not in self.by_name:
            raise self.not_found("resource", name)
        from conduit.metadata.impact import impact_of

        with self._lock:
            if name in self._impacts:
                return self._impacts[name]
            return self._cache(self._impacts, name, impact_of(name, self.resources, self.by_name))

    def compute_conventions(self, options: PatternOptions | None) -> tuple[Pattern, ...]:
        """Compute `Registry.conventions`."""
        from conduit.metadata.patterns import PatternOptions, extract_patterns

        with self._lock:
            if options not in self._conventions:
                found = extract_patterns(self.schema, options or PatternOptions())
                self._cache(self._conventions, options, found)
            return self._conventions[options]

    def compute_warnings(self) -> tuple[DocumentWarning, ...]:
        """Compute `Registry.warnings`, then release the document's bytes."""
        if self._warnings is None:
            with self._lock:
                if self._warnings is None:
                    from conduit.metadata.warnings import warnings_about

                    self._warnings = warnings_about(
                        self.schema, self.by_name, self._document_bytes, self.graph()
                    )
                    self._document_bytes = None
        return self._warnings

    # --- the rest

    def _cache(self, answers: dict[Any, T], question: Any, answer: T) -> T:
        """Cache an answer, evicting the oldest when the cache is full, and return it. The caller holds the lock."""
        self._misses += 1
        if len(answers) >= CACHED_ANSWERS:
            del answers[next(iter(answers))]
            self._evictions += 1
        answers[question] = answer
        return answer

    def stats(self) -> CacheStats:
        """Return the cache statistics."""
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
        """Build every index."""
        with self._lock:
            self._compute_routes_at("")
            if self._by_resource is _UNBUILT:
                self._build_by_resource()
            if self._by_path is _UNBUILT:
                self._build_by_path()
            if self._field_positions is _UNBUILT:
                self._build_field_positions()
            self.compute_relationships_to("")
            self.compute_patterns(None)
            self._build_pattern_by_name()
            self.graph().complete()


def _cache_key(method: str | None) -> Any:
    """Return the spelling to cache a method under: unchanged if lower or upper case, else upper case."""
    if not method:
        return method
    upper = upper_method(method)
    return method if method == upper.lower() else upper


def _of_method(by_method: dict[str | None, tuple[Route, ...]], method: str) -> tuple[Route, ...]:
    """Return the routes of one upper-case method, or of all methods for `""`."""
    if method in by_method:
        return by_method[method]
    return tuple([route for route in by_method[""] if upper_method(route.method) == method])


def _grouped(items: Iterable[Any], key: Callable[[Any], str]) -> dict[str, tuple[Any, ...]]:
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(intern(key(item)), []).append(item)
    return {name: tuple(group) for name, group in groups.items()}


def _asked_types(types: Any) -> tuple[Any, frozenset[str] | None]:
    """Return (the argument if hashable else None, the types as a frozenset, or None for no types)."""
    if isinstance(types, str):
        return types, frozenset((types,))
    asked = types if isinstance(types, tuple | frozenset) else None
    wanted = frozenset(types if asked is None else asked)
    return asked, wanted or None
