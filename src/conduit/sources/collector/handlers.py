"""What a handler's code says beyond its declaration: its decorators as steps, and the resources that it names."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from .callables import decorator_name, decorators, innermost, qualified_name
from .document import mark, put, with_details
from .static_access import class_dict, is_a, is_class, static

if TYPE_CHECKING:
    from .document import Document


def step(document: Document, thing: Any, name: str, kind: str, **more: Any) -> dict[str, Any]:
    """One link of a route's chain: what runs, under which name, and where it is written."""
    path, line = document.locations.of_function(thing)
    record = {"name": name, "kind": kind}
    module = qualified_name(thing).partition(":")[0]
    return put(record, origin=document.locations.origin(module), file_path=path, line_number=line, **more)


def decorator_steps(document: Document, function: Any) -> list[dict[str, Any]]:
    """The decorators around the function, outermost first; they were seen in it, so they are `observed`."""
    return [decorator_step(document, layer) for layer in decorators(function, document.locations)]


def decorator_step(document: Document, layer: Any) -> dict[str, Any]:
    """The step of one wrapping layer; whose it is, its own module says, not the one that `functools.wraps` copied."""
    found = step(
        document, layer, decorator_name(layer, document.locations), "decorator", certainty="observed"
    )
    module = (static(layer, "__globals__") or {}).get("__name__", "")
    return put(found, origin=document.locations.origin(module))


def step_text(found: dict[str, Any]) -> str:
    """The step as the `middleware` list has it: its name, with the parameters or scopes behind it."""
    inside = found.get("parameters") or ", ".join(found.get("scopes", ()))
    return f"{found['name']}({inside})" if inside else str(found["name"])


def named_resources(document: Document, handler: Any) -> list[str]:
    """Ids of the stored resources (not the schemas) that the handler's own code names, in the order of first mention.

    Read from the names in its compiled code, looked up in its module: nothing is run. A class-based handler's own
    methods are read one after the other.
    """
    found: dict[str, None] = {}
    for function in _functions(innermost(handler)):
        for name in _names(function.__code__):
            identity = document.id_of(function.__globals__.get(name))
            if identity and document.resources[identity].get("details", {}).get("role") == "table":
                found[identity] = None
    return list(found)


def tie_to_resource(document: Document, record: dict[str, Any], declared: str, subject: Any) -> None:
    """Ties a route to the resource (its id) that its handler declares, else to the one that the handler's code
    names."""
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
