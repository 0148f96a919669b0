"""Documents that nobody wrote: whatever stands in them, they are read or refused, and the result is a whole document."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from conduit.metadata.codec import decode, encode
from conduit.sources.openapi import OpenAPIError, parse_openapi

NAMES = st.sampled_from(["A", "B", "C", "a/b", "a~b", "with blank", "$ref", "ü"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
REFERENCES = st.sampled_from(
    [
        f"#/components/schemas/{name}"
        for name in ("A", "B", "C", "Gone", "a~1b", "A/properties/B", "A/allOf/0")
    ]
    + [
        "#",
        "#/",
        "#/paths",
        "#anchor",
        "other.json#/X",
        "",
        "api.json#/components/schemas/A",
        "#/%",
        "#/components/x",
    ]
)
TYPES = st.sampled_from(["string", "integer", "array", "object", "null", "file", ""])


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "$ref": REFERENCES,
            "type": TYPES | st.lists(TYPES, max_size=3) | SCALARS,
            "properties": st.dictionaries(NAMES, inner, max_size=3) | SCALARS,
            "items": inner,
            "additionalProperties": inner,
            "allOf": several | SCALARS,
            "oneOf": several,
            "anyOf": several,
            "required": st.lists(NAMES | SCALARS, max_size=3) | SCALARS,
            "enum": st.lists(SCALARS, max_size=3) | SCALARS,
            "default": SCALARS,
            "nullable": SCALARS,
            "minimum": SCALARS,
            "format": SCALARS,
            "description": SCALARS,
        },
    )


SCHEMAS = st.recursive(SCALARS | schemas(st.booleans()), schemas, max_leaves=12)
CONTENTS = st.dictionaries(
    st.sampled_from(["application/json", "text/plain"]),
    st.fixed_dictionaries({}, optional={"schema": SCHEMAS}) | SCALARS,
    max_size=2,
)
BODIES = st.fixed_dictionaries({}, optional={"content": CONTENTS | SCALARS, "$ref": REFERENCES}) | SCALARS
PARAMETERS = st.lists(
    st.fixed_dictionaries(
        {}, optional={"name": SCALARS, "in": SCALARS, "schema": SCHEMAS, "$ref": REFERENCES}
    )
    | SCALARS,
    max_size=2,
)
SECURITY = (
    st.lists(st.dictionaries(NAMES, st.lists(SCALARS, max_size=2) | SCALARS, max_size=2), max_size=3)
    | SCALARS
)
OPERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "operationId": SCALARS,
        "security": SECURITY,
        "requestBody": BODIES,
        "responses": st.dictionaries(st.sampled_from(["200", "default", "x-y"]), BODIES, max_size=2)
        | SCALARS,
        "parameters": PARAMETERS | SCALARS,
        "tags": st.lists(SCALARS, max_size=2) | SCALARS,
    },
)
ITEMS = (
    st.dictionaries(st.sampled_from(["get", "post", "summary", "x-a"]), OPERATIONS | SCALARS, max_size=2)
    | st.fixed_dictionaries({"$ref": REFERENCES})
    | SCALARS
)
PATHS = st.dictionaries(st.sampled_from(["/a", "/a/{b}", "", "x-a"]), ITEMS, max_size=3) | SCALARS
DOCUMENTS = st.fixed_dictionaries(
    {"openapi": st.sampled_from(["3.0.0", "3.1.0", "3.2.0"]) | SCALARS},
    optional={
        "info": st.fixed_dictionaries({}, optional={"title": SCALARS}) | SCALARS,
        "security": SECURITY,
        "paths": PATHS,
        "webhooks": PATHS,
        "components": st.fixed_dictionaries(
            {}, optional={"schemas": st.dictionaries(NAMES, SCHEMAS, max_size=4)}
        )
        | SCALARS,
    },
)


@given(DOCUMENTS)
def test_any_document_is_read_or_refused_and_what_is_read_is_a_whole_document(
    document: dict[str, Any],
) -> None:
    data = json.dumps(document).encode()
    try:
        metadata = parse_openapi(data, "api.json")
    except OpenAPIError:
        return
    written = encode(metadata)
    assert decode(written, strict=True) == metadata
    assert written == encode(parse_openapi(data, "api.json"))


@given(DOCUMENTS.filter(lambda document: str(document["openapi"]).startswith("3.")))
def test_every_relationship_of_any_document_has_its_resource(document: dict[str, Any]) -> None:
    metadata = parse_openapi(json.dumps(document).encode(), "api.json")
    names = {resource.name for resource in metadata.resources}
    assert {one.target_resource for each in metadata.resources for one in each.relationships} <= names
    assert {route.resource for route in metadata.routes} <= names | {""}


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_refused_in_words(data: bytes) -> None:
    for name in ("api.json", "api.yaml"):
        try:
            parse_openapi(data, name)
        except OpenAPIError as error:
            assert str(error).startswith(name)
