"""A document loaded once and asked many times.

A `Registry` is a handle that points at a snapshot. Loading makes a new snapshot off to the side and swaps the pointer, so
a reader sees the old document or the new one, whole. Reads take no lock, copy nothing and, once they are warm, allocate
nothing.

What is asked most often is in `questions`.
"""

from __future__ import annotations

from _thread import RLock
from typing import TYPE_CHECKING

from conduit._native import available as native_available
from conduit.errors import MetadataError, NotRegisteredError
from conduit.metadata.codec import DEFAULT_LIMITS, decode, freeze, read_document
from conduit.metadata.schema import Metadata
from conduit.metadata.snapshot import CacheStats, FieldReference, RelationshipReference, Snapshot

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
    """A document to ask. Every answer is shared and cannot be changed."""

    __slots__ = ("__weakref__",)

    def __init__(self, metadata: Metadata | None = None) -> None:
        self._point_at(Snapshot(freeze(Metadata() if metadata is None else metadata)))

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
        registry._point_at(Snapshot(metadata, data if isinstance(data, bytes) else _as_bytes(data)))
        return registry

    def __repr__(self) -> str:
        snapshot = self.snapshot
        return f"<Registry of {len(snapshot.resources)} resources and {len(snapshot.schema.routes)} routes>"

    def replace(self, other: Registry | Metadata) -> None:
        """Answers from another document from now on; every reader sees the old one or the new one, whole."""
        self._point_at(other.snapshot if isinstance(other, Registry) else Snapshot(freeze(other)))

    def warm(self) -> Registry:
        """Builds at once every index that is otherwise built on first use, and finds the warnings; returns itself."""
        self.snapshot.warm()
        self.snapshot.find_warnings()
        return self

    @property
    def warnings(self) -> tuple[DocumentWarning, ...]:
        """What is doubtful about a document that can still be used, with its place; sought on first use."""
        return self.snapshot.find_warnings()

    def relationships_from(self, name: str) -> tuple[Relationship, ...]:
        """The relationships that a resource declares; `NotFoundError` if there is no such resource."""
        return self.resource(name).relationships

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
