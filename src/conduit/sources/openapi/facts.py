"""Facts of a single JSON Schema about a value: its type, whether null is allowed, its default and its constraints.

All of them are stated by the document and written in the terms of the metadata format: types as `string`, `[]Planet`,
`map[string]integer`, `string | integer`; constraints as `@min(5)`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conduit.sources.openapi.document import json_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.sources.openapi.document import OpenAPIDocument

_ALTERNATIVES = ("oneOf", "anyOf")
MAX_TYPE_DEPTH = 8
"""How deep a type is written out; below it stands the bare `object` or `any`."""

# JSON Schema's keyword → the constraint's name here. The values follow in parentheses.
_VALUED = {
    "format": "format",
    "minimum": "min",
    "maximum": "max",
    "exclusiveMinimum": "exclusive_min",
    "exclusiveMaximum": "exclusive_max",
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "minItems": "min_items",
    "maxItems": "max_items",
    "minProperties": "min_properties",
    "maxProperties": "max_properties",
}
_FLAGS = {
    "uniqueItems": "unique_items",
    "readOnly": "read_only",
    "writeOnly": "write_only",
    "deprecated": "deprecated",
}


def members(schema: Any, keyword: str) -> list[Any]:
    """Return the list under a keyword; empty if it is missing or not a list."""
    found = schema.get(keyword) if isinstance(schema, dict) else None
    return found if isinstance(found, list) else []


def alternatives(schema: dict[str, Any]) -> list[Any]:
    """Return the members of `oneOf` and `anyOf` that are not null only."""
    return [one for keyword in _ALTERNATIVES for one in members(schema, keyword) if not is_null(one)]


def is_null(schema: Any) -> bool:
    """Return whether a schema allows null and nothing else."""
    if not isinstance(schema, dict):
        return False
    return schema.get("type") in ("null", ["null"]) or schema.get("enum") == [None]


def type_text(document: OpenAPIDocument, schema: Any, pointer: str, depth: int = 0) -> str:
    """Return the type of a value in the metadata format's terms; `any` if the schema does not state it."""
    if schema is False:
        return "never"
    if not isinstance(schema, dict) or depth > MAX_TYPE_DEPTH:
        return "any"
    if isinstance(reference := schema.get("$ref"), str):
        name = document.schema_name(reference)
        if name is not None:
            return name
        return _type_behind(document, reference, pointer, depth)
    if isinstance(dynamic := schema.get("$dynamicRef"), str):
        return type_text(document, {"$ref": document.dynamic_target(dynamic)}, pointer, depth + 1)
    for part, joint in ((members(schema, "allOf"), " & "), (alternatives(schema), " | ")):
        names = [type_text(document, one, pointer, depth + 1) for one in part]
        known = list(dict.fromkeys(name for name in names if name != "any"))
        if known:
            return joint.join(known)
    return " | ".join(_plain_type(document, schema, name, pointer, depth) for name in _type_names(schema))


def _type_behind(document: OpenAPIDocument, reference: str, pointer: str, depth: int) -> str:
    """Return the type that a reference to other than a named schema leads to, or else the reference itself."""
    known = document.types.get(reference)
    if known is None:
        document.types[reference] = reference  # the answer inside a circle
        target = document.resolve(reference, pointer)
        known = reference if target is None else type_text(document, target, pointer, depth + 1)
        document.types[reference] = known
    return known


def _type_names(schema: dict[str, Any]) -> list[str]:
    """Return the names under `type` without null; if there is none, those that the other keywords permit."""
    declared = schema.get("type")
    names = [declared] if isinstance(declared, str) else members(schema, "type")
    names = list(dict.fromkeys(name for name in names if isinstance(name, str) and name != "null"))
    if names:
        return names
    if declared == "null" or declared == ["null"]:
        return ["null"]
    values = [schema["const"]] if "const" in schema else members(schema, "enum")
    if values:
        return list(dict.fromkeys(json_type(value) for value in values if value is not None)) or ["null"]
    if "items" in schema or "prefixItems" in schema:
        return ["array"]
    return ["object" if "properties" in schema or "additionalProperties" in schema else "any"]


