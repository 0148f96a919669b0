"""WHAT THE APP IS: its resources, routes and patterns, who leans on whom, and the answers to questions about them.

The document is the JSON format of the Go framework's `runtime/metadata` package, key for key; keys of our own come
after the original's and are left out when empty, so that either reader accepts what the other writes. `schema` holds
the records, `codec` turns records into bytes and back and tells bad input apart, `registry` loads a document once and
answers from the indexes of its `snapshot`, `dependencies` walks the graph of who needs whom, `impact` follows deletions
through it, `patterns` finds what an application does again and again, `warnings` says what is doubtful about a document.
The JSON Schema for other programs is `document.schema.json`, beside this file. Used by `conduit.sources` (which makes
documents), by the command line and by applications.

Every name below is imported when it is first asked for: whoever only reads a document loads no graph code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from conduit.metadata.codec import DEFAULT_LIMITS, Limits, decode, encode, read_document
    from conduit.metadata.dependencies import Cycle, Depth
    from conduit.metadata.impact import Effect, Impact, Link
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
        Resource,
        ResourceDetails,
        Response,
        Route,
        RouteDetails,
        Scope,
        Source,
        SourceError,
        Step,
        Validation,
    )
    from conduit.metadata.snapshot import CacheStats, FieldReference, RelationshipReference, Snapshot
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
    "Validation": "schema",
    "DEFAULT_LIMITS": "codec",
    "Limits": "codec",
    "decode": "codec",
    "encode": "codec",
    "read_document": "codec",
    "CacheStats": "snapshot",
    "FieldReference": "snapshot",
    "Registry": "registry",
    "RelationshipReference": "snapshot",
    "Snapshot": "snapshot",
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
    "Snapshot",
    "Source",
    "SourceError",
    "Step",
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
