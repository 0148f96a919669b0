"""What an OpenAPI document holds, counted from its raw values without the code under test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
# Under these keys stand values and names, not schemas.
NOT_SCHEMAS = {
    "example",
    "examples",
    "default",
    "enum",
    "const",
    "discriminator",
    "not",
    "externalDocs",
    "xml",
}
SCHEMA = "#/components/schemas/"


def load(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8-sig")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)  # type: ignore[no-any-return]


def schemas(root: dict[str, Any]) -> dict[str, Any]:
    return (root.get("components") or {}).get("schemas") or {}


def field_names(schema: dict[str, Any]) -> set[str]:
    """The properties of a schema and of the members of its allOf that are written out in location."""
    names = set(schema.get("properties") or {})
    for part in schema.get("allOf") or []:
        names |= field_names(part)
    return names


def targets(node: Any, is_schema: bool = True) -> Iterator[str]:
    """The named schemas referred to anywhere below a schema."""
    if isinstance(node, list):
        for one in node:
            yield from targets(one)
    elif isinstance(node, dict):
        reference = node.get("$ref")
        if is_schema and isinstance(reference, str) and reference.startswith(SCHEMA):
            name = reference.removeprefix(SCHEMA)
            if "/" not in name:
                yield name
        for key, value in node.items():
            if not is_schema or (key not in NOT_SCHEMAS and not key.startswith("x-")):
                # Below `properties` the keys are names of properties, whatever they are called.
                yield from targets(value, not (is_schema and key in ("properties", "patternProperties")))


def operations(root: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (method.upper(), path)
        for section in ("paths", "webhooks")
        for path, item in (root.get(section) or {}).items()
        for method in item
        if method in METHODS
    ]


def public_operations(root: dict[str, Any]) -> int:
    """How many operations need no security scheme at all, or have only the empty requirement."""
    found = 0
    for section in ("paths", "webhooks"):
        for item in (root.get(section) or {}).values():
            for method, operation in item.items():
                if method in METHODS:
                    found += not any(operation.get("security", root.get("security")) or [])
    return found


def required_names(schema: dict[str, Any]) -> set[str]:
    """The names that a schema, or a member of its allOf that is written out in location, requires."""
    names = set(schema.get("required") or [])
    for part in schema.get("allOf") or []:
        names |= required_names(part)
    return names
