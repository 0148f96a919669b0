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


def test_conditions_of_the_whole_schema_are_alternatives_of_it() -> None:
    def named(name: str) -> dict[str, str]:
        return {"$ref": f"#/components/schemas/{name}"}

    base = {"if": named("A"), "then": named("B"), "else": {"properties": {"other": named("C")}}}
    schemas = {
        "Base": {**base, "dependentSchemas": {"card": named("D")}, "unevaluatedProperties": named("E")},
        "Tree": {"allOf": [{"$dynamicRef": "#node"}]},
        **{name: {"type": "object"} for name in "ABCDE"},
        "Node": {"$dynamicAnchor": "node", "type": "object"},
    }
    found = {r.name: r for r in read(components={"schemas": schemas}).resources}
    edges = [(r.name, r.type, r.target_resource) for r in found["Base"].relationships]
    assert edges[:3] == [("A", "union", "A"), ("B", "union", "B"), ("D", "union", "D")]
    assert sorted(edges[3:]) == [("other", "belongs_to", "C"), ("values", "has_many", "E")]
    assert [(r.type, r.target_resource) for r in found["Tree"].relationships] == [("inherits", "Node")]


def test_the_type_of_a_field_is_the_schema_behind_its_dynamic_reference() -> None:
    field = {"type": "array", "items": {"$dynamicRef": "#node"}}
    schemas = {"Node": {"$dynamicAnchor": "node", "type": "object", "properties": {"children": field}}}
    assert read(components={"schemas": schemas}).resources[0].fields[0].type == "[]Node"


def test_bodies_of_3_2_are_read_streams_of_items_and_shared_media_types() -> None:
    schemas = {"A": {"type": "object"}, "B": {"type": "object"}}
    media = {"Shared": {"schema": {"$ref": "#/components/schemas/A"}}}
    stream = {"application/jsonl": {"itemSchema": {"$ref": "#/components/schemas/B"}}}
    shared = {"application/json": {"$ref": "#/components/mediaTypes/Shared"}}
    responses = {"200": {"summary": "the lines", "content": stream}}
    item = {"query": {"requestBody": {"content": shared}, "responses": responses}}
    found = read(paths={"/a": item}, components={"schemas": schemas, "mediaTypes": media})
    (route,) = found.routes
    assert (route.request_body, route.response_body, found.errors) == ("A", "[]B", ())
    assert route.details is not None
    assert route.details.responses[0].documentation == "the lines"
