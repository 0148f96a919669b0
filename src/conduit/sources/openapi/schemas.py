"""Named schemas as resources: their properties as fields, their references as relationships.

A schema's fields are its own properties and those of its inline `allOf` members. Properties inherited from a referenced
member are represented by an `inherits` relationship and are not repeated. References are found at any depth: a
reference becomes `belongs_to`, a list or map of references becomes `has_many`, and one of several alternatives becomes
`union`. A reference inside nested objects is named by its path (`address.country`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.metadata.schema import (
    EMPTY,
    Constraint,
    Field,
    FieldDetails,
    FrozenDict,
    Relationship,
    RelationshipDetails,
    Resource,
    ResourceDetails,
    Validation,
)
from conduit.sources.openapi import facts
from conduit.sources.openapi.document import SCHEMAS, escape, json_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.sources.openapi.document import OpenAPIDocument

_NESTED = ("properties", "patternProperties")
_COMBINED = ("allOf", "oneOf", "anyOf")
_CONDITIONAL = ("if", "then", "else")


def read_resources(
    document: OpenAPIDocument, middleware: dict[str, dict[str, tuple[str, ...]]]
) -> tuple[Resource, ...]:
    """Return one resource for each named schema, in document order.

    `middleware` is the chain of its routes, by resource and operation.
    """
    found = []
    for name, schema in document.section("components", "schemas").items():
        pointer = f"#/components/schemas/{escape(name)}"
        if not isinstance(schema, (dict, bool)):
            document.warn(pointer, f"expected a schema (an object), found {json_type(schema)}; left out")
            continue
        if not name:
            document.warn(pointer, "a schema needs a name, and this one has none; left out")
            continue
        found.append(_resource(document, name, schema, pointer, middleware.get(name, {})))
    return tuple(found)


def _resource(
    document: OpenAPIDocument, name: str, schema: Any, pointer: str, middleware: dict[str, tuple[str, ...]]
) -> Resource:
    properties = _properties(document, schema, pointer)
    required = _required(document, schema, pointer)
    return Resource(
        name=name,
        documentation=facts.documentation(schema),
        file_path=document.source,
        fields=tuple(
            _field(document, key, value, where, key in required) for key, (value, where) in properties.items()
        ),
        relationships=tuple(_relationships(document, schema, properties, pointer)),
        validations=tuple(
            Validation(field=key, type="required") for key in required if key not in properties
        ),
        constraints=_value_constraints(schema),
        middleware=FrozenDict(middleware) if middleware else EMPTY,
        kind="openapi_schema",
        details=ResourceDetails(role="schema", deprecated=_flag(schema, "deprecated")),
    )


def _flag(schema: Any, keyword: str) -> bool:
    return isinstance(schema, dict) and schema.get(keyword) is True


def _text(schema: Any, keyword: str) -> str:
    found = schema.get(keyword) if isinstance(schema, dict) else None
    return found if isinstance(found, str) else ""


def _properties(document: OpenAPIDocument, schema: Any, pointer: str) -> dict[str, tuple[Any, str]]:
    """Return property name -> (schema, pointer); the first statement of a name counts."""
    found: dict[str, tuple[Any, str]] = {}
    for part, where in facts.own_parts(document, schema, pointer):
        declared = part.get("properties", {})
        if not isinstance(declared, dict):
            document.warn(f"{where}/properties", f"expected an object, found {json_type(declared)}; left out")
            continue
        for key, value in declared.items():
            found.setdefault(key, (value, f"{where}/properties/{escape(key)}"))
    return found


def _required(document: OpenAPIDocument, schema: Any, pointer: str) -> dict[str, None]:
    """Return the required names, in order, as the keys of a dict."""
    return {
        name: None
        for part, _ in facts.own_parts(document, schema, pointer)
        for name in facts.members(part, "required")
        if isinstance(name, str)
    }


def _field(document: OpenAPIDocument, name: str, schema: Any, pointer: str, required: bool) -> Field:
    return Field(
        name=name,
        type=facts.type_text(document, schema, pointer),
        nullable=facts.is_nullable(document, schema, pointer),
        required=required,
        default_value=facts.default_text(schema) or "",
        constraints=tuple(facts.constraints(schema)),
        documentation=facts.documentation(schema),
        details=_field_details(schema),
    )


def _field_details(schema: Any) -> FieldDetails | None:
    details = FieldDetails(
        format=_text(schema, "format"),
        read_only=_flag(schema, "readOnly"),
        write_only=_flag(schema, "writeOnly"),
        deprecated=_flag(schema, "deprecated"),
        choices=tuple(facts.bare_text(value) for value in facts.members(schema, "enum")),
    )
    return details if details != FieldDetails() else None


def _value_constraints(schema: Any) -> tuple[Constraint, ...]:
    """Return the constraints on the whole value: an enumeration, the pattern of a text, the size of a list."""
    return tuple(
        Constraint(name=text[1:].partition("(")[0], condition=text) for text in facts.constraints(schema)
    )


def _relationships(
    document: OpenAPIDocument, schema: Any, properties: dict[str, tuple[Any, str]], pointer: str
) -> list[Relationship]:
    """Return every reference of a named schema to another, or to itself, once for each name and kind."""
    found: dict[tuple[str, str, str], Relationship] = {}

    def keep(name: str, kind: str, target: str, where: str) -> None:
        if not document.has_schema(target):
            reference = SCHEMAS + escape(target)
            if document.resolve(reference, where) is not None:
                document.warn(where, f"the reference {reference!r} leads to no schema")
            return
        field = name.partition(".")[0]
        nullable = kind in ("belongs_to", "union") and field in properties
        details = None
        if nullable and facts.is_nullable(document, *properties[field]):
            details = RelationshipDetails(nullable=True)
        relation = Relationship(name=name, type=kind, target_resource=target, details=details)
        found.setdefault((name, kind, target), relation)

    for kind, target, where in _bases(document, schema, pointer):
        keep(target, kind, target, where)
    for key, (value, where) in properties.items():
        for name, kind, target, at in ReferenceWalk(document).references(value, key, where):
            keep(name, kind, target, at)
    for name, kind, target, at in _elements(document, schema, pointer):
        keep(name, kind, target, at)
    return list(found.values())


def _bases(document: OpenAPIDocument, schema: Any, pointer: str) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, target, pointer) for the schema's own parts: `inherits` and `union`."""
    for part, where in facts.own_parts(document, schema, pointer):
        if isinstance(part.get("$ref"), str):
            yield from _named(document, part, "inherits", where)
        for index, base in enumerate(facts.members(part, "allOf")):
            yield from _named(document, base, "inherits", f"{where}/allOf/{index}")
        for keyword in ("oneOf", "anyOf"):
            for index, one in enumerate(facts.members(part, keyword)):
                yield from _named(document, one, "union", f"{where}/{keyword}/{index}")
        for condition, step in _conditions(part):
            yield from _named(document, condition, "union", f"{where}/{step}")


