"""What 3.1 and 3.2 added: methods of one's own, callbacks, dynamic references, conditional schemas."""

from __future__ import annotations

import json
from typing import Any

from conduit.metadata.schema import Metadata
from conduit.sources.openapi import parse_openapi


def read(version: str = "3.2.0", **root: Any) -> Metadata:
    return parse_openapi(json.dumps({"openapi": version, "info": {}, "paths": {}, **root}).encode(), "a.json")


def test_query_and_additional_operations_are_routes_without_a_warning() -> None:
    item = {"query": {"operationId": "search"}, "additionalOperations": {"COPY": {"operationId": "copy"}}}
    found = read(paths={"/a": item})
    assert [(r.method, r.path, r.handler) for r in found.routes] == [
        ("QUERY", "/a", "search"),
        ("COPY", "/a", "copy"),
    ]
    assert found.errors == ()


def test_a_version_after_the_newest_known_is_read_as_that_with_a_warning() -> None:
    assert [e.message for e in read("3.3.0").errors] == ["version 3.3.0 is newer than 3.2 and is read as 3.2"]


def test_callbacks_are_routes_of_their_own_kind() -> None:
    callback = {"{$request.body#/url}": {"post": {"operationId": "notify"}}}
    found = read(paths={"/a": {"post": {"operationId": "order", "callbacks": {"paid": callback}}}})
    assert [(r.method, r.path, r.handler, r.details.kind if r.details else "") for r in found.routes] == [
        ("POST", "/a", "order", ""),
        ("POST", "{$request.body#/url}", "notify", "callback"),
    ]


def test_a_repeated_operation_id_is_a_warning_that_names_both() -> None:
    found = read(paths={"/a": {"get": {"operationId": "x"}}, "/b": {"get": {"operationId": "x"}}})
    assert [(e.location, e.message) for e in found.errors] == [
        ("#/paths/~1b/get/operationId", "'x' is also the operationId of #/paths/~1a/get")
    ]


def test_dynamic_references_and_conditional_schemas_give_their_relationships() -> None:
    schemas = {
        "Node": {"$dynamicAnchor": "node", "type": "object"},
        "A": {"type": "object", "properties": {"one": {"$dynamicRef": "#node"}}},
        "B": {
            "type": "object",
            "properties": {
                "two": {
                    "if": {"$ref": "#/components/schemas/A"},
                    "then": {"$ref": "#/components/schemas/Node"},
                    "else": {"$ref": "#/components/schemas/C"},
                }
            },
        },
        "C": {"type": "object"},
    }
    found = {r.name: r for r in read(components={"schemas": schemas}).resources}
    assert [(r.name, r.target_resource) for r in found["A"].relationships] == [("one", "Node")]
    assert {(r.name, r.target_resource) for r in found["B"].relationships} == {
        ("two", "A"),
        ("two", "Node"),
        ("two", "C"),
    }
