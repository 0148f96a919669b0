"""What a handler's code tells beyond its declaration: its decorators as steps, and the resources that it names."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from .callables import decorator_name, decorators, innermost, qualified_name
from .document import mark, put, with_details
from .static_access import class_dict, is_a, is_class, static

if TYPE_CHECKING:
    from .document import Document


def step(document: Document, thing: Any, name: str, kind: str, **more: Any) -> dict[str, Any]:
    """Return one step of a route's chain: what runs, under which name, and where it is defined."""
    path, line = document.locations.of_function(thing)
    record = {"name": name, "kind": kind}
    module = qualified_name(thing).partition(":")[0]
    return put(record, origin=document.locations.origin(module), file_path=path, line_number=line, **more)


def decorator_steps(document: Document, function: Any) -> list[dict[str, Any]]:
    """Return the decorators around the function, outermost first, marked as `observed`."""
    return [decorator_step(document, layer) for layer in decorators(function, document.locations)]


def method_steps(document: Document, view: Any, method: str) -> list[dict[str, Any]]:
    """Return the decorators of the method of a view class that handles an HTTP method; none of other handlers."""
    handler = static(view, method.lower()) if is_class(view) else None
    return decorator_steps(document, handler) if callable(handler) else []


def decorator_step(document: Document, layer: Any) -> dict[str, Any]:
    """Return the step of one wrapping layer; its origin is that of its own module, which `functools.wraps` hides."""
    found = step(
        document, layer, decorator_name(layer, document.locations), "decorator", certainty="observed"
    )
    module = (static(layer, "__globals__") or {}).get("__name__", "")
    return put(found, origin=document.locations.origin(module))


def step_text(found: dict[str, Any]) -> str:
    """Return the step as in the `middleware` list: its name, followed by its parameters or scopes."""
    inside = found.get("parameters") or ", ".join(found.get("scopes", ()))
    return f"{found['name']}({inside})" if inside else str(found["name"])


def named_resources(document: Document, handler: Any) -> list[str]:
    """Return the ids of the stored resources (not schemas) that the handler's own code names, in that order.

    They are found from the names in its compiled code, looked up in its module; nothing is run. The methods of a
    class-based handler are read one after another.
    """
    found: dict[str, None] = {}
    for function in _functions(innermost(handler)):
        for name in _names(function.__code__):
            identity = document.id_of(function.__globals__.get(name))
            if identity and document.resources[identity].get("details", {}).get("role") == "table":
                found[identity] = None
    return list(found)


def tie_to_resource(document: Document, record: dict[str, Any], declared: str, subject: Any) -> None:
    """Relate a route to a resource.

    That is the resource (its id) that its handler declares, otherwise the one that the handler's code names.
    """
    touched = named_resources(document, subject)
    if declared:
        record["resource"] = declared
    elif len(touched) == 1:
        record["resource"] = touched[0]
        mark(record, "inferred", "resource")
    else:
        mark(record, "unknown", "resource")
    if touched:
        with_details(record, resources=touched)
        mark(record, "inferred", "resources")


def _functions(handler: Any) -> list[Any]:
    if is_class(handler):
        inner = [innermost(value) for value in class_dict(handler).values() if callable(value)]
        return [function for function in inner if is_a(function, types.FunctionType)]
    handler = handler.__func__ if is_a(handler, types.MethodType) else handler
    return [handler] if is_a(handler, types.FunctionType) else []


def _names(code: Any) -> list[str]:
    found = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found += _names(constant)
    return found
