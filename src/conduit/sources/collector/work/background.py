"""Start-up and shutdown hooks of ASGI applications, and functions that handlers run after the response.

The hooks come from the router. Background functions are found in the handlers' source (calls of `add_task` and of
`BackgroundTask` with a function that the handler's module names), so they are inferred; a function that is passed in a
variable is not found.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from typing import TYPE_CHECKING, Any

from ..callables import innermost, own_name
from ..static_access import is_a, is_class, members_of, static
from .records import task_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..document import Document

_CALLS = frozenset(("add_task", "BackgroundTask"))


def add_life(document: Document, app: Any) -> None:
    """Add the application's lifespan, start-up and shutdown functions."""
    router = getattr(app, "router", None)
    for moment in ("startup", "shutdown"):
        for function in getattr(router, f"on_{moment}", ()):
            document.tasks.append(_life(document, function, moment))
    lifespan = innermost(static(router, "lifespan_context"))
    module = static(lifespan, "__module__")
    if is_a(lifespan, types.FunctionType) and str(module).partition(".")[0] not in ("starlette", "fastapi"):
        document.tasks.append(_life(document, lifespan, "lifespan"))


def _life(document: Document, function: Any, moment: str) -> dict[str, Any]:
    return task_record(document, own_name(innermost(function)), f"{moment}_hook", function, trigger=moment)


def add_background(document: Document, endpoints: Iterable[tuple[str, Any]]) -> None:
    """Add the background functions of handlers, given as (route, handler); a function of several routes is one task."""
    routes: dict[int, tuple[Any, list[str]]] = {}
    for route, endpoint in endpoints:
        for function in _background_functions(endpoint):
            routes.setdefault(id(function), (function, []))[1].append(route)
    for function, named in routes.values():
        document.tasks.append(
            task_record(
                document,
                own_name(innermost(function)),
                "background_task",
                function,
                trigger="; ".join(dict.fromkeys(named)),
                certainty="inferred",
            )
        )


def _background_functions(endpoint: Any) -> Iterator[Any]:
    handler = innermost(endpoint)
    if is_class(handler):
        for value in vars(handler).values():
            if is_a(value, types.FunctionType):
                yield from _background_functions(value)
        return
    if not is_a(handler, types.FunctionType) or _CALLS.isdisjoint(handler.__code__.co_names):
        return
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(handler)))
    except (OSError, SyntaxError, TypeError):
        return  # a function without source
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _called(node) in _CALLS:
            function = _resolve(node.args[0], handler)
            if callable(function):
                yield function


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _resolve(node: ast.expr, handler: Any) -> Any:
    """Return what a name, or a name of a module, stands for in the handler; `None` for anything else."""
    if isinstance(node, ast.Name):
        return handler.__globals__.get(node.id)
    if isinstance(node, ast.Attribute):
        holder = _resolve(node.value, handler)
        members = members_of(holder)
        return members.get(node.attr) if members is not None else None
    return None
