"""A document loaded once and asked many times.

A `Registry` is a handle that points at a snapshot. Loading makes a new snapshot off to the side and swaps the pointer, so
a reader sees the old document or the new one, whole. Reads take no lock, copy nothing and, once they are warm, allocate
nothing.

The form of the query methods is measured, not taste: one hop to the snapshot, nested plain dicts, `try` around the hit,
and everything else in a method of its own (a closure in the same method would cost every call). Parameters are positional
or by keyword; on 3.11 keyword-only defaults cost 8 ns each.
"""

from __future__ import annotations

from _thread import RLock
from typing import TYPE_CHECKING

from conduit.errors import MetadataError, NotFoundError, NotRegisteredError
from conduit.metadata.codec import DEFAULT_LIMITS, decode, freeze, read_document
from conduit.metadata.schema import Metadata
from conduit.metadata.snapshot import CacheStats, FieldReference, RelationshipReference, Snapshot

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from conduit.metadata.codec import Limits
    from conduit.metadata.dependencies import Cycle, Depth
    from conduit.metadata.impact import Impact
    from conduit.metadata.patterns import PatternOptions
    from conduit.metadata.schema import DependencyGraph, Pattern, Relationship, Resource, Route
    from conduit.metadata.warnings import DocumentWarning


class Registry:
    """A document to ask. Every answer is shared and cannot be changed."""

    __slots__ = ("__weakref__", "snapshot")

    def __init__(self, metadata: Metadata | None = None) -> None:
        self.snapshot: Snapshot = Snapshot(freeze(Metadata() if metadata is None else metadata))
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
            pass  # raised below, since an error raised while another is handled takes a tenth longer
        raise NotFoundError("resource", name, self.snapshot.reference)

    def get(self, name: str) -> Resource | None:
        """The resource of exactly this name, or None: ten times cheaper than an error where misses are common."""
        return self.snapshot.by_name.get(name)

    def routes(
        self, method: str | None = "", path: str | None = "", resource: str | None = None
    ) -> tuple[Route, ...]:
        """The routes that meet all that is given, in document order; neither `""` nor None is given.

        `method` is compared without case, `path` and `resource` exactly.
        """
        # The defaults are keys of the indexes: a dict whose keys are all text is quicker than one that also has None.
        try:
            if resource is None:
                return self.snapshot._routes_at[path][method]
            if path == "" or path is None:
                return self.snapshot._routes_of[resource][method]
            if method == "" or method is None:
                return self.snapshot._routes_of_at[resource][path]
            return self.snapshot._routes_like[resource][path][method]
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
            if reverse:
                return self.snapshot._backward_of_types[types][name][depth]
            return self.snapshot._forward_of_types[types][name][depth]
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


def _as_bytes(data: bytearray | memoryview | str) -> bytes:
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)


# --- the registry of this process

_registered: Registry | None = None


def load(path: str | os.PathLike[str], *, strict: bool = False, limits: Limits = DEFAULT_LIMITS) -> Registry:
    """A registry of the document in a file (`.json`, or gzip as in `.json.gz`); it is not registered.

    Raises `MetadataError`, with the file's name in front, for what cannot be read or used.
    """
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
    "Registry",
    "RelationshipReference",
    "Snapshot",
    "get_registry",
    "load",
    "register",
    "unregister",
]
