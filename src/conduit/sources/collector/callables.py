"""Names of callables, and the chain of decorators around one, outermost first.

A decorator made with `functools.wraps` hides its name but not its code object: following `__wrapped__` and reading
each layer's code gives the chain as it will run.
"""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any

from .static_access import is_a, is_class, static, text

if TYPE_CHECKING:
    from .locations import Locations

_DEEPEST = 100
_ADMIN_VIEW = "AdminSite.admin_view.<locals>.inner"


def qualified_name(thing: Any) -> str:
    """Return `module:qualname` of a function, method or class; for an instance, that of its class."""
    while is_a(thing, functools.partial):
        thing = thing.func
    if not _qualname(thing):
        thing = type(thing)
    return f"{_module(thing) or '?'}:{_qualname(thing)}"


def _qualname(thing: Any) -> str:
    return str(thing.__qualname__) if is_class(thing) else text(thing, "__qualname__")


def _module(thing: Any) -> str:
    found = thing.__module__ if is_class(thing) else static(thing, "__module__")
    return found if type(found) is str else ""


def _code(thing: Any) -> Any:
    function = thing.__func__ if is_a(thing, types.MethodType) else thing
    found = static(function, "__code__")
    return found if is_a(found, types.CodeType) else None


def short_name(thing: Any) -> str:
    """Return the name that a reader knows.

    That is a function's or class's own name, the class of an instance, or `factory(…)` for a closure.
    """
    while is_a(thing, functools.partial):
        thing = thing.func
    name = _qualname(thing)
    if not name:
        return maker_name(type(thing).__qualname__)
    given = text(thing, "__name__") or name
    if ".<locals>." in name and given.isidentifier() and given != name.rpartition(".")[2]:
        return str(given)  # its maker gave it a name
    return maker_name(name)


def own_name(function: Any) -> str:
    """Return the last part of the name, also for a function inside an application factory."""
    return (function.__name__ if is_class(function) else text(function, "__name__")) or type(
        function
    ).__qualname__


def maker_name(qualified: str) -> str:
    """Return `factory(…)` for a product of a factory (`factory.<locals>.inner`), otherwise the name itself."""
    maker, inside, _ = qualified.partition(".<locals>")
    return f"{maker}(…)" if inside else qualified


def layers(function: Any) -> list[Any]:
    """Return the callable and everything it wraps, outermost first."""
    found = [function]
    seen = {id(function)}
    while len(found) < _DEEPEST:
        inner = _next(found[-1])
        if inner is None or id(inner) in seen:
            break
        seen.add(id(inner))
        found.append(inner)
    return found


def _next(layer: Any) -> Any:
    if is_a(layer, functools.partial):
        return layer.func
    if is_class(layer):
        return None
    function = layer.__func__ if is_a(layer, types.MethodType) else layer
    inner = _below_admin_view(function) or static(function, "__wrapped__")
    return inner if callable(inner) else None


def _below_admin_view(function: Any) -> Any:
    """Return the next layer where `AdminSite.admin_view` is involved, whose `__wrapped__` jumps over its own check."""
    code = _code(function)
    held = dict(closure(function)) if code is not None else {}
    if code is not None and getattr(code, "co_qualname", "") == _ADMIN_VIEW:
        return held.get("view")
    inner = held.get("view_func")
    return inner if is_a(inner, types.FunctionType) and _leads_to_admin_view(inner) else None


def _leads_to_admin_view(function: Any) -> bool:
    for _ in range(3):  # `csrf_protect` and `never_cache` are around it
        code = _code(function)
        if getattr(code, "co_qualname", "") == _ADMIN_VIEW:
            return True
        function = dict(closure(function)).get("view_func") if code is not None else None
    return False


def innermost(function: Any) -> Any:
    """Return the function that a person wrote, below every decorator that declares what it wraps."""
    return layers(function)[-1]


def decorators(function: Any, locations: Locations) -> list[Any]:
    """Return the wrapping layers around the function, outermost first, without the function itself."""
    found = [layer for layer in layers(function)[:-1] if not is_a(layer, functools.partial)]
    return [layer for layer in found if code_name(layer, locations)]


def code_name(layer: Any, locations: Locations) -> str:
    """Return the qualified name in the layer's own code, which `functools.wraps` does not change."""
    code = _code(layer)
    if code is None:
        return type(layer).__qualname__
    name = getattr(code, "co_qualname", None) or locations.function_at(code.co_filename, code.co_firstlineno)
    if not name and static(layer, "__wrapped__") is None:  # else `functools.wraps` copied another's name
        name = _qualname(layer)
    return name or code.co_name


_MIDDLEWARE_DECORATORS = {
    "CacheMiddleware": "cache_page",
    "ConditionalGetMiddleware": "conditional_page",
    "CsrfViewMiddleware": "csrf_protect",
    "GZipMiddleware": "gzip_page",
    "_EnsureCsrfCookie": "ensure_csrf_cookie",
    "_EnsureCsrfToken": "requires_csrf_token",
}
"""Django's middleware → the decorator that is made of it; others have the name of their middleware."""


def decorator_name(layer: Any, locations: Locations) -> str:
    """Return the decorator as written above the function: the function whose call made the layer.

    If the layer belongs to a general decorator (`user_passes_test`) that got its test from a named one
    (`login_required`), the named one is returned, since it made the test in its own body.
    """
    name = code_name(layer, locations).partition(".<locals>")[0]
    if name == "make_middleware_decorator":
        return _middleware_decorator(layer) or name
    for _, value in closure(layer):
        if is_a(value, types.FunctionType) and value.__module__ == _module_of_code(layer):
            given = code_name(value, locations).partition(".<locals>")
            if given[1] and given[0] != name and value is not static(layer, "__wrapped__"):
                return given[0]
    return name


def _middleware_decorator(layer: Any) -> str:
    """Return the decorator that Django made of a middleware, which it keeps in the layer or in a function of it."""
    held = closure(layer)
    functions = [value for _, value in held if is_a(value, types.FunctionType)]
    for name, value in [*held, *(inner for function in functions for inner in closure(function))]:
        if name == "middleware":
            middleware = type(value).__name__
            return _MIDDLEWARE_DECORATORS.get(middleware, middleware)
    return ""


def _module_of_code(layer: Any) -> Any:
    return (static(layer, "__globals__") or {}).get("__name__")


def closure(layer: Any) -> list[tuple[str, Any]]:
    """Return the free variables of a layer as (name, value); unset ones are omitted."""
    code = static(layer, "__code__")
    cells = static(layer, "__closure__") or ()
    found = []
    for name, cell in zip(code.co_freevars if code else (), cells):
        try:
            found.append((name, cell.cell_contents))
        except ValueError:  # the cell has not been filled
            continue
    return found
