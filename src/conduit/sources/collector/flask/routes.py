"""Flask's rules in the order of its map, with the functions that run before each view.

These are the application's functions, then the blueprint's, then the decorators around the view.
"""

from __future__ import annotations

import sys
import types
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..callables import innermost, own_name, qualified_name, short_name
from ..document import mark, put, with_details
from ..handlers import decorator_steps, method_steps, step, step_text, tie_to_resource
from ..static_access import is_a

if TYPE_CHECKING:
    from ..document import Document

_AROUND = (
    ("before_request_funcs", "before_request"),
    ("after_request_funcs", "after_request"),
    ("teardown_request_funcs", "teardown_request"),
    ("url_value_preprocessors", "url_value_preprocessor"),
)


def open_flask() -> Any:
    """Return Flask's application class; `None` if the application has not imported Flask."""
    if "flask" not in sys.modules:
        return None
    try:
        from importlib import metadata

        from flask import Flask
        from flask.views import View
    except ImportError:
        return None
    try:
        version = metadata.version("flask")
    except metadata.PackageNotFoundError:
        version = ""
    return SimpleNamespace(Flask=Flask, View=View, version=version)


class FlaskRoutes:
    """Walks one Flask application."""

    def __init__(self, api: Any, document: Document) -> None:
        self.api = api
        self.document = document

    def collect(self, app: Any) -> None:
        """Add the application's rules, and the middleware that applies to all requests."""
        self.document.redactor.add(_secret_settings(app.config))
        self.document.middleware += [own_name(f) for f in self._functions(app, "before_request_funcs", None)]
        self._add_wrappers(app)
        self._add_hooks(app)
        self._add_rules(app)

    def collect_mounted(self, app: Any, path: str, host: str, above: list[dict[str, Any]]) -> None:
        """Add the rules of an application mounted below `path`; `above` is the middleware in front of it."""
        self.document.redactor.add(_secret_settings(app.config))
        functions = self._functions(app, "before_request_funcs", None)
        own = [step(self.document, function, own_name(function), "middleware") for function in functions]
        first = len(self.document.routes)
        self._add_rules(app)
        for record in self.document.routes[first:]:
            chain = [*above, *own, *record.get("details", {}).get("chain", ())]
            record["path"] = path.rstrip("/") + record["path"]
            put(record, middleware=[step_text(found) for found in chain])
            with_details(record, chain=chain, host=host or record.get("details", {}).get("host", ""))

    def _add_rules(self, app: Any) -> None:
        for position, rule in enumerate(app.url_map.iter_rules(), start=1):
            with self.document.attempt(f"flask rule {rule.rule}"):
                self._add(app, rule, position)

    def _functions(self, app: Any, group: str, blueprint: Any) -> list[Any]:
        return list(getattr(app, group, {}).get(blueprint, ()))

    def _add_wrappers(self, app: Any) -> None:
        """Add the wrappers of `app.wsgi_app`, outermost first, as far as each declares what it wraps."""
        outer: Any = app.__dict__.get("wsgi_app")
        names: list[str] = []
        while outer is not None and not isinstance(outer, types.MethodType) and len(names) < 50:
            names.append(short_name(outer))
            held = getattr(outer, "__dict__", {})
            outer = next(
                (held[key] for key in ("app", "wsgi_app", "application", "__wrapped__") if key in held), None
            )
        self.document.middleware[:0] = names

    def _add_hooks(self, app: Any) -> None:
        for group, kind in _AROUND:
            for blueprint, functions in getattr(app, group, {}).items():
                for function in functions:
                    self._add_hook(function, kind, blueprint)
        for blueprint, by_code in app.error_handler_spec.items():
            for code, by_class in by_code.items():
                for cls, function in by_class.items():
                    self._add_hook(function, f"on_error({code or cls.__name__})", blueprint)

    def _add_hook(self, function: Any, kind: str, blueprint: Any) -> None:
        path, line = self.document.locations.of_function(innermost(function))
        hook = {"type": kind, "transaction": False, "async": False, "line_number": line}
        origin = self.document.locations.origin(getattr(function, "__module__", "") or "")
        put(hook, handler=qualified_name(function), file_path=path, sender=blueprint or "", origin=origin)
        self.document.hooks.append(hook)

    def _add(self, app: Any, rule: Any, position: int) -> None:
        if rule.build_only:
            return  # it only builds addresses and answers nothing
        view = app.view_functions.get(rule.endpoint)
        if view is None or rule.redirect_to is not None:
            self._add_without_view(rule, position)
            return
        subject = _subject(view)
        shared = self._chain(app, rule, view)
        path, line = (
            self.document.locations.of_function(subject) if not isinstance(subject, type) else ("", 0)
        )
        if isinstance(subject, type):
            path, line = self.document.locations.of_nearest_class(subject)
        for method in _methods(rule):
            record: dict[str, Any] = {
                "method": method,
                "path": rule.rule,
                "handler": qualified_name(subject),
                "operation": rule.endpoint,
            }
            chain = [*shared, *method_steps(self.document, subject, method)]
            put(record, middleware=[step_text(found) for found in chain], line_number=line)
            module = getattr(subject, "__module__", "") or ""
            with_details(
                record,
                name=rule.endpoint,
                kind=_kind(app, rule),
                origin=self.document.locations.origin(module),
                module=module,
                file_path=path,
                host=rule.host or rule.subdomain or "",
                chain=chain,
                position=position,
            )
            if any(found.get("certainty") == "observed" for found in chain):
                mark(record, "observed", "middleware")
            if method == "ANY":
                mark(record, "unknown", "method")
            self._link(record, view, subject)
            self.document.routes.append(record)

    def _add_without_view(self, rule: Any, position: int) -> None:
        """Add a rule that redirects, or one without a view, which answers with an error."""
        target = rule.redirect_to
        kind = "unbound" if target is None else "redirect"
        shown = "" if target is None else target if is_a(target, str) else qualified_name(target)
        for method in _methods(rule):
            record = {"method": method, "path": rule.rule, "handler": "", "operation": rule.endpoint}
            with_details(
                record,
                name=rule.endpoint,
                kind="websocket" if rule.websocket else kind,
                host=rule.host or rule.subdomain or "",
                documentation=f"redirects to {shown}" if shown else "",
                position=position,
            )
            self.document.routes.append(record)

    def _chain(self, app: Any, rule: Any, view: Any) -> list[dict[str, Any]]:
        steps = []
        for blueprint in _blueprints(rule.endpoint):
            for function in self._functions(app, "before_request_funcs", blueprint):
                steps.append(step(self.document, function, own_name(function), "middleware"))
        steps += decorator_steps(self.document, view)
        cls = getattr(view, "view_class", None)
        seen = {found["name"] for found in steps}
        for decorator in reversed(getattr(cls, "decorators", None) or ()):
            name = short_name(decorator).replace("(…)", "")
            if name not in seen:  # it left no trace in the view, but the class declares it
                steps.append(step(self.document, decorator, name, "decorator"))
        return steps

    def _link(self, record: dict[str, Any], view: Any, subject: Any) -> None:
        bound = innermost(view).__self__ if isinstance(innermost(view), types.MethodType) else None
        model = getattr(getattr(bound, "datamodel", None), "obj", None)
        declared = self.document.id_of(model)
        tie_to_resource(self.document, record, declared, subject)


def _subject(view: Any) -> Any:
    """Return the code to open: the class of a class-based view, else the function below the decorators."""
    cls = getattr(view, "view_class", None)
    return cls if isinstance(cls, type) else innermost(view)


def _kind(app: Any, rule: Any) -> str:
    if rule.websocket:
        return "websocket"
    return "static" if rule.endpoint.rpartition(".")[2] == "static" and app.has_static_folder else ""


def _methods(rule: Any) -> list[str]:
    if rule.websocket:
        return ["WEBSOCKET"]
    methods = set(rule.methods or ()) - {"OPTIONS"}
    if "GET" in methods:
        methods.discard("HEAD")
    if not methods:
        return ["OPTIONS"] if rule.methods else ["ANY"]
    return sorted(methods)


def _blueprints(endpoint: str) -> list[str]:
    """Return the endpoint's blueprints, outermost first: `a.b.view` is in `a` and in `a.b`."""
    names = endpoint.split(".")[:-1]
    return [".".join(names[: length + 1]) for length in range(len(names))]


def _secret_settings(config: Any) -> list[str]:
    from ..redaction import looks_secret

    return [value for key, value in config.items() if isinstance(value, str) and looks_secret(str(key))]
