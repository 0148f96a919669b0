"""Operations as routes: every method of every path, webhook and callback, with its effective security as middleware.

An operation's own `security` replaces the document's, and an empty list makes the operation public. Schemes that are
required together are separate middleware, in their order; alternatives are one entry, `Auth or KeyAuth`, which ends in
`or none` if no scheme is required.

The metadata format requires one resource for each route. OpenAPI does not state it, so it is inferred and marked as
such: the one schema in the successful response, otherwise the one in the request; if there is neither, as for most
deletions, the resource of GET on the same path. If there are several, it stays empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from conduit.metadata.schema import Parameter, Response, Route, RouteDetails, Step
from conduit.sources.openapi import facts
from conduit.sources.openapi.document import escape, json_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conduit.sources.openapi.document import OpenAPIDocument

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_MAX_WRAPPERS = 3


class _Operation(NamedTuple):
    """One operation with its path item and method."""

    method: str
    path: str
    node: dict[str, Any]
    item: dict[str, Any]
    pointer: str
    kind: str
    """Empty, webhook or callback."""

    @property
    def identity(self) -> str:
        """Return the operationId, or else method and path, which are also unique."""
        declared = self.node.get("operationId")
        return declared if isinstance(declared, str) and declared else f"{self.method} {self.path}"


def read_routes(document: OpenAPIDocument) -> tuple[Route, ...]:
    """Return every operation in document order, paths before webhooks."""
    inherited = document.root.get("security")
    operations = list(_operations(document))
    _warn_of_repeated_ids(document, operations)
    routes = [_route(document, operation, inherited) for operation in operations]
    read = {route.path: route.resource for route in routes if route.method == "GET"}
    return tuple(_with_resource(route, read.get(route.path, "")) for route in routes)


def _with_resource(route: Route, resource: str) -> Route:
    """Return the route with `resource`, if its own bodies do not name one."""
    has_body = route.request_body or route.response_body
    if route.resource or not resource or has_body or route.details is None:
        return route
    return replace(route, resource=resource, details=replace(route.details, inferred=("resource",)))


def middleware_of_resources(routes: Iterable[Route]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return resource -> operation -> chain of its route; routes without a chain are omitted."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for route in routes:
        if route.resource and route.middleware:
            found.setdefault(route.resource, {})[route.operation] = route.middleware
    return found


def _operations(document: OpenAPIDocument) -> Iterator[_Operation]:
    for section in ("paths", "webhooks"):
        for path, declared in document.section(section).items():
            pointer = f"#/{section}/{escape(path)}"
            if path.startswith("x-"):
                continue
            item = document.follow(declared, pointer)
            if not isinstance(item, dict):
                if item is not None or not isinstance(declared, dict):
                    document.warn(
                        pointer, f"expected a path item (an object), found {json_type(item)}; left out"
                    )
                continue
            yield from _operations_of(
                document, path, item, pointer, "webhook" if section == "webhooks" else ""
            )


def _operations_of(
    document: OpenAPIDocument, path: str, item: dict[str, Any], pointer: str, kind: str
) -> Iterator[_Operation]:
    for method, node, where in _methods_of(item, pointer):
        if not isinstance(node, dict):
            document.warn(where, f"expected an operation, found {json_type(node)}; left out")
            continue
        yield _Operation(method, path, node, item, where, kind)
        if kind != "callback":  # a callback of a callback is no operation of this application
            yield from _callbacks_of(document, node, where)


def _methods_of(item: dict[str, Any], pointer: str) -> Iterator[tuple[str, Any, str]]:
    """Yield (method, operation, pointer); from 3.2 on a path item may have custom methods."""
    for key, node in item.items():
        if key in METHODS:
            yield key.upper(), node, f"{pointer}/{key}"
        elif key == "additionalOperations" and isinstance(node, dict):
            for method, inner in node.items():
                yield method, inner, f"{pointer}/{key}/{escape(method)}"


def _callbacks_of(document: OpenAPIDocument, node: dict[str, Any], pointer: str) -> Iterator[_Operation]:
    """Yield the operations that the application calls back; the path is the expression of their address."""
    callbacks = node.get("callbacks")
    for name, declared in callbacks.items() if isinstance(callbacks, dict) else ():
        where = f"{pointer}/callbacks/{escape(name)}"
        callback = document.follow(declared, where)
        for expression, item in callback.items() if isinstance(callback, dict) else ():
            inner = f"{where}/{escape(expression)}"
            found = document.follow(item, inner) if not expression.startswith("x-") else None
            if isinstance(found, dict):
                yield from _operations_of(document, expression, found, inner, "callback")


def _warn_of_repeated_ids(document: OpenAPIDocument, operations: Iterable[_Operation]) -> None:
    first: dict[str, str] = {}
    for operation in operations:
        declared = operation.node.get("operationId")
        if not isinstance(declared, str) or not declared:
            continue
        known = first.setdefault(declared, operation.pointer)
        if known != operation.pointer:
            document.warn(
                f"{operation.pointer}/operationId", f"{declared!r} is also the operationId of {known}"
            )


def _route(document: OpenAPIDocument, operation: _Operation, inherited: Any) -> Route:
    pointer = operation.pointer
    chain = _security(document, operation.node.get("security", inherited), pointer)
    request = _request_body(document, operation)
    responses = tuple(_responses(document, operation))
    success = next(
        (one for one in responses if one.record.status[:1] == "2" and one.schema is not None), None
    )
    resource = _sole_resource(document, success.schema if success else None, pointer)
    resource = resource or _sole_resource(document, request, pointer)
    return Route(
        method=operation.method,
        path=operation.path,
        handler=_text(operation.node, "operationId"),
        resource=resource,
        operation=operation.identity,
        middleware=tuple(step.name for step in chain),
        request_body=_body_text(document, request, pointer),
        response_body=success.record.body if success else "",
        details=RouteDetails(
            kind=operation.kind,
            inferred=("resource",) if resource else (),
            documentation=_text(operation.node, "summary") or _text(operation.node, "description"),
            tags=tuple(tag for tag in facts.members(operation.node, "tags") if isinstance(tag, str)),
            deprecated=operation.node.get("deprecated") is True,
            chain=chain,
            parameters=tuple(_parameters(document, operation)),
            responses=tuple(one.record for one in responses),
        ),
    )


def _text(node: dict[str, Any], key: str) -> str:
    found = node.get(key)
    return found if isinstance(found, str) else ""


# --- security -------------------------------------------------------------------------------------------


def _security(document: OpenAPIDocument, declared: Any, pointer: str) -> tuple[Step, ...]:
    """Return the chain for a list of alternatives; empty for a public operation."""
    if declared is None or declared == []:
        return ()
    if not isinstance(declared, list) or not all(isinstance(one, dict) for one in declared):
        document.warn(
            pointer, f"expected security as a list of objects, found {json_type(declared)}; left out"
        )
        return ()
    choices: list[list[Step]] = [
        [_step(document, scheme, scopes, pointer) for scheme, scopes in each.items()] for each in declared
    ]
    if len(choices) == 1:
        return tuple(choices[0])
    texts = list(dict.fromkeys(" and ".join(step.name for step in steps) for steps in choices if steps))
    if not texts:
        return ()
    if not all(choices):
        texts.append("none")
    return (Step(name=" or ".join(texts), kind="security"),)


def _step(document: OpenAPIDocument, scheme: str, scopes: Any, pointer: str) -> Step:
    if scheme not in document.section("components", "securitySchemes"):
        document.warn(pointer, f"there is no security scheme {scheme!r} under components")
    names = tuple(scope for scope in scopes if isinstance(scope, str)) if isinstance(scopes, list) else ()
    return Step(name=f"{scheme}({', '.join(names)})" if names else scheme, kind="security", scopes=names)


# --- what goes in and out -------------------------------------------------------------------------------


class _Response(NamedTuple):
    record: Response
    schema: Any


def _responses(document: OpenAPIDocument, operation: _Operation) -> Iterator[_Response]:
    """Yield every response, successes first and in document order, so the first is the typical success."""
    declared = operation.node.get("responses")
    if not isinstance(declared, dict):
        return
    for status in sorted(declared, key=lambda one: one[:1] != "2"):
        pointer = f"{operation.pointer}/responses/{escape(status)}"
        node = document.follow(declared[status], pointer)
        if status.startswith("x-") or not isinstance(node, dict):
            continue
        schema = _content_schema(document, node, pointer)
        yield _Response(
            Response(
                status=status,
                body=_body_text(document, schema, pointer),
                documentation=(_text(node, "description") or _text(node, "summary")).strip(),
            ),
            schema,
        )


def _request_body(document: OpenAPIDocument, operation: _Operation) -> Any:
    pointer = f"{operation.pointer}/requestBody"
    node = document.follow(operation.node.get("requestBody"), pointer)
    return _content_schema(document, node, pointer) if isinstance(node, dict) else None


def _content_schema(document: OpenAPIDocument, node: dict[str, Any], pointer: str) -> Any:
    """Return the schema of a body: of its JSON form if there is one, else of the first form that has one."""
    content = node.get("content")
    if not isinstance(content, dict):
        return None
    forms = sorted(content.items(), key=lambda form: "json" not in form[0].lower())
    found = (_form_schema(document.follow(form, f"{pointer}/content/{escape(name)}")) for name, form in forms)
    return next((schema for schema in found if schema is not None), None)


def _form_schema(form: Any) -> Any:
    """Return the schema of one form of a body; for a stream of items (`itemSchema`, from 3.2 on), a list of them."""
    if not isinstance(form, dict):
        return None
    if "schema" not in form and "itemSchema" in form:
        return {"type": "array", "items": form["itemSchema"]}
    return form.get("schema")


def _body_text(document: OpenAPIDocument, schema: Any, pointer: str) -> str:
    return "" if schema is None else facts.type_text(document, schema, pointer)


def _sole_resource(document: OpenAPIDocument, schema: Any, pointer: str, depth: int = 0) -> str:
    """Return the one named schema that a body is, lists, or wraps (`{data: […]}`); empty if none or several."""
    if not isinstance(schema, dict) or depth > _MAX_WRAPPERS:
        return ""
    if isinstance(reference := schema.get("$ref"), str):
        return _named_resource(document, reference, pointer, depth)
    if isinstance(items := schema.get("items"), dict):
        return _sole_resource(document, items, pointer, depth + 1)
    parts = [*facts.members(schema, "allOf"), *facts.alternatives(schema)]
    if len(parts) == 1:
        return _sole_resource(document, parts[0], pointer, depth + 1)
    # In a wrapper made of several parts, the inline part names the wrapped resource; the rest is paging and the like.
    wrapped = [schema, *(part for part in parts if isinstance(part, dict) and "$ref" not in part)]
    values = [value for part in wrapped for value in _property_schemas(part)]
    found = {_sole_resource(document, value, pointer, depth + 1) for value in values} - {""}
    return found.pop() if len(found) == 1 else ""


def _named_resource(document: OpenAPIDocument, reference: str, pointer: str, depth: int) -> str:
    name = document.schema_name(reference)
    if name is not None and document.has_schema(name):
        # A named list (`Planets: [Planet]`) is about its elements.
        target = document.follow({"$ref": reference}, pointer)
        elements = target.get("items") if isinstance(target, dict) else None
        return _sole_resource(document, elements, pointer, depth + 1) or name
    return "" if name else _sole_resource(document, document.resolve(reference, pointer), pointer, depth + 1)


def _property_schemas(schema: dict[str, Any]) -> list[Any]:
    properties = schema.get("properties")
    return list(properties.values()) if isinstance(properties, dict) else []


# --- parameters -----------------------------------------------------------------------------------------


def _parameters(document: OpenAPIDocument, operation: _Operation) -> Iterator[Parameter]:
    """Yield the path's parameters, then the operation's, which replace those with the same name and location."""
    found: dict[tuple[str, str], Parameter] = {}
    for owner in (operation.item, operation.node):
        for index, declared in enumerate(facts.members(owner, "parameters")):
            pointer = f"{operation.pointer}/parameters/{index}"
            node = document.follow(declared, pointer)
            if not isinstance(node, dict) or not (name := _text(node, "name")):
                if node is not None:
                    document.warn(pointer, "expected a parameter with a name; left out")
                continue
            parameter = _parameter(document, node, name, pointer)
            found[name, parameter.location] = parameter
    yield from found.values()


def _parameter(document: OpenAPIDocument, node: dict[str, Any], name: str, pointer: str) -> Parameter:
    schema = node.get("schema", _content_schema(document, node, pointer))
    return Parameter(
        name=name,
        location=_text(node, "in"),
        type=_body_text(document, schema, pointer),
        required=node.get("required") is True,
        default_value=facts.default_text(schema) or "",
        documentation=_text(node, "description"),
    )
