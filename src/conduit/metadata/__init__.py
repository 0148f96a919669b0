"""The metadata registry: resources, routes, patterns and dependencies of an application, and queries over them.

The document is the JSON format of the Go framework's `runtime/metadata` package, key for key. Our own keys come
after the original ones and are omitted when empty, so either reader accepts the other's documents. `schema` defines
the records, `codec` encodes and decodes them and reports bad input, `registry` loads a document once and answers
queries from the indexes of a `loaded_document`, `dependencies` walks the dependency graph, `impact` follows
deletions through it, `patterns` finds recurring conventions, `warnings` lists problems that do not prevent loading.
The JSON Schema for other programs is `document.schema.json` in this package. Used by `conduit.sources`, which
produces documents, by the command line and by applications.

Names are imported on first access, so reading a document loads no graph code.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` would slow the start of every command; type checkers know this name
if TYPE_CHECKING:
    from typing import Any

    from conduit.metadata.codec import DEFAULT_LIMITS, Limits, decode, encode, read_document
    from conduit.metadata.dependencies import Cycle, Depth
    from conduit.metadata.impact import Effect, Impact, Link
    from conduit.metadata.loaded_document import CacheStats, LoadedDocument
    from conduit.metadata.patterns import PatternOptions, extract_patterns
    from conduit.metadata.registry import Registry, get_registry, load, register, unregister
    from conduit.metadata.schema import (
        ComputedField,
        Constraint,
        DependencyEdge,
        DependencyGraph,
        DependencyNode,
        Field,
        FieldDetails,
        FieldReference,
        FrozenDict,
        Hook,
        Index,
        Metadata,
        Mount,
        Parameter,
        Pattern,
        PatternExample,
        Relationship,
        RelationshipDetails,
        RelationshipReference,
        Resource,
        ResourceDetails,
        Response,
        Route,
        RouteDetails,
        Scope,
        Source,
        SourceError,
        Step,
        Task,
        Validation,
    )
    from conduit.metadata.warnings import DocumentWarning

_HOME_OF_NAME = {
    "ComputedField": "schema",
    "Constraint": "schema",
    "DependencyEdge": "schema",
    "DependencyGraph": "schema",
    "DependencyNode": "schema",
    "Field": "schema",
    "FieldDetails": "schema",
    "FrozenDict": "schema",
    "Hook": "schema",
    "Index": "schema",
    "Metadata": "schema",
    "Mount": "schema",
    "Parameter": "schema",
    "Pattern": "schema",
    "PatternExample": "schema",
    "Relationship": "schema",
    "RelationshipDetails": "schema",
    "Resource": "schema",
    "Response": "schema",
    "ResourceDetails": "schema",
    "Route": "schema",
    "RouteDetails": "schema",
    "Scope": "schema",
    "Source": "schema",
    "SourceError": "schema",
    "Step": "schema",
    "Task": "schema",
    "Validation": "schema",
    "DEFAULT_LIMITS": "codec",
    "Limits": "codec",
    "decode": "codec",
    "encode": "codec",
    "read_document": "codec",
    "CacheStats": "loaded_document",
    "FieldReference": "loaded_document",
    "Registry": "registry",
    "RelationshipReference": "loaded_document",
    "LoadedDocument": "loaded_document",
    "get_registry": "registry",
    "load": "registry",
    "register": "registry",
    "unregister": "registry",
    "Cycle": "dependencies",
    "Depth": "dependencies",
    "Effect": "impact",
    "Impact": "impact",
    "Link": "impact",
    "PatternOptions": "patterns",
    "extract_patterns": "patterns",
    "DocumentWarning": "warnings",
}

# Spelled out for type checkers, which take nothing else as what the package exports.
__all__ = [
    "DEFAULT_LIMITS",
    "CacheStats",
    "ComputedField",
    "Constraint",
    "Cycle",
    "DependencyEdge",
    "DependencyGraph",
    "DependencyNode",
    "Depth",
    "DocumentWarning",
    "Effect",
    "Field",
    "FieldDetails",
    "FieldReference",
    "FrozenDict",
    "Hook",
    "Impact",
    "Index",
    "Limits",
    "Link",
    "LoadedDocument",
    "Metadata",
    "Mount",
    "Parameter",
    "Pattern",
    "PatternExample",
    "PatternOptions",
    "Registry",
    "Relationship",
    "RelationshipDetails",
    "RelationshipReference",
    "Resource",
    "ResourceDetails",
    "Response",
    "Route",
    "RouteDetails",
    "Scope",
    "Source",
    "SourceError",
    "Step",
    "Task",
    "Validation",
    "decode",
    "encode",
    "extract_patterns",
    "get_registry",
    "load",
    "read_document",
    "register",
    "unregister",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF_NAME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