def _plain_type(
    document: OpenAPIDocument, schema: dict[str, Any], name: str, pointer: str, depth: int
) -> str:
    if name == "array":
        item = type_text(document, schema.get("items"), pointer, depth + 1)
        return f"[]({item})" if " " in item else f"[]{item}"
    values = schema.get("additionalProperties")
    if name == "object" and isinstance(values, dict) and not schema.get("properties"):
        return f"map[string]{type_text(document, values, pointer, depth + 1)}"
    return name


def is_nullable(document: OpenAPIDocument, schema: Any, pointer: str) -> bool:
    """Return whether null is allowed, also through a reference.

    That is `nullable` (3.0), or `null` among the types or alternatives (3.1).
    """
    if not isinstance(schema, dict):
        return False
    declared = schema.get("type")
    if schema.get("nullable") is True or is_null(schema):
        return True
    if isinstance(declared, list) and "null" in declared:
        return True
    if isinstance(reference := schema.get("$ref"), str):
        return _is_nullable_behind(document, reference, pointer)
    bases = members(schema, "allOf")
    if bases and all(is_nullable(document, base, pointer) for base in bases):
        return True
    found = (one for keyword in _ALTERNATIVES for one in members(schema, keyword))
    return any(is_nullable(document, one, pointer) for one in found)


def _is_nullable_behind(document: OpenAPIDocument, reference: str, pointer: str) -> bool:
    known = document.nullable.get(reference)
    if known is None:
        document.nullable[reference] = False  # the answer inside a circle
        known = is_nullable(document, document.resolve(reference, pointer), pointer)
        document.nullable[reference] = known
    return known


def constraints(schema: Any) -> list[str]:
    """Return the schema's requirements as `@name(value)`, in a fixed order, including those of `allOf` members."""
    if not isinstance(schema, dict):
        return []
    found = [f"@{name}({bare_text(schema[key])})" for key, name in _VALUED.items() if _has_value(schema, key)]
    # 3.0 writes the border as a number and its exclusion as a flag beside it.
    for key, name in (("exclusiveMinimum", "exclusive_min"), ("exclusiveMaximum", "exclusive_max")):
        if schema.get(key) is True:
            found.append(f"@{name}")
    if "enum" in schema:
        found.append(f"@enum({', '.join(bare_text(value) for value in members(schema, 'enum'))})")
    if "const" in schema:
        found.append(f"@const({bare_text(schema['const'])})")
    found += [f"@{name}" for key, name in _FLAGS.items() if schema.get(key) is True]
    found += [f"@items({inner})" for inner in constraints(schema.get("items"))]
    for base in members(schema, "allOf"):
        found += [text for text in constraints(base) if text not in found]
    return found


def _has_value(schema: dict[str, Any], key: str) -> bool:
    value = schema.get(key)
    return value is not None and not isinstance(value, (bool, dict, list))


def default_text(schema: Any) -> str | None:
    """Return the default as JSON text (`"draft"`, `0.5`, `null`); None if there is none."""
    if isinstance(schema, dict) and "default" in schema:
        return json_text(schema["default"])
    return None


def documentation(schema: Any) -> str:
    """Return the description, else the title, else an empty text."""
    if not isinstance(schema, dict):
        return ""
    return next((text for key in ("description", "title") if isinstance(text := schema.get(key), str)), "")


def json_text(value: Any) -> str:
    """Return a value as one line of JSON, with keys in their own order."""
    return json.dumps(value, ensure_ascii=False, default=str)


def bare_text(value: Any) -> str:
    """Return a value as written in a list: a text without quotes, anything else as JSON."""
    return value if isinstance(value, str) else json_text(value)


def own_parts(document: OpenAPIDocument, schema: Any, pointer: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the schema and the inline members of its `allOf`, at any depth, each with its pointer.

    References are not followed.
    """
    if not isinstance(schema, dict):
        return
    yield schema, pointer
    for index, base in enumerate(members(schema, "allOf")):
        if isinstance(base, dict) and "$ref" not in base:
            yield from own_parts(document, base, f"{pointer}/allOf/{index}")
