"""The view of a URL pattern: a function, a class, or an action of a REST framework view set, below its decorators."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from ..callables import closure, code_name, decorators, innermost, layers, qualified_name, short_name
from ..document import put
from ..handlers import decorator_step, step, tie_to_resource
from ..static_access import is_a
from .rest import RestView

if TYPE_CHECKING:
    from ..document import Document

_READING = ("GET", "HEAD", "OPTIONS")


class Views:
    """Makes a `View` of each callback."""

    def __init__(self, api: Any, rest: Any, document: Document) -> None:
        self.api = api
        self.document = document
        self.rest = RestView(rest, document) if rest is not None else None

    def view(self, callback: Any) -> View:
        """Return the view of a URL pattern's callback, below everything that wraps it."""
        return View(callback, self)


class View:
    """One callback."""

    def __init__(self, callback: Any, views: Views) -> None:
        self.callback = callback
        self.views = views
        self.document = views.document
        cls = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
        self.cls = cls if isinstance(cls, type) else None
        self.function = innermost(callback)
        self.is_rest = (
            self.cls is not None and views.rest is not None and issubclass(self.cls, views.rest.rest.APIView)
        )
        wrapped = _function_of_api_view(self.cls) if self.is_rest else None
        if wrapped is not None:
            self.function, self.is_function = wrapped, True
        else:
            self.is_function = self.cls is None
        self.module = qualified_name(self._subject()).partition(":")[0]
        self.methods = self._methods()

    def _subject(self) -> Any:
        return self.function if self.is_function else self.cls

    def handler(self, action: str) -> str:
        """Return `module:qualname` of the code to open; for a view set, its action."""
        if self.is_function:
            return qualified_name(self.function)
        return f"{qualified_name(self.cls)}.{action}" if action else qualified_name(self.cls)

    def location(self, action: str) -> tuple[str, int]:
        """Return file and line of the handler: of the action if the class or a base defines it, else of the class."""
        if self.is_function:
            return self.document.locations.of_function(self.function)
        method = getattr(self.cls, action, None) if action else None
        if method is not None:
            found = self.document.locations.of_function(innermost(method))
            if found[1]:
                return found
        # Not a function, so a class.
        return self.document.locations.of_nearest_class(self.cls)  # type: ignore[arg-type]

    def _methods(self) -> list[tuple[str, str]]:
        actions = getattr(self.callback, "actions", None)
        if isinstance(actions, dict) and actions:
            return [(m.upper(), a) for m, a in sorted(actions.items()) if m != "head" or "get" not in actions]
        limited = self._limited_methods()
        if limited:
            return [(method, "") for method in limited]
        if self.cls is not None and issubclass(self.cls, self.views.api.View):
            return [(method, "") for method in self._class_methods()] or [("ANY", "")]
        return [("ANY", "")]

    def _class_methods(self) -> list[str]:
        options = {
            **getattr(self.callback, "view_initkwargs", {}),
            **(getattr(self.callback, "initkwargs", None) or {}),
        }
        names = options.get("http_method_names") or getattr(self.cls, "http_method_names", ())
        if not isinstance(names, (list, tuple, set, frozenset)):  # computed by each instance
            return []
        found = [name.upper() for name in names if hasattr(self.cls, name) and name != "options"]
        return sorted(set(found) - ({"HEAD"} if "GET" in found else set()))

    def _limited_methods(self) -> list[str]:
        for layer in decorators(self.callback, self.document.locations):
            if code_name(layer, self.document.locations).startswith("require_http_methods."):
                allowed = dict(closure(layer)).get("request_method_list")
                if isinstance(allowed, (list, tuple, set)):
                    found = {str(method).upper() for method in allowed}
                    return sorted(found - ({"HEAD"} if "GET" in found else set()))
        return []

    def chain(self, method: str, action: str) -> list[dict[str, Any]]:
        """Return the steps before the handler, in order.

        They are decorators, mixins, REST framework's checks, then the decorators of the method that handles
        the request.
        """
        steps = self._decorators()
        inside = self._dispatch_decorators() if self.cls is not None and not self.is_function else []
        named = any(found["name"] == "login_not_required" for found in inside)
        if getattr(self.callback, "login_required", True) is False and not named:
            steps.append(
                {
                    "name": "login_not_required",
                    "kind": "decorator",
                    "origin": "framework",
                    "certainty": "observed",
                }
            )
        if self.cls is not None and not self.is_function:
            steps += inside + self._mixins()
        if self.is_rest and self.views.rest is not None:
            steps += self.views.rest.steps(self.cls, getattr(self.callback, "initkwargs", None) or {})
        if self.cls is not None and not self.is_function:
            steps += self._decorators_of(getattr(self.cls, action or method.lower(), None))
        return steps

    def _decorators(self) -> list[dict[str, Any]]:
        """Return the layers around the callback, down to a class's `as_view`."""
        steps = []
        for layer in decorators(self.callback, self.document.locations):
            if code_name(layer, self.document.locations).endswith("as_view.<locals>.view"):
                break
            steps += self._method_decorators(layer) or [_named_admin(decorator_step(self.document, layer))]
        return steps

    def _dispatch_decorators(self) -> list[dict[str, Any]]:
        dispatch = getattr(self.cls, "dispatch", None)
        return (
            [s for layer in layers(dispatch)[:-1] for s in self._method_decorators(layer)] if dispatch else []
        )

    def _decorators_of(self, handler: Any) -> list[dict[str, Any]]:
        """Return the decorators around a method of the view, as written above it or given to `method_decorator`."""
        return [
            found
            for layer in decorators(handler, self.document.locations)
            for found in self._method_decorators(layer) or [decorator_step(self.document, layer)]
        ]

    def _method_decorators(self, layer: Any) -> list[dict[str, Any]]:
        """Return the decorators that `method_decorator(…)` put around a method; they are in its closure."""
        given = dict(closure(layer)).get("decorators")
        if given is None or not code_name(layer, self.document.locations).startswith("_multi_decorate."):
            return []
        given = [given] if callable(given) else list(given)
        names = [short_name(decorator).replace("(…)", "") for decorator in given]
        return [
            step(self.document, decorator, name, "decorator", certainty="observed")
            for decorator, name in zip(given, names)
        ]

    def _mixins(self) -> list[dict[str, Any]]:
        """Return the view's other classes that take part in dispatching, in the order in which they are called."""
        base = self.views.api.View
        steps = []
        for cls in self.cls.__mro__:  # type: ignore[union-attr]
            if cls in (self.cls, base, object) or issubclass(cls, base) or "dispatch" not in cls.__dict__:
                continue
            required = (
                getattr(self.cls, "permission_required", None) if "Permission" in cls.__name__ else None
            )
            listed = [required] if isinstance(required, str) else required
            shown = ", ".join(map(str, listed)) if isinstance(listed, (list, tuple)) else ""
            steps.append(step(self.document, cls, cls.__name__, "mixin", parameters=shown))
        return steps

    def add_resources(self, record: dict[str, Any], method: str, action: str) -> None:
        """Relate the route to a resource.

        That is the one that its view declares (`model`, `queryset`, serializer, form), otherwise the one that its code
        names.
        """
        model = self._declared_model()
        if self.is_rest and self.views.rest is not None:
            self.views.rest.add_bodies(record, self.cls, self.callback, method, action)
        elif method not in _READING:
            form = getattr(self.cls, "form_class", None)
            put(record, request_body=form.__name__ if isinstance(form, type) else "")
        tie_to_resource(self.document, record, self.document.id_of(model), self._subject())

    def _declared_model(self) -> Any:
        options = {
            **getattr(self.callback, "view_initkwargs", {}),
            **(getattr(self.callback, "initkwargs", None) or {}),
        }
        for owner in (*self._owners(), self.cls):
            for path in ("queryset.model", "model", "serializer_class.Meta.model", "form_class._meta.model"):
                found = _follow(options, owner, path.split("."))
                if self.document.id_of(found):
                    return found
        return None

    def _owners(self) -> list[Any]:
        """Return instances whose bound methods are the view, such as a ModelAdmin."""
        return [layer.__self__ for layer in layers(self.callback) if isinstance(layer, types.MethodType)]


