"""The registry: a document loaded once and queried many times.

A `Registry` points at a loaded document. Loading builds a new document separately and swaps the pointer, so a
reader sees the old or the new document, never a mixture. Reads take no lock, copy nothing and, once warm, allocate
nothing.

The most frequent queries are in `questions`.
"""

from __future__ import annotations

from _thread import RLock
from typing import TYPE_CHECKING

from conduit._native import available as native_available
from conduit.errors import MetadataError, NotRegisteredError
from conduit.metadata.codec import DEFAULT_LIMITS, decode, freeze, read_document
from conduit.metadata.loaded_document import CacheStats, LoadedDocument
from conduit.metadata.schema import FieldReference, Metadata, RelationshipReference

if TYPE_CHECKING:
    import os

    from conduit.metadata.codec import Limits
    from conduit.metadata.dependencies import Cycle, Depth
    from conduit.metadata.schema import DependencyGraph, Relationship
    from conduit.metadata.warnings import DocumentWarning

if TYPE_CHECKING or not native_available():
    from conduit.metadata.questions import Questions
else:
    from conduit._native.registry import Questions


class Registry(Questions):
    """Queries over a document. Answers are shared and immutable."""

    __slots__ = ("__weakref__",)

    def __init__(self, metadata: Metadata | None = None) -> None:
        self._point_at(LoadedDocument(freeze(Metadata() if metadata is None else metadata)))

    @classmethod
    def from_json(
        cls,
        data: bytes | bytearray | memoryview | str,
        *,
        strict: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Registry:
        """Return a registry of the JSON document in `data`. Raises `MetadataError` as `conduit.metadata.decode` does.

        `data` is kept until `warnings` or `warm()` has checked it for repeated keys.
        """
        metadata = decode(data, strict=strict, limits=limits)
        registry = cls.__new__(cls)
        registry._point_at(LoadedDocument(metadata, data if isinstance(data, bytes) else _as_bytes(data)))
        return registry

    def __repr__(self) -> str:
        from conduit.units import counted

        resources, routes = len(self.document.resources), len(self.document.schema.routes)
        return f"<Registry of {counted(resources, 'resource')} and {counted(routes, 'route')}>"

    def replace(self, other: Registry | Metadata) -> None:
        """Switch to another document atomically: a reader sees either the old or the new one."""
        self._point_at(other.document if isinstance(other, Registry) else LoadedDocument(freeze(other)))

    def warm(self) -> Registry:
        """Build every index and compute the warnings now rather than on first use; return self."""
        self.document.warm()
        self.document.compute_warnings()
        return self

    @property
    def warnings(self) -> tuple[DocumentWarning, ...]:
        """The document's warnings, each with its path; computed on first use."""
        return self.document.compute_warnings()

    def relationships_from(self, name: str) -> tuple[Relationship, ...]:
        """Return the relationships that a resource declares; raise `NotFoundError` if there is no such resource."""
        return self.resource(name).relationships

    def graph(self) -> DependencyGraph:
        """Return the whole dependency graph: relationships, then uses, then calls, each in document order."""
        document = self.document
        with document._lock:
            return document.graph().whole()

    def dependency_depth(self, name: str) -> Depth:
        """Return the number of edges on the longest path from a resource, including middleware and functions.

        A cycle counts as one node; the `cyclic` attribute of the result tells whether the paths contain one.
        """
        return self.document.compute_depth(name)

    def count_dependents(self, name: str) -> int:
        """Return the number of relationships whose target is `name`."""
        return len(self.relationships_to(name))

    def count_dependencies(self, name: str) -> int:
        """Return the number of relationships of a resource; raise `NotFoundError` if there is no such resource."""
        return len(self.resource(name).relationships)

    def cycles(self) -> tuple[Cycle, ...]:
        """Return the groups of resources that depend on one another through foreign keys."""
        cycles = self.document._cycles
        return self.document.compute_cycles() if cycles is None else cycles

    def cache_stats(self) -> CacheStats:
        """Return the cache statistics and the indexes built so far."""
        return self.document.stats()


def _as_bytes(data: bytearray | memoryview | str) -> bytes:
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)


# --- the registry of this process

_registered: Registry | None = None


def load(path: str | os.PathLike[str], *, strict: bool = False, limits: Limits = DEFAULT_LIMITS) -> Registry:
    """Return a registry of the document in a file, JSON or gzipped JSON; does not register it.

    Raises `MetadataError`, with the file name in front, if the file cannot be read or is not a valid document.
    """
    data = read_document(path, limits=limits)
    try:
        return Registry.from_json(data, strict=strict, limits=limits)
    except MetadataError as error:
        problems = [f"{path}: {problem}" for problem in error.problems]
        raise MetadataError(*problems, path=error.path, offset=error.offset) from error


def register(source: Registry | Metadata | bytes | str | os.PathLike[str]) -> Registry:
    """Register a document as this process's metadata and return its registry.

    `source` is a path, the bytes of a document, a `Metadata` record or a registry. A second call replaces the document
    for every holder of the registry; if it fails, the previous document stays. Call it once, at start-up.
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
    """Return this process's registry; raise `NotRegisteredError` before the first `register`."""
    if _registered is None:
        raise NotRegisteredError
    return _registered


def unregister() -> None:
    """Remove this process's registry; for tests."""
    global _registered
    with _registration:
        _registered = None


__all__ = [
    "CacheStats",
    "FieldReference",
    "LoadedDocument",
    "Registry",
    "RelationshipReference",
    "get_registry",
    "load",
    "register",
    "unregister",
]
