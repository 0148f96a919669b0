"""aiohttp: the resources of an application's router, in the order in which they are matched.

A resource of a sub-application stands for that application, which is read in its place; its middleware comes after that
of the outer application. Its paths have the prefix already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..callables import own_name
from ..handlers import decorator_steps, method_steps, step
from ..route_records import add_hook, route_record
from ..static_access import class_dict, is_class, static

if TYPE_CHECKING:
    from ..document import Document
    from ..pydantic.models import PydanticModels

_SIGNALS = ("on_startup", "on_shutdown", "on_cleanup", "cleanup_ctx", "on_response_prepare")
_METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace", "connect")


class Routes:
    """Reads one aiohttp application."""

    def __init__(self, document: Document, models: PydanticModels) -> None:
        self.document = document
        self._position = 0

    def collect(self, app: Any) -> None:
        """Add the routes, the middleware around all of them, and the functions of the application's life."""
        self.document.middleware += [own_name(one) for one in app.middlewares]
        self._add_hooks(app)
        self._walk(app, "", "", [])

    def collect_mounted(self, app: Any, path: str, host: str, above: list[dict[str, Any]]) -> None:
        """Add the routes below `path`; `above` is what a request passes before the application's own middleware."""
        self._walk(app, path.rstrip("/"), host, [*above, *self._middleware(app)])

    def _middleware(self, app: Any) -> list[dict[str, Any]]:
        return [step(self.document, one, own_name(one), "middleware") for one in app.middlewares]

    def _add_hooks(self, app: Any) -> None:
        for name in _SIGNALS:
            for function in getattr(app, name, ()):
                module = static(function, "__module__") or ""
                if not str(module).startswith("aiohttp."):  # aiohttp keeps its own among them
                    add_hook(self.document, function, name)

    def _walk(self, app: Any, path: str, host: str, above: list[dict[str, Any]]) -> None:
        for resource in app.router.resources():
            inner = static(resource, "_app")
            with self.document.attempt(f"aiohttp resource {resource.canonical}"):
                if inner is not None:
                    rule = static(resource, "_rule")
                    self._add_hooks(inner)
                    self._walk(
                        inner,
                        path,
                        rule.canonical if rule is not None else host,
                        [*above, *self._middleware(inner)],
                    )
                    continue
                self._position += 1
                for route in resource:
                    self._add(route, resource, path, host, above)

    def _add(self, route: Any, resource: Any, path: str, host: str, above: list[dict[str, Any]]) -> None:
        handler = route.handler
        files = static(resource, "_directory") is not None
        chain = [*above, *([] if is_class(handler) else decorator_steps(self.document, handler))]
        shown = f"{resource.canonical.rstrip('/')}/{{filename}}" if files else resource.canonical
        for method in self._methods(route):
            self.document.routes.append(
                route_record(
                    self.document,
                    method,
                    path + shown,
                    handler,
                    [*chain, *method_steps(self.document, handler, method)],
                    operation=route.name or own_name(handler),
                    name=route.name or "",
                    kind="static" if files else "",
                    host=host,
                    position=self._position,
                )
            )

    def _methods(self, route: Any) -> list[str]:
        """Return the route's method; of a view class the methods that it defines."""
        if route.method != "*":
            return [route.method]
        if not is_class(route.handler):
            return ["ANY"]
        defined = {name for cls in route.handler.__mro__[:-1] for name in class_dict(cls)}
        return [name.upper() for name in _METHODS if name in defined] or ["ANY"]
