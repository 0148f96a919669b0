"""Strawberry: the types of a GraphQL schema as resources, its queries, mutations and subscriptions as routes.

They are enumerated from the type map of the GraphQL schema that Strawberry has built. A route's path is the field's
name below the operation (`query/books`), its method is the operation in capitals.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..callables import short_name
from ..document import mark, put, resource, with_details
from ..handlers import decorator_steps, step
from ..route_records import route_record
from ..static_access import is_a, modules, static

if TYPE_CHECKING:
    from ..document import Document

_OPERATIONS = (("query_type", "QUERY"), ("mutation_type", "MUTATION"), ("subscription_type", "SUBSCRIPTION"))
_KINDS = {
    "GraphQLObjectType": "object",
    "GraphQLInterfaceType": "interface",
    "GraphQLInputObjectType": "input",
    "GraphQLUnionType": "union",
    "GraphQLEnumType": "enum",
    "CustomGraphQLEnumType": "enum",
}


def is_schema(thing: Any) -> bool:
    """Return whether the object is a Strawberry schema."""
    cls = getattr(sys.modules.get("strawberry.schema.schema"), "Schema", None)
    return cls is not None and is_a(thing, cls)


def collect_schemas(document: Document, app: Any) -> None:
    """Add the schema `app`, or else those in loaded modules; two with the same root types count as one."""
    if "strawberry" not in sys.modules:
        return
    held = [app] if is_schema(app) else [value for _, members in modules() for value in members.values()]
    found = {_roots_of(value): value for value in held if is_schema(value)}
    for number, schema in enumerate(found.values()):
        with document.attempt("strawberry schema"):
            _Schema(document, schema, "" if number == 0 else f"{number + 1}").add()
    if found:
        from importlib import metadata

        document.sources.append({"kind": "strawberry", "version": metadata.version("strawberry-graphql")})


def _roots_of(schema: Any) -> tuple[int, ...]:
    return tuple(id(static(schema, operation)) for operation in ("query", "mutation", "subscription"))


class _Schema:
    """One schema; the ids of the second and further ones have a number."""

    def __init__(self, document: Document, schema: Any, number: str) -> None:
        self.document = document
        self.graph = schema._schema
        self._prefix = f"graphql{number}"
        self._roots = {
            getattr(self.graph, name): method for name, method in _OPERATIONS if getattr(self.graph, name)
        }

    def add(self) -> None:
        """Add the resources first, since the routes refer to them."""
        types = [
            kind
            for name, kind in sorted(self.graph.type_map.items())
            if not name.startswith("__") and type(kind).__name__ in _KINDS and kind not in self._roots
        ]
        for kind in types:
            self.document.add_resource(self._resource(kind))
        for root, method in self._roots.items():
            for name, field in root.fields.items():
                self._add_route(method, name, field)

    def _id(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    def _resource(self, kind: Any) -> dict[str, Any]:
        definition = _definition(kind)
        cls = getattr(definition, "origin", None) or getattr(definition, "wrapped_cls", None)
        record = resource(self._id(kind.name), kind.name, "graphql_type")
        path, line = self.document.locations.of_class(cls) if cls is not None else ("", 0)
        record["file_path"] = path
        module = getattr(cls, "__module__", "") or ""
        put(
            record,
            documentation=kind.description or "",
            line_number=line,
            origin=self.document.locations.origin(module) if module else "",
        )
        with_details(
            record, module=module, qualname=getattr(cls, "__qualname__", ""), role=_KINDS[type(kind).__name__]
        )
        for name, field in (getattr(kind, "fields", None) or {}).items():
            record["fields"].append(self._field(cls, name, field))
            record["relationships"] += self._relationships(name, field.type)
        for base in getattr(kind, "interfaces", ()) or ():
            record["relationships"].append(
                {"name": base.name, "type": "inherits", "target_resource": self._id(base.name)}
            )
        for member in getattr(kind, "types", ()) or ():
            record["relationships"].append(
                {"name": member.name, "type": "union", "target_resource": self._id(member.name)}
            )
        if hasattr(kind, "values"):
            condition = f"@enum({', '.join(kind.values)})"
            record["constraints"].append({"name": "enum", "condition": condition})
        return record

    def _field(self, cls: Any, name: str, field: Any) -> dict[str, Any]:
        text = str(field.type)
        required = text.endswith("!")
        record = {"name": name, "type": text.removesuffix("!"), "nullable": not required, "required": False}
        default = getattr(field, "default_value", None)
        if not hasattr(field, "args"):  # an input's field: it is the caller who must give it
            record["required"] = required and _is_undefined(default)
        python_name = getattr(_definition(field), "python_name", None) or name
        put(
            record,
            documentation=field.description or "",
            line_number=self.document.locations.of_attribute(cls, python_name)[1] if cls is not None else 0,
            default_value="" if _is_undefined(default) else repr(default),
        )
        return with_details(record, deprecated=bool(field.deprecation_reason))

    def _relationships(self, name: str, kind: Any) -> list[dict[str, Any]]:
        many = "[" in str(kind)
        target = _named(kind)
        if type(target).__name__ not in _KINDS or hasattr(target, "values") or target in self._roots:
            return []
        record = {
            "name": name,
            "type": "has_many" if many else "belongs_to",
            "target_resource": self._id(target.name),
        }
        return [with_details(record, nullable=not str(kind).endswith("!"))]

    def _add_route(self, method: str, name: str, field: Any) -> None:
        definition = _definition(field)
        resolver = getattr(getattr(definition, "base_resolver", None), "wrapped_func", None)
        chain = [
            step(self.document, cls, short_name(cls), "permission")
            for cls in getattr(definition, "permission_classes", ())
        ]
        handler = resolver if resolver is not None else getattr(definition, "origin", None)
        if handler is None:
            handler = _definition_of_root(self, method)
        elif resolver is not None:
            chain += decorator_steps(self.document, resolver)
        record = route_record(
            self.document,
            method,
            f"{method.lower()}/{name}",
            handler,
            chain,
            operation=name,
            name=name,
            kind="graphql",
            documentation=field.description or "",
            deprecated=bool(field.deprecation_reason),
            parameters=[_parameter(key, argument) for key, argument in field.args.items()],
        )
        target = _named(field.type)
        inputs = [_named(argument.type) for argument in field.args.values()]
        put(
            record,
            request_body=" | ".join(self._body(one, "") for one in inputs if type(one).__name__ in _KINDS),
            response_body=self._body(target, str(field.type)),
        )
        if "resource" not in record and self._id(target.name) in self.document.resources:
            record["resource"] = self._id(target.name)
            record.get("details", {}).pop("unknown", None)
            mark(record, "inferred", "resource")
        self.document.routes.append(record)

    def _body(self, kind: Any, text: str) -> str:
        known = self._id(kind.name) in self.document.resources
        return ("[]" if "[" in text else "") + (self._id(kind.name) if known else kind.name)


def _definition_of_root(schema: _Schema, method: str) -> Any:
    """Return the class of the root type: a field without a resolver is an attribute of it."""
    root = next(root for root, name in schema._roots.items() if name == method)
    return _definition(root).origin


def _definition(thing: Any) -> Any:
    return (thing.extensions or {}).get("strawberry-definition")


def _named(kind: Any) -> Any:
    """Return the type inside lists and `!`."""
    while hasattr(kind, "of_type"):
        kind = kind.of_type
    return kind


def _is_undefined(default: Any) -> bool:
    return default is None or type(default).__name__ == "UndefinedType"


def _parameter(name: str, argument: Any) -> dict[str, Any]:
    text = str(argument.type)
    default = argument.default_value
    return put(
        {"name": name, "location": "argument", "type": text.removesuffix("!")},
        required=text.endswith("!") and _is_undefined(default),
        default_value="" if _is_undefined(default) else repr(default),
        documentation=argument.description or "",
    )
