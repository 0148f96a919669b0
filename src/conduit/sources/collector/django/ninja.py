"""Django Ninja: the operations of one path, which Django sees as a single view that answers any method."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

from ..callables import closure, innermost, qualified_name, short_name
from ..document import put, with_details
from ..handlers import decorator_steps, step, step_text, tie_to_resource
from ..static_access import is_a

if TYPE_CHECKING:
    from ..document import Document


def path_view(callback: Any) -> Any:
    """Return Ninja's path view behind the callback of a URL pattern; `None` if it is another view."""
    operation = sys.modules.get("ninja.operation")
    if operation is None:
        return None
    candidates = [callback.__self__] if is_a(callback, types.MethodType) else []
    if is_a(callback, types.FunctionType):
        candidates += [value for _, value in closure(innermost(callback))]
    return next((one for one in candidates if is_a(one, operation.PathView)), None)


def operation_records(document: Document, view: Any, path: str) -> list[dict[str, Any]]:
    """Return a route for each method of each operation, with its authentication and the decorators of its function."""
    found = []
    for operation in view.operations:
        function = operation.view_func
        subject = innermost(function)
        file_path, line = document.locations.of_function(subject)
        module = getattr(subject, "__module__", "") or ""
        chain = [*_security(document, operation.auth_callbacks), *decorator_steps(document, function)]
        for method in sorted(operation.methods):
            record: dict[str, Any] = {
                "method": method,
                "path": path,
                "handler": qualified_name(subject),
                "operation": operation.operation_id or subject.__name__,
            }
            put(record, middleware=[step_text(one) for one in chain], line_number=line)
            with_details(
                record,
                origin=document.locations.origin(module),
                module=module,
                file_path=file_path,
                chain=chain,
                documentation=operation.summary or "",
                tags=[str(tag) for tag in operation.tags or ()],
                deprecated=bool(operation.deprecated),
            )
            tie_to_resource(document, record, "", subject)
            found.append(record)
    return found


def _security(document: Document, callbacks: Any) -> list[dict[str, Any]]:
    """Return one step for all authentications: a request passes with any of them."""
    if not callbacks:
        return []
    name = " or ".join(short_name(one) for one in callbacks)
    return [step(document, callbacks[0], name, "security")]
