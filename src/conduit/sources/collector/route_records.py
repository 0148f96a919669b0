"""Routes and hooks as records, for frameworks that declare only which function answers which request."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from .callables import innermost, qualified_name
from .document import mark, put, with_details
from .handlers import step_text, tie_to_resource
from .static_access import is_class, static

if TYPE_CHECKING:
    from .document import Document


def route_record(
    document: Document,
    method: str,
    path: str,
    handler: Any,
    chain: list[dict[str, Any]],
    *,
    operation: str = "",
    name: str = "",
    **details: Any,
) -> dict[str, Any]:
    """Return a route with its handler's location, its chain, and the resource that the handler's code names.

    Other keyword arguments are keys of the route's details. The method `ANY` is marked as unknown.
    """
    subject = handler if is_class(handler) else innermost(handler)
    locations = document.locations
    file_path, line = (
        locations.of_nearest_class(subject) if is_class(subject) else locations.of_function(subject)
    )
    module = subject.__module__ if is_class(subject) else static(subject, "__module__")
    module = module if isinstance(module, str) else ""
    record: dict[str, Any] = {
        "method": method,
        "path": path,
        "handler": qualified_name(subject),
        "operation": operation or name,
    }
    put(record, middleware=[step_text(found) for found in chain], line_number=line)
    with_details(
        record,
        name=name,
        origin=locations.origin(module),
        module=module,
        file_path=file_path,
        chain=chain,
        **details,
    )
    if any(found.get("certainty") == "observed" for found in chain):
        mark(record, "observed", "middleware")
    if method == "ANY":
        mark(record, "unknown", "method")
    tie_to_resource(document, record, "", subject)
    return record


def add_hook(document: Document, function: Any, kind: str, sender: str = "") -> None:
    """Add a function that the framework calls around requests, or at start-up and shutdown."""
    inner = innermost(function)
    path, line = document.locations.of_function(inner)
    waits = inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)
    hook = {"type": kind, "transaction": False, "async": waits, "line_number": line}
    module = static(inner, "__module__")
    origin = document.locations.origin(module if isinstance(module, str) else "")
    document.hooks.append(
        put(hook, handler=qualified_name(inner), file_path=path, sender=sender, origin=origin)
    )
