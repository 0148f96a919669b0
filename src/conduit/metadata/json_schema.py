"""The JSON Schema of a metadata document, generated from the records.

It describes what the reader accepts: keys may be missing or `null`, which mean the empty value of their type, and
unknown keys are allowed; only a resource's name is required. It ships with the package as `document.schema.json`,
for editors and programs in other languages; a test compares the two. `python -m conduit.metadata.json_schema`
prints it.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec import inspect

from conduit.metadata.schema import Metadata, Resource

_SCALARS: dict[type, str] = {
    inspect.StrType: "string",
    inspect.IntType: "integer",
    inspect.BoolType: "boolean",
    inspect.FloatType: "number",
}

_RFC_3339 = r"^\d{4}-\d\d-\d\dT\d\d?:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)$"


def document_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12), with keys in the order of encoded documents."""
    definitions: dict[str, Any] = {}
    root = inspect.type_info(Metadata)
    assert isinstance(root, inspect.StructType)
    _define(root, definitions)
    document = definitions.pop("Metadata")
    document["properties"]["generated"]["pattern"] = _RFC_3339
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:conduit:metadata:1.0",
        "title": "Metadata of an application",
        **document,
        "$defs": dict(sorted(definitions.items())),
    }


def _define(record: inspect.StructType, definitions: dict[str, Any]) -> None:
    name = record.cls.__name__
    if name in definitions:
        return
    definitions[name] = definition = {
        "type": "object",
        "description": (record.cls.__doc__ or "").strip(),
        "properties": {},
    }
    for field in record.fields:
        definition["properties"][field.encode_name] = _schema_of(field.type, definitions)  # type: ignore[index]
    if record.cls is Resource:
        definition["required"] = ["name"]
        definition["properties"]["name"] = {"type": "string", "minLength": 1}  # type: ignore[index]


def _schema_of(kind: inspect.Type, definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(kind, inspect.UnionType):  # always with null
        return _schema_of(
            next(each for each in kind.types if not isinstance(each, inspect.NoneType)), definitions
        )
    if isinstance(kind, inspect.StructType):
        _define(kind, definitions)
        reference = {"$ref": f"#/$defs/{kind.cls.__name__}"}
        return reference if kind.cls is Resource else {"anyOf": [reference, {"type": "null"}]}
    if isinstance(kind, inspect.VarTupleType):
        return {"type": ["array", "null"], "items": _schema_of(kind.item_type, definitions)}
    if isinstance(kind, inspect.DictType):
        return {"type": ["object", "null"], "additionalProperties": _schema_of(kind.value_type, definitions)}
    schema: dict[str, Any] = {"type": [_SCALARS[type(kind)], "null"]}
    if isinstance(kind, inspect.IntType):
        schema |= {"minimum": -(2**63), "maximum": 2**63 - 1}
    return schema


if __name__ == "__main__":
    print(json.dumps(document_schema(), indent=2, ensure_ascii=False))
