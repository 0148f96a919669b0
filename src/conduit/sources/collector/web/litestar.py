"""Litestar: the routes of an application, each with its guards, dependencies and middleware as Litestar resolves them.

OPTIONS handlers that Litestar adds itself are omitted; the pages of its OpenAPI document have the origin `framework`.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from ..annotations import body_text
from ..callables import own_name, short_name
from ..document import mark, put
from ..handlers import decorator_steps, step
from ..route_records import add_hook, route_record
from ..static_access import is_a, is_class, static

if TYPE_CHECKING:
    from ..document import Document
    from ..pydantic.models import PydanticModels

_KINDS = {"WebSocketRoute": "websocket", "ASGIRoute": "asgi"}
_LIFE = ("on_startup", "on_shutdown", "before_send", "after_exception")


class Routes:
    """Reads one Litestar application."""

    def __init__(self, document: Document, models: PydanticModels) -> None:
        self.document = document
        self.models = models

    def collect(self, app: Any) -> None:
        """Add the routes, the application's middleware, and the functions of its life."""
        self.document.middleware += [_middleware_name(one) for one in app.middleware]
        for name in _LIFE:
            for function in getattr(app, name, None) or ():
                add_hook(self.document, _function(function), name)
        for manager in getattr(app, "_lifespan_managers", None) or ():
            if not str(static(manager, "__module__") or "").startswith("litestar."):
                add_hook(self.document, manager, "lifespan")
        self._walk(app, "", "", [], len(app.middleware))

    def collect_mounted(self, app: Any, path: str, host: str, above: list[dict[str, Any]]) -> None:
        """Add the routes below `path`; `above` is what a request passes before the application's own middleware."""
        self._walk(app, path.rstrip("/"), host, above, 0)

    def _walk(self, app: Any, path: str, host: str, above: list[dict[str, Any]], told: int) -> None:
        found = [
            (handler, route)
            for route in app.routes
            for handler in getattr(route, "route_handlers", None) or [route.route_handler]
            if not _is_made_by_litestar(handler)
        ]
        # Litestar matches by a tree of paths and keeps some of them in sets: their order means nothing.
        for handler, route in sorted(found, key=lambda pair: (pair[1].path, _methods(*pair))):
            with self.document.attempt(f"litestar route {route.path}"):
                self._add(handler, route, path, host, above, told)

    def _add(
        self,
        handler: Any,
        route: Any,
        path: str,
        host: str,
        above: list[dict[str, Any]],
        told: int,
    ) -> None:
        function = _function(handler.fn)
        chain = [*above, *self._chain(handler, function, told)]
        kind = _KINDS.get(type(route).__name__, "")
        signature = handler.parsed_fn_signature
        own = not str(static(function, "__module__") or "").startswith("litestar.")
        for method in _methods(handler, route):
            record = route_record(
                self.document,
                method,
                path + route.path,
                function,
                chain,
                operation=_operation(handler) or own_name(function),
                name=(handler.name or "") if own else "",  # Litestar's own have random names
                kind=kind,
                host=host,
                documentation=_text(handler, "summary") or _text(handler, "description"),
                tags=sorted(map(str, getattr(handler, "tags", None) or ())),
                deprecated=bool(getattr(handler, "deprecated", False)),
            )
            body = getattr(signature.parameters.get("data"), "annotation", None)
            self._tie(record, body, signature.return_type.annotation)
            self.document.routes.append(record)

    def _tie(self, record: dict[str, Any], request: Any, response: Any) -> None:
        """Note what goes in and out, and collect the models in it."""
        bodies = []
        for key, annotation in (("request_body", request), ("response_body", response)):
            if annotation not in (None, type(None), inspect.Signature.empty):
                self.models.add_from(annotation)
                bodies.append(body_text(annotation, self.document))
                put(record, **{key: bodies[-1]})
        named = [
            one for one in dict.fromkeys(bodies[::-1]) if one.removeprefix("[]") in self.document.resources
        ]
        if "resource" not in record and named:
            record["resource"] = named[0].removeprefix("[]")
            record["details"].pop("unknown", None)
            mark(record, "inferred", "resource")

    def _chain(self, handler: Any, function: Any, told: int) -> list[dict[str, Any]]:
        chain = [
            step(self.document, _function(one), _middleware_name(one), "middleware")
            for one in handler.resolve_middleware()[told:]
        ]
        chain += [
            step(self.document, _function(one), short_name(_function(one)), "permission")
            for one in handler.resolve_guards()
        ]
        chain += [
            step(self.document, _function(one.dependency), own_name(_function(one.dependency)), "dependency")
            for one in handler.resolve_dependencies().values()
        ]
        return [*chain, *decorator_steps(self.document, function)]


def _methods(handler: Any, route: Any) -> list[str]:
    given = getattr(handler, "http_methods", None)
    return (
        sorted(map(str, given))
        if given
        else ["WEBSOCKET" if type(route).__name__ == "WebSocketRoute" else "ANY"]
    )


def _function(thing: Any) -> Any:
    """Return what a person wrote, below the wrappers in which Litestar keeps it."""
    for _ in range(5):
        inner = static(thing, "func")
        inner = static(thing, "value") if inner is None else inner
        inner = static(thing, "middleware") if inner is None else inner
        if inner is None or is_class(thing):
            return thing
        thing = inner
    return thing


def _middleware_name(middleware: Any) -> str:
    return own_name(_function(middleware))


def _is_made_by_litestar(handler: Any) -> bool:
    name = str(static(_function(handler.fn), "__qualname__") or "")
    return name.startswith("HTTPRoute.create_options_handler")


def _operation(handler: Any) -> str:
    found = getattr(handler, "operation_id", None)
    return str(found) if is_a(found, str) else ""


def _text(handler: Any, name: str) -> str:
    found = getattr(handler, name, None)
    return str(found) if is_a(found, str) else ""
