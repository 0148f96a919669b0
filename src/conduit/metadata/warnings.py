"""Warnings about a document: problems that do not prevent its use.

Computed on first use: unknown versions, repeated names, relationships to missing resources, one name for several
kinds of node, a dependency graph that differs from the one its resources imply, and keys repeated within a JSON
object.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from conduit._native import available as native_available
from conduit.metadata.diagnosis import at, shallow
from conduit.metadata.schema import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conduit.metadata.dependencies import Graph
    from conduit.metadata.schema import DependencyEdge, DependencyGraph, Metadata, Resource


_SPACED_KEY = re.compile(rb'"\s+:')


def _has_distinct_keys(document_bytes: bytes) -> bool:
    """Return True if no object has a key twice, without finding which one would; False if unknown.

    Decoding drops repeated keys, so the text has more of `":` than the encoded values. The counts compare only where
    both spell keys and quotes in the same way.
    """
    if b"\\u0022" in document_bytes or _SPACED_KEY.search(document_bytes):
        return False
    try:
        again = msgspec.json.encode(msgspec.json.decode(document_bytes))
    except (
        msgspec.DecodeError,
        RecursionError,
    ):  # deeper than the decoder goes, or a number beyond its bounds
        return False
    return document_bytes.count(b'":') == again.count(b'":')


if TYPE_CHECKING or not native_available():
    from conduit.metadata.tables import group_by

    has_distinct_keys = _has_distinct_keys
else:
    from conduit._native.registry import group_by, has_distinct_keys


class DocumentWarning(Record, frozen=True):
    """One warning, with its path in the document."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def warnings_about(
    metadata: Metadata, by_name: Mapping[str, Resource], document_bytes: bytes | None, graph: Graph
) -> tuple[DocumentWarning, ...]:
    """Return all warnings about a document, in the order listed above.

    `document_bytes` is its JSON text, if available.
    """
    warnings = [*_version(metadata), *_repeated_names(metadata), *_dangling_targets(metadata, by_name)]
    warnings += [*_collisions(metadata, by_name, graph), *_own_graph(metadata, graph)]
    if document_bytes is not None:
        warnings += _repeated_keys(document_bytes)
    return tuple(warnings)


def _version(metadata: Metadata) -> Iterator[DocumentWarning]:
    if metadata.version and metadata.version.partition(".")[0] != "1":
        yield DocumentWarning(
            "version", f"unknown version {metadata.version!r}; read as 1.0, so keys may be missed"
        )


def _repeated_names(metadata: Metadata) -> Iterator[DocumentWarning]:
    for key, names in (
        ("resources", [resource.name for resource in metadata.resources]),
        ("patterns", [pattern.name for pattern in metadata.patterns]),
    ):
        if len(set(names)) == len(names):
            continue
        indexes: dict[str, int] = {}
        for index, name in enumerate(names):
            if name and name in indexes:
                yield DocumentWarning(
                    f"{key}[{index}].name",
                    f"{name!r} is also {key}[{indexes[name]}]; the last of a name is found",
                )
            indexes[name] = index


def _dangling_targets(metadata: Metadata, by_name: Mapping[str, Resource]) -> Iterator[DocumentWarning]:
    targets = {one.target_resource for resource in metadata.resources for one in resource.relationships}
    unknown = targets - by_name.keys() - {"*"}
    if not unknown:
        return
    for i, resource in enumerate(metadata.resources):
        for j, relationship in enumerate(resource.relationships):
            if relationship.target_resource in unknown:
                path = f"resources[{i}].relationships[{j}].target_resource"
                yield DocumentWarning(path, f"there is no resource {relationship.target_resource!r}")


def _collisions(
    metadata: Metadata, by_name: Mapping[str, Resource], graph: Graph
) -> Iterator[DocumentWarning]:
    """Yield a warning for each name that is one graph node for several kinds of thing."""
    middleware, functions = graph.used_names()
    if not middleware and not functions:
        return
    targets = {one.target_resource for resource in metadata.resources for one in resource.relationships}
    used = middleware | functions
    if middleware.isdisjoint(functions) and targets.isdisjoint(used) and by_name.keys().isdisjoint(used):
        return
    kinds = dict.fromkeys(chain(by_name, targets), "resource")
    told: set[str] = set()
    for kind, path, name in _names_used(metadata):
        other = kinds.setdefault(name, kind)
        if other != kind and name not in told:
            told.add(name)
            yield DocumentWarning(
                path, f"{name!r} is also a {other}; the dependency graph has one node for both"
            )


def _names_used(metadata: Metadata) -> Iterator[tuple[str, str, str]]:
    from conduit.metadata.dependencies import called_functions

    for i, resource in enumerate(metadata.resources):
        for operation, names in resource.middleware.items():
            for name in names:
                yield "middleware", at(f"resources[{i}].middleware", operation), name
    for i, resource in enumerate(metadata.resources):
        for j, hook in enumerate(resource.hooks):
            for name in called_functions(hook.source_code):
                yield "function", f"resources[{i}].hooks[{j}].source_code", name


def _own_graph(metadata: Metadata, graph: Graph) -> Iterator[DocumentWarning]:
    """Compare the document's own graph, if any, with the one built from its resources; node ids are not compared."""
    if not metadata.dependencies.edges:
        return
    own: dict[str, list[DependencyEdge]] = group_by(_edges_by_name(metadata.dependencies), "from_")
    extra: list[DependencyEdge] = []
    missing: list[DependencyEdge] = []
    for vertex in graph.complete():
        implied = vertex.outgoing or ()
        given = tuple(own.pop(vertex.name, ()))
        if implied[: len(given)] == given:  # the same order, as documents written from resources have it
            missing += implied[len(given) :]
        else:
            counts = Counter(implied)
            counts.subtract(given)
            missing += counts.elements()
            extra += (-counts).elements()
    extra += chain.from_iterable(own.values())
    for edges, verb in ((extra, "has"), (missing, "lacks")):
        if edges:
            first = min([edge.from_ for edge in edges])
            example = min(
                [edge for edge in edges if edge.from_ == first], key=attrgetter("to", "relationship")
            )
            yield DocumentWarning(
                "dependencies.edges",
                f"{verb} {len(edges)} of the edges other than the resources say, such as {example.from_} →"
                f" {example.to} ({example.relationship}); answers follow the resources",
            )


def _edges_by_name(graph: DependencyGraph) -> Sequence[DependencyEdge]:
    """Return the edges between the names of the nodes instead of their ids."""
    names = {key: node.name for key, node in graph.nodes.items() if node.name not in ("", key)}
    if not names:
        return graph.edges
    from msgspec.structs import replace

    return [
        replace(edge, from_=names.get(edge.from_, edge.from_), to=names.get(edge.to, edge.to))
        for edge in graph.edges
    ]


def _repeated_keys(document_bytes: bytes) -> list[DocumentWarning]:
    """Return a warning for each repeated key; the last value wins, as in Go for values that are not merged."""
    if has_distinct_keys(document_bytes):
        return []
    repeated: dict[int, tuple[dict[str, Any], list[str]]] = {}

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated[id(found)] = found, [key for key, count in counts.items() if count > 1]
        return found

    tree = json.loads(shallow(document_bytes, len(document_bytes)), object_pairs_hook=note)
    if not repeated:
        return []
    warnings = []
    for path, found in _objects(tree, ""):
        for key in repeated.get(id(found), (found, []))[1]:
            warnings.append(DocumentWarning(at(path, key), "repeated key; the last value wins"))
    return warnings


def _objects(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            yield from _objects(item, at(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _objects(item, f"{path}[{index}]")