def _follow(options: dict[str, Any], owner: Any, names: list[str]) -> Any:
    found = options.get(names[0]) if names[0] in options else _static(owner, names[0])
    for name in names[1:]:
        found = _static(found, name)
    return found


def _static(owner: Any, name: str) -> Any:
    """Return the attribute as it is stored, without running a property."""
    if owner is None:
        return None
    stored = getattr(owner, "__dict__", {}).get(name)
    if stored is not None and not isinstance(owner, type):
        return stored
    for cls in (owner if isinstance(owner, type) else type(owner)).__mro__:
        if name in cls.__dict__:
            value = cls.__dict__[name]
            return None if isinstance(value, property) or hasattr(type(value), "__get__") else value
    return None


def _function_of_api_view(cls: Any) -> Any:
    """Return the function below REST framework's `@api_view`, which is in the closure of a class's methods."""
    if cls.__qualname__ != "WrappedAPIView":
        return None
    for name in cls.http_method_names:
        handler = cls.__dict__.get(name)
        for _, value in closure(handler) if handler is not None else ():
            if is_a(value, types.FunctionType):
                return innermost(value)
    return None


def _named_admin(found: dict[str, Any]) -> dict[str, Any]:
    """Return the step of an admin view, wrapped in `AdminSite.admin_view` or a function of `get_urls`, by one name."""
    if found["name"].endswith((".get_urls", "AdminSite.admin_view")) and found.get("origin") == "framework":
        return {**found, "name": "admin_view"}
    return found
