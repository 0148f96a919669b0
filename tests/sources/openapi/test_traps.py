"""What real documents do beyond the plain case, one trap a test."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from conduit.metadata.schema import Field, Metadata, Relationship, Resource, Route
from conduit.sources.openapi import OpenAPIError, parse_openapi


def read(schemas: dict[str, Any] | None = None, version: str = "3.1.0", **root: Any) -> Metadata:
    document = {"openapi": version, "info": {"title": "T", "version": "1"}, **root}
    if schemas is not None:
        document.setdefault("components", {})["schemas"] = schemas
    return parse_openapi(json.dumps(document).encode(), "api.json")


def fields_of(properties: dict[str, Any], **schema: Any) -> dict[str, Field]:
    (resource, *_) = read({"A": {"type": "object", "properties": properties, **schema}, "B": {}}).resources
    return {field.name: field for field in resource.fields}


def relations_of(schema: dict[str, Any], **others: Any) -> list[tuple[str, str, str]]:
    metadata = read({"A": schema, "B": {}, "C": {}, **others})
    return [(one.name, one.type, one.target_resource) for one in metadata.resources[0].relationships]


def only_route(operation: dict[str, Any], **root: Any) -> Route:
    (route,) = read(paths={"/x/{id}": {"get": operation}}, **root).routes
    return route


def reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def test_a_byte_order_mark_is_no_part_of_the_document() -> None:
    data = b"\xef\xbb\xbf" + json.dumps({"openapi": "3.0.0", "paths": {"/": {"get": {}}}}).encode()
    assert len(parse_openapi(data, "api.json").routes) == 1


@pytest.mark.parametrize(
    ("schema", "type_", "nullable"),
    [
        ({"type": "string", "nullable": True}, "string", True),
        ({"type": ["string", "null"]}, "string", True),
        ({"type": ["string", "integer"]}, "string | integer", False),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string", True),
        ({"oneOf": [reference("B"), {"type": "null"}]}, "B", True),
        ({"allOf": [reference("B")], "nullable": True}, "B", True),
        (reference("B"), "B", False),
        ({"type": "array", "items": reference("B")}, "[]B", False),
        ({"type": "array", "items": {"type": ["string", "null"]}}, "[]string", False),
        (
            {"type": "array", "items": {"oneOf": [reference("B"), {"type": "string"}]}},
            "[](B | string)",
            False,
        ),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "map[string]integer", False),
        ({"enum": ["a", 1, None]}, "string | number", False),
        ({"const": True}, "boolean", False),
        ({"type": "null"}, "null", True),
        ({}, "any", False),
        (True, "any", False),
        (False, "never", False),
        ({"items": {"type": "string"}}, "[]string", False),
        ({"properties": {"x": {}}}, "object", False),
    ],
)
def test_the_type_of_a_field_is_what_its_schema_says(schema: Any, type_: str, nullable: bool) -> None:
    field = fields_of({"f": schema})["f"]
    assert (field.type, field.nullable) == (type_, nullable)


def test_null_behind_a_reference_counts_and_a_circle_of_references_ends() -> None:
    schemas = {
        "A": {"properties": {"x": reference("N"), "y": reference("L")}},
        "N": {"type": "string", "nullable": True},
        "L": {"anyOf": [reference("L"), reference("M")]},
        "M": {"anyOf": [reference("L")]},
    }
    x, y = read(schemas).resources[0].fields
    assert (x.nullable, y.nullable) == (True, False)


def test_constraints_are_written_in_a_fixed_order_and_words_of_the_format() -> None:
    schema = {
        "maxLength": 9,
        "minLength": 1,
        "pattern": "^a$",
        "format": "email",
        "enum": ["a", "b"],
        "type": "string",
        "readOnly": True,
        "minimum": 0,
        "exclusiveMinimum": True,
    }
    field = fields_of({"f": schema})["f"]
    assert field.constraints == (
        "@format(email)",
        "@min(0)",
        "@min_length(1)",
        "@max_length(9)",
        "@pattern(^a$)",
        "@exclusive_min",
        "@enum(a, b)",
        "@read_only",
    )
    assert field.details is not None
    assert (field.details.format, field.details.read_only, field.details.choices) == (
        "email",
        True,
        ("a", "b"),
    )


@pytest.mark.parametrize(
    ("default", "text"), [("draft", '"draft"'), ("", '""'), (0, "0"), (None, "null"), ([1, "a"], '[1, "a"]')]
)
def test_a_default_is_json_text_so_that_an_empty_one_is_still_one(default: Any, text: str) -> None:
    assert fields_of({"f": {"default": default}})["f"].default_value == text


def test_members_of_all_of_are_the_schemas_own_and_references_in_it_are_what_it_inherits() -> None:
    metadata = read(
        {
            "Dog": {
                "allOf": [
                    reference("Pet"),
                    {"properties": {"bark": {"type": "boolean"}}, "required": ["bark", "id"]},
                ]
            },
            "Pet": {"properties": {"id": {"type": "integer"}}},
        }
    )
    dog = metadata.resources[0]
    assert [(field.name, field.required) for field in dog.fields] == [("bark", True)]
    assert [(one.field, one.type) for one in dog.validations] == [("id", "required")]
    assert dog.relationships == (Relationship(name="Pet", type="inherits", target_resource="Pet"),)


def test_relationships_say_whether_there_is_one_or_many_or_a_choice() -> None:
    properties = {
        "one": reference("B"),
        "described": {"allOf": [reference("B")], "description": "the old way to describe a reference"},
        "many": {"type": "array", "items": reference("B")},
        "map": {"additionalProperties": reference("C")},
        "choice": {"oneOf": [reference("B"), reference("C")]},
        "maybe": {"anyOf": [reference("B"), {"type": "null"}]},
        "deep": {
            "properties": {"inner": {"type": "array", "items": {"properties": {"leaf": reference("C")}}}}
        },
    }
    assert relations_of({"properties": properties}) == [
        ("one", "belongs_to", "B"),
        ("described", "belongs_to", "B"),
        ("many", "has_many", "B"),
        ("map", "has_many", "C"),
        ("choice", "union", "B"),
        ("choice", "union", "C"),
        ("maybe", "belongs_to", "B"),
        ("deep.inner.leaf", "has_many", "C"),
    ]


def test_a_named_list_map_or_choice_refers_to_what_it_holds() -> None:
    assert relations_of({"type": "array", "items": reference("B")}) == [("items", "has_many", "B")]
    assert relations_of({"additionalProperties": reference("B")}) == [("values", "has_many", "B")]
    assert relations_of({"oneOf": [reference("B"), {"properties": {"c": reference("C")}}]}) == [
        ("B", "union", "B"),
        ("c", "belongs_to", "C"),
    ]
    assert relations_of(reference("B")) == [("B", "inherits", "B")]


def test_a_schema_may_refer_to_itself_and_to_one_that_refers_back() -> None:
    assert relations_of(
        {"properties": {"parent": reference("A"), "d": reference("D")}}, D=reference("A")
    ) == [
        ("parent", "belongs_to", "A"),
        ("d", "belongs_to", "D"),
    ]


def test_a_reference_into_paths_is_followed_to_the_schemas_behind_it() -> None:
    answer = {
        "200": {"content": {"application/json": {"schema": {"type": "array", "items": reference("B")}}}}
    }
    pointer = "#/paths/~1list%20all/get/responses/200/content/application~1json/schema"
    metadata = read(
        {"A": {"properties": {"x": {"$ref": pointer}}}, "B": {}},
        paths={"/list all": {"get": {"responses": answer}}},
    )
    (field,), (relation,) = metadata.resources[0].fields, metadata.resources[0].relationships
    assert field.type == "[]B"
    assert (relation.type, relation.target_resource) == ("has_many", "B")
    assert metadata.errors == ()


def test_a_reference_inside_a_schema_that_leads_around_in_a_circle_ends() -> None:
    properties = {
        "x": {"anyOf": [{"$ref": "#/components/schemas/A/properties/y"}, reference("B")]},
        "y": {"$ref": "#/components/schemas/A/properties/x"},
    }
    assert {target for _, _, target in relations_of({"properties": properties})} == {"B"}


def test_a_reference_out_of_the_document_is_a_warning_with_its_place_and_the_rest_is_kept() -> None:
    metadata = read({"A": {"properties": {"x": {"$ref": "other.yaml#/X"}, "y": reference("B")}}, "B": {}})
    assert [field.type for field in metadata.resources[0].fields] == ["other.yaml#/X", "B"]
    assert [one.target_resource for one in metadata.resources[0].relationships] == ["B"]
    (error,) = metadata.errors
    assert error.location == "#/components/schemas/A/properties/x"
    assert "'other.yaml#/X' leads out of this document" in error.message


def test_a_reference_by_the_documents_own_file_name_stays_inside() -> None:
    metadata = read({"A": {"properties": {"x": {"$ref": "./api.json#/components/schemas/B"}}}, "B": {}})
    assert metadata.resources[0].relationships[0].target_resource == "B"
    assert metadata.errors == ()


def test_a_reference_to_nothing_is_a_warning() -> None:
    metadata = read({"A": {"properties": {"x": reference("Gone")}}})
    assert metadata.resources[0].relationships == ()
    assert [error.message for error in metadata.errors] == [
        "the reference '#/components/schemas/Gone' leads nowhere"
    ]


def test_a_schema_that_no_operation_reaches_is_a_resource_too() -> None:
    assert [resource.name for resource in read({"Lonely": {}}, paths={}).resources] == ["Lonely"]


def test_a_property_called_like_a_keyword_is_a_property() -> None:
    fields = fields_of(
        {"$ref": {"type": "string"}, "properties": {"type": "integer"}, "type": {"type": "string"}}
    )
    assert [(field.name, field.type) for field in fields.values()] == [
        ("$ref", "string"),
        ("properties", "integer"),
        ("type", "string"),
    ]


@pytest.mark.parametrize(
    ("own", "middleware"),
    [
        ({}, ("key",)),
        ({"security": []}, ()),
        ({"security": [{}]}, ()),
        ({"security": [{"oauth": ["read", "write"], "key": []}]}, ("oauth(read, write)", "key")),
        ({"security": [{"oauth": []}, {"key": []}]}, ("oauth or key",)),
        ({"security": [{"oauth": ["read"], "key": []}, {}]}, ("oauth(read) and key or none",)),
    ],
)
def test_an_operations_security_takes_the_place_of_the_documents(
    own: dict[str, Any], middleware: tuple[str]
) -> None:
    components = {"securitySchemes": {"key": {}, "oauth": {}}}
    assert only_route(own, components=components, security=[{"key": []}]).middleware == middleware


def test_parameters_of_the_path_hold_for_its_operations_unless_these_replace_them() -> None:
    path = {
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
            {"$ref": "#/components/parameters/page"},
        ],
        "get": {
            "parameters": [{"name": "page", "in": "query", "schema": {"type": "string", "default": "1"}}]
        },
    }
    components = {"parameters": {"page": {"name": "page", "in": "query", "schema": {"type": "integer"}}}}
    (route,) = read(paths={"/x/{id}": path}, components=components).routes
    assert route.details is not None
    shown = [
        (one.name, one.location, one.type, one.required, one.default_value)
        for one in route.details.parameters
    ]
    assert shown == [("id", "path", "integer", True, ""), ("page", "query", "string", False, '"1"')]


def test_a_path_item_may_be_a_reference() -> None:
    root = {
        "paths": {"/x": {"$ref": "#/components/pathItems/x"}},
        "components": {"pathItems": {"x": {"put": {}}}},
    }
    assert [(route.method, route.path) for route in read(**root).routes] == [("PUT", "/x")]


def test_webhooks_are_routes_that_say_so() -> None:
    (route,) = read(webhooks={"newOrder": {"post": {}}}).routes
    assert (route.method, route.path) == ("POST", "newOrder")
    assert route.details is not None
    assert route.details.kind == "webhook"


def test_operations_without_an_id_are_told_apart_by_method_and_path() -> None:
    routes = read(paths={"/a": {"get": {}, "put": {}}, "/b": {"get": {"operationId": "listB"}}}).routes
    assert [route.operation for route in routes] == ["GET /a", "PUT /a", "listB"]


@pytest.mark.parametrize(
    ("schema", "resource"),
    [
        (reference("B"), "B"),
        ({"type": "array", "items": reference("B")}, "B"),
        (reference("Bs"), "B"),
        ({"properties": {"data": {"items": reference("B")}, "total": {"type": "integer"}}}, "B"),
        ({"allOf": [{"properties": {"data": {"items": reference("B")}}}, reference("Paging")]}, "B"),
        ({"properties": {"b": reference("B"), "p": reference("Paging")}}, ""),
        ({"type": "string"}, ""),
    ],
)
def test_a_route_is_about_the_one_resource_that_it_answers_with(
    schema: dict[str, Any], resource: str
) -> None:
    operation = {
        "responses": {"404": {"content": {}}, "200": {"content": {"application/json": {"schema": schema}}}}
    }
    components = {"schemas": {"B": {}, "Paging": {}, "Bs": {"type": "array", "items": reference("B")}}}
    route = only_route(operation, components=components)
    assert route.resource == resource
    assert route.details is not None
    assert route.details.inferred == (("resource",) if resource else ())


def test_a_deletion_without_bodies_is_about_what_get_on_the_same_path_answers_with() -> None:
    answer = {"responses": {"200": {"content": {"application/json": {"schema": reference("A")}}}}}
    gone = {"responses": {"204": {"description": "gone"}}}
    routes = read(
        {"A": {}}, paths={"/a/{id}": {"delete": gone, "get": answer}, "/b": {"delete": gone}}
    ).routes
    assert [(route.method, route.resource) for route in routes] == [
        ("DELETE", "A"),
        ("GET", "A"),
        ("DELETE", ""),
    ]


def test_the_chain_of_a_route_is_also_its_resources_under_the_operation() -> None:
    body = {"content": {"application/json": {"schema": reference("A")}}}
    metadata = read(
        {"A": {}},
        paths={"/a": {"post": {"operationId": "make", "requestBody": body, "security": [{"key": []}]}}},
    )
    assert metadata.resources[0].middleware == {"make": ("key",)}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\xff\xfe{\x00", "is not UTF-8: byte 0xff at offset 0"),
        (b'{"openapi": ', "is not JSON: Expecting value at line 1, column 13"),
        (b'{"openapi": "3.0.0", "x": NaN}', "is not JSON: NaN is no JSON value"),
        (b"[1]", "expected an OpenAPI document .an object., found array"),
        (b"null", "is not JSON|found null"),
        (b'{"swagger": "2.0"}', "is Swagger 2.0; expected OpenAPI 3.0 to 3.2"),
        (b'{"paths": {}}', "has no key 'openapi'"),
        (b'{"openapi": "4.0.0"}', "is OpenAPI 4.0.0; expected 3.0 to 3.2"),
        (b'{"openapi": "3.0.0", "info": {"title": "\\ud800"}}', "half a surrogate pair"),
        (b'{"openapi": "3.0.0", "x": ' + b"9" * 5000 + b"}", "is not readable"),
        (b'{"openapi": "3.0.0", "x": ' + b"[" * 200_000, "is nested too deeply"),
    ],
)
def test_bad_input_is_refused_with_what_was_found(data: bytes, message: str) -> None:
    with pytest.raises(OpenAPIError, match=rf"api\.json: .*({message})"):
        parse_openapi(data, "api.json")


def test_a_schema_nested_beyond_all_measure_is_refused_and_not_a_crash() -> None:
    depth = 900
    text = '{"properties": {"a": ' * depth + "{}" + "}}" * depth
    data = f'{{"openapi": "3.1.0", "components": {{"schemas": {{"A": {text}}}}}}}'.encode()
    try:
        parse_openapi(data, "api.json")
    except OpenAPIError as error:
        assert "nested too deeply" in str(error)


def test_choices_that_refer_to_each_other_many_times_take_no_time() -> None:
    properties = {
        f"p{i}": {"anyOf": [{"$ref": f"#/components/schemas/A/properties/p{j}"} for j in range(12)]}
        for i in range(12)
    }
    assert len(fields_of(properties)) == 12


@pytest.mark.parametrize(
    ("root", "location"),
    [
        ({"paths": []}, "#/paths"),
        ({"paths": {"/a": 3}}, "#/paths/~1a"),
        ({"paths": {"/a": {"get": "x"}}}, "#/paths/~1a/get"),
        ({"paths": {"/a": {"get": {"security": "all"}}}}, "#/paths/~1a/get"),
        ({"components": {"schemas": {"A": 7}}}, "#/components/schemas/A"),
        ({"components": {"schemas": {"A": {"properties": 7}}}}, "#/components/schemas/A/properties"),
        ({"components": {"schemas": {"": {}}}}, "#/components/schemas/"),
        ({"components": {"schemas": []}}, "#/components/schemas"),
    ],
)
def test_a_part_of_the_wrong_form_is_a_warning_with_its_place(root: dict[str, Any], location: str) -> None:
    assert location in [error.location for error in read(**root).errors]


def test_a_repeated_key_is_a_warning_and_the_last_one_counts() -> None:
    metadata = parse_openapi(
        b'{"openapi": "3.0.0", "paths": {"/a": {"get": {}}, "/a": {"put": {}}}}', "api.json"
    )
    assert [route.method for route in metadata.routes] == ["PUT"]
    assert "'/a' is given twice" in metadata.errors[0].message


# --- YAML -----------------------------------------------------------------------------------------------


def read_yaml(text: str) -> Resource:
    body = "openapi: 3.1.0\ncomponents:\n  schemas:\n    A:\n" + "".join(
        f"      {line}\n" for line in text.splitlines()
    )
    return parse_openapi(body.encode(), "api.yaml").resources[0]


def test_yaml_has_json_types_only() -> None:
    resource = read_yaml(
        "properties:\n  no: {default: no}\n  day: {default: 2020-01-01}\n  200: {default: 010}\n  x: {default: 1e3}\n"
        "  n: {default: ~}\n  b: {default: true}"
    )
    assert [(field.name, field.default_value) for field in resource.fields] == [
        ("no", '"no"'),
        ("day", '"2020-01-01"'),
        ("200", "10"),
        ("x", "1000.0"),
        ("n", "null"),
        ("b", "true"),
    ]


def test_yaml_anchors_and_merge_keys_are_written_out() -> None:
    resource = read_yaml(
        "properties:\n  a: &a {type: string, maxLength: 3}\n  b: {<<: *a, default: x}\n  c: *a"
    )
    assert [(field.type, field.constraints) for field in resource.fields] == [
        ("string", ("@max_length(3)",))
    ] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("openapi: [", "is not YAML: .* at line 2, column 1"),
        ("openapi: 3.0.0\n? [a, b]\n: c", "a key must be a scalar at line 2, column 3"),
        ("openapi: 3.0.0\nx: &x\n  y: *x", "is not YAML|contains itself"),
        ("openapi: 3.0.0\nx: !!python/object:os.system {}", "is not YAML"),
        ("just text", "expected an OpenAPI document .an object., found string"),
        ("openapi: 3.0.0\na: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(9)
        ), "values when its aliases are written out"),
    ],
)  # fmt: skip
def test_bad_yaml_is_refused_with_what_was_found(text: str, message: str) -> None:
    with pytest.raises(OpenAPIError, match=rf"(?s)api\.yaml: .*({message})"):
        parse_openapi(text.encode(), "api.yaml")


def test_json_in_a_file_called_yaml_needs_no_yaml_reader() -> None:
    assert len(parse_openapi(b'{"openapi": "3.0.0", "paths": {"/a": {"get": {}}}}', "api.yaml").routes) == 1
    assert parse_openapi(b"{openapi: 3.0.0, paths: {/a: {get: {}}}}", "api.yaml").routes[0].path == "/a"


def test_yaml_without_pyyaml_names_the_extra_and_exits_with_1() -> None:
    code = (
        "import sys; sys.modules['yaml'] = None\n"
        "from conduit.cli import main\n"
        "raise SystemExit(main(['collect', '--openapi', 'tests/golden/openapi/scalar-galaxy.yaml', '-o', '-']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "needs PyYAML: install it with `pip install PyYAML`" in done.stderr
