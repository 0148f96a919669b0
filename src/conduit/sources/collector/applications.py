"""Nested applications: middleware objects around an application, and applications mounted in another one.

A wrapper keeps the application it wraps in an attribute (`app`, `wsgi_app`, `application`, …), as the object of a bound
method, or in the closure of a function. Wrappers are followed to an application that can be read, of any framework; a
mount whose application cannot be read is recorded as foreign.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from .callables import closure, qualified_name
from .document import put
from .handlers import step, step_text
from .static_access import is_a, static
from .web.readers import kind_of, reader_of, version_of

if TYPE_CHECKING:
    from .document import Document
    from .pydantic.models import PydanticModels

_HOLDING = (
    "app",
    "wsgi_app",
    "application",
    "asgi_app",
    "other_asgi_app",
    "wsgi_application",
    "wsgi",
    "_app",
    "inner",
    "__wrapped__",
)
_DEEPEST = 50


class Applications:
    """Reads applications of the frameworks that the process has loaded."""

    def __init__(self, document: Document, models: PydanticModels) -> None:
        from .asgi.api import open_fastapi, open_starlette
        from .flask.routes import open_flask

        self.document = document
        self.models = models
        self.starlette, self.fastapi, self.flask = open_starlette(), open_fastapi(), open_flask()
        self._entered: set[tuple[int, str]] = set()

    def kind(self, app: Any) -> str:
        """Return the framework of an application that can be read, otherwise an empty text."""
        if self.starlette is not None and is_a(app, (self.starlette.Starlette, self.starlette.Router)):
            fastapi = self.fastapi is not None and is_a(app, self.fastapi.FastAPI)
            return "fastapi" if fastapi else "starlette"
        if self.flask is not None and is_a(app, self.flask.Flask):
            return "flask"
        return kind_of(app) or ("dispatcher" if _is_dispatcher(app) else "")

    def version(self, kind: str) -> str:
        """Return the version of a framework."""
        if kind not in ("fastapi", "starlette", "flask"):
            return version_of(kind)
        return str({"fastapi": self.fastapi, "starlette": self.starlette, "flask": self.flask}[kind].version)

    def unwrap(self, app: Any) -> tuple[Any, list[Any]]:
        """Return the application inside its wrappers, and the wrappers, outermost first (none: itself)."""
        wrappers: list[Any] = []
        found = app
        while found is not None and len(wrappers) < _DEEPEST:
            if self.kind(found):
                return found, wrappers
            wrappers.append(found)
            found = self._inside(found)
        return app, []

    def _inside(self, app: Any) -> Any:
        if is_a(app, types.MethodType):  # `app.wsgi_app` is a method of the application
            return app.__self__
        for name in _HOLDING:
            inner = static(app, name)
            if inner is not None and inner is not app and callable(inner):
                return inner
        held = [value for _, value in closure(app)] if is_a(app, types.FunctionType) else []
        return next((value for value in held if self.kind(value)), None)

    def enter(self, app: Any, path: str, host: str, above: list[dict[str, Any]], depth: int = 0) -> bool:
        """Add the routes of an application mounted below `path`; `above` is the middleware in front of it.

        Return whether the application could be read.
        """
        found, wrappers = self.unwrap(app)
        kind = self.kind(found)
        if not kind or depth > _DEEPEST or (id(found), host + path) in self._entered:
            return bool(kind)
        self._entered.add((id(found), host + path))
        steps = [*above, *self.wrapping(wrappers)]
        if kind == "flask":
            from .flask.routes import FlaskRoutes

            FlaskRoutes(self.flask, self.document).collect_mounted(found, path, host, steps)
        elif kind == "dispatcher":
            self.enter_dispatcher(found, path, host, steps, depth)
        elif kind not in ("fastapi", "starlette"):
            reader_of(kind, self.document, self.models).collect_mounted(found, path, host, steps)
        else:
            from .asgi.routes import AsgiRoutes

            routes = AsgiRoutes(self.starlette, self.fastapi, self.document, self.models, self.mount)
            routes.collect_mounted(found, path, host, steps, depth)
        return True

    def enter_dispatcher(
        self, dispatcher: Any, path: str, host: str, above: list[dict[str, Any]], depth: int
    ) -> None:
        """Add the routes of an application that dispatches requests to others by path, as Werkzeug's does."""
        for prefix, inner in [("", static(dispatcher, "app")), *static(dispatcher, "mounts").items()]:
            if prefix or not self.enter(inner, path, host, above, depth + 1):
                self.mount(inner, path + str(prefix), host, above, depth)

    def mount(
        self, app: Any, path: str, host: str, above: list[dict[str, Any]], depth: int, name: str = ""
    ) -> None:
        """Record a mount and add the routes of its application; one that cannot be read is foreign."""
        found, _ = self.unwrap(app)
        record = {"path": path or "/", "kind": "foreign", "application": qualified_name(found)}
        self.document.mounts.append(put(record, name=name, host=host))
        if self._is_static(found):
            record["kind"] = "static"
        elif self.enter(app, path, host, above, depth + 1) or _is_django(found):
            record["kind"] = "application"

    def _is_static(self, app: Any) -> bool:
        files = self.starlette.StaticFiles if self.starlette is not None else None
        return files is not None and is_a(app, files)

    def wrapping(self, wrappers: list[Any]) -> list[dict[str, Any]]:
        """Return the steps of middleware objects around an application."""
        steps = []
        for wrapper in wrappers:
            named = wrapper if is_a(wrapper, types.FunctionType) else type(wrapper)
            if not is_a(wrapper, types.MethodType):
                steps.append(
                    step(self.document, named, named.__qualname__, "middleware", certainty="observed")
                )
        return steps

    def wrapper_names(self, wrappers: list[Any]) -> list[str]:
        """Return the names of middleware objects around the whole application."""
        return [step_text(found) for found in self.wrapping(wrappers)]


def _is_dispatcher(app: Any) -> bool:
    return is_a(static(app, "mounts"), dict) and callable(static(app, "app"))


def _is_django(app: Any) -> bool:
    return type(app).__module__.partition(".")[0] == "django"  # its routes are those of the settings
