"""Sanic: the routes of its router, with the middleware of the application and of each blueprint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..callables import own_name
from ..handlers import decorator_steps, method_steps, step
from ..route_records import add_hook, route_record
from ..static_access import static

if TYPE_CHECKING:
    from ..document import Document
    from ..pydantic.models import PydanticModels


class Routes:
    """Reads one Sanic application."""

    def __init__(self, document: Document, models: PydanticModels) -> None:
        self.document = document

    def collect(self, app: Any) -> None:
        """Add the routes, the middleware of all requests, listeners and signal handlers."""
        self.document.middleware += [own_name(_function(one)) for one in app.request_middleware]
        self._add_hooks(app)
        self._walk(app, "", "", [])

    def collect_mounted(self, app: Any, path: str, host: str, above: list[dict[str, Any]]) -> None:
        """Add the routes below `path`; `above` is what a request passes before the application's own middleware."""
        own = [self._step(one) for one in app.request_middleware]
        self._walk(app, path.rstrip("/"), host, [*above, *own])

    def _step(self, middleware: Any) -> dict[str, Any]:
        function = _function(middleware)
        return step(self.document, function, own_name(function), "middleware")

    def _add_hooks(self, app: Any) -> None:
        for listener in app._future_listeners:
            if not _is_sanics(listener.listener):
                add_hook(self.document, listener.listener, listener.event)
        for function in app.response_middleware:
            add_hook(self.document, _function(function), "after_request")
        found = [
            (signal.event, signal.handler)
            for signal in app._future_signals
            if not _is_sanics(signal.handler) and not str(signal.event).startswith(("server.", "http."))
        ]
        for event, handler in sorted(found, key=lambda pair: str(pair[0])):
            add_hook(self.document, handler, f"signal:{event}")

    def _walk(self, app: Any, path: str, host: str, above: list[dict[str, Any]]) -> None:
        own = app.named_request_middleware
        for position, route in enumerate(app.router.routes, start=1):
            with self.document.attempt(f"sanic route {route.uri}"):
                chain = [*above, *(self._step(one) for one in own.get(route.name, ()))]
                self._add(route, path, host, chain, position)

    def _add(self, route: Any, path: str, host: str, chain: list[dict[str, Any]], position: int) -> None:
        extra = route.extra
        handler = _handler(route.handler)
        chain = [*chain, *decorator_steps(self.document, handler)]
        shown = path + route.uri + ("/<filename:path>" if extra.static and "<" not in route.uri else "")
        name = route.name.partition(".")[2] or route.name
        hosts = [one for one in extra.hosts if one]
        cls = static(handler, "view_class")
        for method in ["WEBSOCKET"] if extra.websocket else sorted(route.methods):
            self.document.routes.append(
                route_record(
                    self.document,
                    method,
                    shown,
                    cls or handler,
                    [*chain, *method_steps(self.document, cls, method)],
                    name=name,
                    kind="websocket" if extra.websocket else "static" if extra.static else "",
                    host=host or ", ".join(hosts),
                    position=position,
                )
            )


def _function(middleware: Any) -> Any:
    return static(middleware, "func", middleware)


def _handler(handler: Any) -> Any:
    """Return the function that a person wrote: of a websocket it is an argument of Sanic's own handler."""
    arguments = static(handler, "args") or ()
    if arguments and own_name(static(handler, "func")) == "_websocket_handler":
        return arguments[0]
    return handler


def _is_sanics(function: Any) -> bool:
    inner = static(function, "func", function)
    return str(static(inner, "__module__") or "").startswith("sanic.")
