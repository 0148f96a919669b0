"""The compiler's variant of the format, converted to the one that its registry reads.

In it a relationship's target is `type` and its type is `kind`; a hook has `timing` and `event`, `has_transaction`
and `has_async`; a resource's `middleware` is one list for all operations; a pattern counts `occurrences`; line
numbers are `line`; `required` is absent and follows from `nullable`. Works on decoded JSON values and leaves
anything unexpected unchanged, for the validation that follows.
"""

from __future__ import annotations

from typing import Any

ALL_OPERATIONS = "*"
"""The operation name of a chain that applies to all operations."""


def is_compiler_shape(document: dict[str, Any]) -> bool:
    """Return whether a document is in the compiler's format: it has keys that only that format has."""
    if "generated" in document or "dependencies" in document:
        return any(_is_compiler_resource(resource) for resource in _objects(document.get("resources")))
    return any(
        _is_compiler_resource(resource) or "line" in resource
        for resource in _objects(document.get("resources"))
    ) or any("occurrences" in pattern for pattern in _objects(document.get("patterns")))


def _is_compiler_resource(resource: dict[str, Any]) -> bool:
    return (
        isinstance(resource.get("middleware"), list)
        or any("timing" in hook and "type" not in hook for hook in _objects(resource.get("hooks")))
        or any(
            "kind" in relationship and "target_resource" not in relationship
            for relationship in _objects(resource.get("relationships"))
        )
    )


def registry_shape(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document in the registry's format."""
    return {
        **document,
        "resources": _each(document.get("resources"), _resource),
        "routes": _each(document.get("routes"), _route),
        "patterns": _each(document.get("patterns"), _pattern),
    }


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _each(value: Any, convert: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [convert(dict(item)) if isinstance(item, dict) else item for item in value]


def _rename(record: dict[str, Any], **new_name_of: str) -> None:
    for old, new in new_name_of.items():
        if old in record and new not in record:
            record[new] = record.pop(old)


def _resource(resource: dict[str, Any]) -> dict[str, Any]:
    _rename(resource, line="line_number", computed="computed_fields")
    for key, convert in _PARTS.items():
        if key in resource:
            resource[key] = _each(resource[key], convert)
    if isinstance(resource.get("middleware"), list):
        chain = resource["middleware"]
        resource["middleware"] = {ALL_OPERATIONS: chain} if chain else {}
    return resource


def _field(field: dict[str, Any]) -> dict[str, Any]:
    _rename(field, line="line_number", default="default_value")
    if "required" not in field and isinstance(field.get("nullable"), bool):
        field["required"] = not field["nullable"]
    return field


def _relationship(relationship: dict[str, Any]) -> dict[str, Any]:
    if "kind" in relationship and "target_resource" not in relationship:
        relationship["target_resource"] = relationship.get("type")
        relationship["type"] = relationship.pop("kind")
    _rename(relationship, line="line_number", through="through_table")
    return relationship


def _hook(hook: dict[str, Any]) -> dict[str, Any]:
    _rename(hook, line="line_number", has_transaction="transaction", has_async="async")
    if "timing" in hook and "type" not in hook:
        hook["type"] = f"{hook.pop('timing')}_{hook.pop('event', '')}".rstrip("_")
    return hook


def _validation(validation: dict[str, Any]) -> dict[str, Any]:
    _rename(validation, line="line_number", name="field", condition="value", error="message")
    return validation


def _constraint(constraint: dict[str, Any]) -> dict[str, Any]:
    _rename(constraint, line="line_number", on="operations")
    return constraint


def _with_line(record: dict[str, Any]) -> dict[str, Any]:
    _rename(record, line="line_number", body="expression", condition="query", arguments="parameters")
    return record


def _route(route: dict[str, Any]) -> dict[str, Any]:
    description = route.pop("description", None)
    if isinstance(description, str) and description and "details" not in route:
        route["details"] = {"documentation": description}
    return route


def _pattern(pattern: dict[str, Any]) -> dict[str, Any]:
    _rename(pattern, occurrences="frequency")
    return pattern


_PARTS = {
    "fields": _field,
    "relationships": _relationship,
    "hooks": _hook,
    "validations": _validation,
    "constraints": _constraint,
    "scopes": _with_line,
    "computed": _with_line,
    "computed_fields": _with_line,
}