def _conditions(schema: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    """Yield (schema, pointer from here) for parts that apply to some values only."""
    for keyword in _CONDITIONAL:
        yield schema.get(keyword), keyword
    dependent = schema.get("dependentSchemas")
    for key, one in dependent.items() if isinstance(dependent, dict) else ():
        yield one, f"dependentSchemas/{escape(key)}"


def _named(document: OpenAPIDocument, schema: Any, kind: str, pointer: str) -> Iterator[tuple[str, str, str]]:
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if isinstance(dynamic := schema.get("$dynamicRef"), str):
        reference = document.dynamic_target(dynamic)
    if not isinstance(reference, str):
        return
    target = document.schema_name(reference)
    if target is None:
        document.resolve(reference, pointer)  # warns where it leads nowhere
    else:
        yield kind, target, pointer


def _elements(document: OpenAPIDocument, schema: Any, pointer: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield references of the elements of a named list or map, and of the inline alternatives of a named union."""
    walk = ReferenceWalk(document)
    for part, where in facts.own_parts(document, schema, pointer):
        rest = {
            key: value
            for key, value in part.items()
            if key in ("items", "prefixItems", "contains", "unevaluatedItems")
        }
        yield from walk.references(rest, "items", where)
        values = {
            key: value
            for key, value in part.items()
            if key in ("additionalProperties", "patternProperties", "unevaluatedProperties")
        }
        yield from walk.references(values, "values", where)
        for keyword in ("oneOf", "anyOf"):
            for index, one in enumerate(facts.members(part, keyword)):
                if isinstance(one, dict) and "$ref" not in one:
                    yield from walk.references(one, "", f"{where}/{keyword}/{index}")
        for condition, step in _conditions(part):
            if isinstance(condition, dict) and "$ref" not in condition:
                yield from walk.references(condition, "", f"{where}/{step}")


class ReferenceWalk:
    """Finds the named schemas that a value's schema refers to, at any depth of nesting.

    The target of an unnamed reference is visited once for each kind of relationship, so many paths to the same target
    cost no more than one.
    """

    __slots__ = ("document", "seen")

    def __init__(self, document: OpenAPIDocument) -> None:
        self.document = document
        self.seen: set[tuple[str, str]] = set()

    def references(
        self, schema: Any, name: str, pointer: str, kind: str = "belongs_to"
    ) -> Iterator[tuple[str, str, str, str]]:
        """Yield (name, kind, target, pointer), in document order."""
        if not isinstance(schema, dict):
            return
        if isinstance(reference := schema.get("$ref"), str):
            yield from self._reference(reference, name, pointer, kind)
        if isinstance(reference := schema.get("$dynamicRef"), str):
            yield from self._reference(self.document.dynamic_target(reference), name, pointer, kind)
        for keyword in _COMBINED:
            yield from self._combined(schema, keyword, name, pointer, kind)
        for condition, step in _conditions(schema):
            yield from self.references(condition, name, f"{pointer}/{step}", kind)
        for child, step in _element_schemas(schema):
            yield from self.references(child, name, f"{pointer}/{step}", "has_many")
        for keyword in _NESTED:
            children = schema.get(keyword)
            for key, child in children.items() if isinstance(children, dict) else ():
                inner = f"{name}.{key}" if name else key
                many = "has_many" if keyword == "patternProperties" else "belongs_to"
                path = name if keyword == "patternProperties" else inner
                yield from self.references(
                    child, path, f"{pointer}/{keyword}/{escape(key)}", _wider(kind, many)
                )

    def _reference(
        self, reference: str, name: str, pointer: str, kind: str
    ) -> Iterator[tuple[str, str, str, str]]:
        target = self.document.schema_name(reference)
        if target is not None:
            yield name, kind, target, pointer
        elif (reference, kind) not in self.seen:
            self.seen.add((reference, kind))
            inline = self.document.resolve(reference, pointer)
            yield from self.references(inline, name, pointer, kind)

    def _combined(
        self, schema: dict[str, Any], keyword: str, name: str, pointer: str, kind: str
    ) -> Iterator[tuple[str, str, str, str]]:
        found = facts.members(schema, keyword)
        choices = [one for one in found if not facts.is_null(one)]
        if keyword != "allOf" and len(choices) > 1:
            kind = _wider(kind, "union")
        for index, one in enumerate(found):
            yield from self.references(one, name, f"{pointer}/{keyword}/{index}", kind)


def _element_schemas(schema: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    yield schema.get("items"), "items"
    for index, one in enumerate(facts.members(schema, "prefixItems")):
        yield one, f"prefixItems/{index}"
    for keyword in ("contains", "unevaluatedItems", "additionalProperties", "unevaluatedProperties"):
        yield schema.get(keyword), keyword


def _wider(outer: str, inner: str) -> str:
    """Return the kind of a reference inside another: many of one are many; an alternative stays an alternative."""
    return max(outer, inner, key=("belongs_to", "union", "has_many").index)
