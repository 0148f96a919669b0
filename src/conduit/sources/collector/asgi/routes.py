"""FastAPI's and Starlette's routes in the order in which they are matched, with their dependencies as they will run.

A route's chain is: the middleware of the mounts above it, the dependencies (each once, after those that it needs
itself), then the decorators around the handler. Middleware of the whole application is in the document's `middleware`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..annotations import body_text, type_text
from ..callables import innermost, own_name, qualified_name, short_name
from ..document import mark, put, with_details
from ..handlers import decorator_steps, method_steps, named_resources, step, step_text
from ..work.background import add_background, add_life

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..document import Document
    from ..pydantic.models import PydanticModels

_DEEPEST_MOUNT = 50


class AsgiRoutes:
    """Walks one application. `starlette` and `fastapi` (or `None`) come from `api`; `mount` adds a mount."""

    def __init__(
        self,
        starlette: Any,
        fastapi: Any,
        document: Document,
        models: PydanticModels,
        mount: Callable[..., None],
    ) -> None:
        self._mount = mount
        self.starlette = starlette
        self.fastapi = fastapi
        self.document = document
        self.models = models
        self._endpoints: dict[int, Any] = {}
        """Identity of a route's record → its handler."""

    def collect(self, app: Any) -> None:
        """Add the application's routes, mounts and middleware to the document."""
        self.document.middleware += [step_text(found) for found in self._application_middleware(app)]
        self._add_lifecycle(app)
        first = len(self.document.routes)
        self._walk(app, "", "", [], 0)
        with self.document.attempt("background functions"):
            self._add_work(app, first)

    def collect_mounted(
        self, app: Any, path: str, host: str, above: list[dict[str, Any]], depth: int
    ) -> None:
        """Add the routes of an application mounted below `path`; `above` is the middleware in front of it."""
        self._walk(app, path, host, [*above, *self._application_middleware(app)], depth)

    def _application_middleware(self, app: Any) -> list[dict[str, Any]]:
        steps = []
        for middleware in getattr(app, "user_middleware", ()):
            cls, arguments = getattr(middleware, "cls", None), _arguments(middleware)
            dispatch = arguments.get(
                "dispatch"
            )  # @app.middleware("http") hides the function behind one class
            shown = dispatch if dispatch is not None else cls
            if shown is not None:
                steps.append(step(self.document, shown, own_name(shown), "middleware"))
        return steps

    def _add_lifecycle(self, app: Any) -> None:
        router = getattr(app, "router", None)
        for moment in ("startup", "shutdown"):
            for function in getattr(router, f"on_{moment}", ()):
                self._add_hook(function, f"on_{moment}")
        for key, handler in getattr(app, "exception_handlers", {}).items():
            name = key if isinstance(key, int) else getattr(key, "__name__", str(key))
            self._add_hook(handler, f"on_error({name})")

    def _add_work(self, app: Any, first: int) -> None:
        """Add the application's lifespan hooks and the background functions of its handlers as tasks."""
        add_life(self.document, app)
        named = [
            (f"{record['method']} {record['path']}", self._endpoints[id(record)])
            for record in self.document.routes[first:]
            if id(record) in self._endpoints
        ]
        add_background(self.document, named)

    def _add_hook(self, function: Any, kind: str) -> None:
        path, line = self.document.locations.of_function(function)
        hook = {"type": kind, "transaction": False, "async": _is_async(function), "line_number": line}
        origin = self.document.locations.origin(getattr(function, "__module__", "") or "")
        self.document.hooks.append(put(hook, handler=qualified_name(function), file_path=path, origin=origin))

    def _walk(self, app: Any, prefix: str, host: str, above: list[dict[str, Any]], depth: int) -> None:
        for entry in self._entries(getattr(app, "routes", None) or []):
            route = getattr(entry, "original_route", entry)
            with self.document.attempt(f"route {prefix}{getattr(entry, 'path', '')}"):
                if isinstance(route, self.starlette.Host):
                    self._enter(route, prefix, str(route.host), above, depth)
                elif isinstance(route, self.starlette.Mount):
                    self._enter(route, prefix + (entry.path or ""), host, above, depth)
                else:
                    self._add(entry, route, prefix, host, above)

    def _entries(self, routes: Any) -> Iterator[Any]:
        if self.fastapi is not None and self.fastapi.iter_route_contexts is not None:
            return iter(self.fastapi.iter_route_contexts(routes))
        return iter(routes)

    def _enter(self, mount: Any, path: str, host: str, above: list[dict[str, Any]], depth: int) -> None:
        inner = getattr(mount, "_base_app", None) or mount.app
        if depth > _DEEPEST_MOUNT:
            self.document.add_error("fastapi", f"mounts are nested deeper than {_DEEPEST_MOUNT} at {path}")
            return
        steps = [*above, *self._wrapping(mount.app, inner)]
        self._mount(inner, path, host, steps, depth, mount.name or "")

    def _wrapping(self, outer: Any, inner: Any) -> list[dict[str, Any]]:
        """Return the steps of the middleware objects around `inner`; each holds the next as `app`."""
        steps: list[dict[str, Any]] = []
        while (
            outer is not inner and outer is not None and hasattr(outer, "app") and len(steps) < _DEEPEST_MOUNT
        ):
            steps.append(
                step(self.document, type(outer), type(outer).__qualname__, "middleware", certainty="observed")
            )
            outer = outer.app
        return steps

    def _add(self, entry: Any, route: Any, prefix: str, host: str, above: list[dict[str, Any]]) -> None:
        endpoint = getattr(entry, "endpoint", None)
        if endpoint is None:
            self.document.mounts.append(
                {
                    "path": prefix + (getattr(entry, "path", "") or ""),
                    "kind": "foreign",
                    "application": qualified_name(route),
                }
            )
            return
        chain = [
            *above,
            *self._route_middleware(route),
            *self._dependencies(entry),
            *decorator_steps(self.document, endpoint),
        ]
        for method in self._methods(entry, route, endpoint):
            steps = [*chain, *method_steps(self.document, endpoint, method)]
            record = self._record(entry, route, endpoint, method, prefix, steps)
            with_details(record, host=host)
            self._endpoints[id(record)] = endpoint
            self.document.routes.append(record)

    def _route_middleware(self, route: Any) -> list[dict[str, Any]]:
        app = getattr(route, "app", None)
        return self._wrapping(app, None) if isinstance(route, self.starlette.Route) else []

    def _methods(self, entry: Any, route: Any, endpoint: Any) -> list[str]:
        if isinstance(route, self.starlette.WebSocketRoute) or self._is_api_websocket(route):
            return ["WEBSOCKET"]
        methods = set(getattr(entry, "methods", None) or ())
        if not methods and isinstance(endpoint, type):
            methods = {
                m
                for m in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
                if hasattr(endpoint, m.lower())
            }
        declared_each = self.fastapi is not None and isinstance(route, self.fastapi.APIRoute)
        if "GET" in methods and not declared_each:
            methods.discard("HEAD")  # a plain Starlette route adds it to every GET
        return sorted(methods) or ["ANY"]

    def _is_api_websocket(self, route: Any) -> bool:
        return self.fastapi is not None and isinstance(route, self.fastapi.APIWebSocketRoute)

    def _record(
        self, entry: Any, route: Any, endpoint: Any, method: str, prefix: str, chain: list[dict[str, Any]]
    ) -> dict[str, Any]:
        path, line = self.document.locations.of_function(innermost(endpoint))
        module = getattr(innermost(endpoint), "__module__", "") or ""
        record: dict[str, Any] = {
            "method": method,
            "path": prefix + (getattr(entry, "path", "") or ""),
            "handler": qualified_name(endpoint),
            "operation": getattr(entry, "name", None) or "",
        }
        put(record, middleware=[step_text(found) for found in chain], line_number=line)
        with_details(
            record,
            name=getattr(entry, "name", None) or "",
            kind="websocket" if method == "WEBSOCKET" else "",
            origin=self.document.locations.origin(module),
            module=module,
            file_path=path,
            chain=chain,
        )
        if method == "ANY":
            mark(record, "unknown", "method")
        if any(found.get("certainty") == "observed" for found in chain):
            mark(record, "observed", "middleware")
        self._add_bodies(record, entry)
        self._link(record, endpoint)
        return record

    def _add_bodies(self, record: dict[str, Any], entry: Any) -> None:
        dependant = getattr(entry, "dependant", None)
        if dependant is None:
            return
        request = [_field_type(field) for field in _parameters(dependant, "body_params")]
        response = getattr(entry, "response_model", None)
        for annotation in (*request, response):
            self.models.add_from(annotation)
        bodies = dict.fromkeys(body_text(annotation, self.document) for annotation in request)
        put(record, request_body=" | ".join(bodies), response_body=body_text(response, self.document))
        with_details(
            record,
            documentation=_first_line(getattr(entry, "summary", None) or getattr(entry, "description", None)),
            tags=[str(getattr(tag, "value", tag)) for tag in getattr(entry, "tags", None) or ()],
            deprecated=bool(getattr(entry, "deprecated", None)),
            parameters=self._query(dependant),
            responses=self._responses(entry, response),
        )

    def _query(self, dependant: Any) -> list[dict[str, Any]]:
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for location in ("path", "query", "header", "cookie"):
            for field in _parameters(dependant, f"{location}_params"):
                self.models.add_from(_field_type(field))
                name = getattr(field, "alias", None) or field.name
                required = _required(field)
                record = {"name": name, "location": location, "type": type_text(_field_type(field))}
                default = "" if required else self.document.redactor.value(_default(field), name)
                put(record, required=required, default_value="" if default == "None" else default)
                found.setdefault((location, name), record)
        return list(found.values())

    def _responses(self, entry: Any, response: Any) -> list[dict[str, Any]]:
        status = getattr(entry, "status_code", None)
        first = put(
            {"status": str(int(status)) if status else "200"}, body=body_text(response, self.document)
        )
        found = {first["status"]: first} if response is not None or status else {}
        for code, described in (getattr(entry, "responses", None) or {}).items():
            model = described.get("model")
            self.models.add_from(model)
            text = described.get("description")
            record = put({"status": str(code)}, body=body_text(model, self.document), documentation=text)
            found.setdefault(str(code), record)
        return list(found.values())

    def _link(self, record: dict[str, Any], endpoint: Any) -> None:
        touched = named_resources(self.document, endpoint)
        if touched:
            with_details(record, resources=touched)
            mark(record, "inferred", "resources")
        bodies = [
            record.get(key, "").partition("[]")[2] or record.get(key, "")
            for key in ("response_body", "request_body")
        ]
        candidates = (
            touched if len(touched) == 1 else [body for body in bodies if body in self.document.resources]
        )
        if candidates:
            record["resource"] = candidates[0]
        mark(record, "inferred" if candidates else "unknown", "resource")

    def _dependencies(self, entry: Any) -> list[dict[str, Any]]:
        dependant = getattr(entry, "dependant", None)
        steps: list[dict[str, Any]] = []
        seen: set[Any] = set()
        for needed in getattr(dependant, "dependencies", None) or ():
            self._add_dependency(needed, steps, seen, 0)
        return steps

    def _add_dependency(self, needed: Any, steps: list[dict[str, Any]], seen: set[Any], depth: int) -> None:
        scopes = _own_scopes(needed)
        key = (id(needed.call), tuple(scopes))
        if key in seen and getattr(needed, "use_cache", True):
            return
        if depth < 100:
            for inner in getattr(needed, "dependencies", None) or ():
                self._add_dependency(inner, steps, seen, depth + 1)
        seen.add(key)
        if needed.call is not None:
            kind = "security" if _is_security(needed.call) else "dependency"
            steps.append(step(self.document, needed.call, short_name(needed.call), kind, scopes=scopes))


def _parameters(dependant: Any, group: str) -> list[Any]:
    """Return the parameters of the handler and of all its dependencies."""
    found = list(getattr(dependant, group, None) or ())
    for needed in getattr(dependant, "dependencies", None) or ():
        found += _parameters(needed, group)
    return found


def _own_scopes(needed: Any) -> list[str]:
    scopes = getattr(needed, "own_oauth_scopes", None)
    if scopes is None:  # before 0.121 each dependant had the scopes of everything above it, its own last
        scopes = getattr(needed, "security_scopes", None)
    return [str(scope) for scope in scopes or ()]


def _is_security(call: Any) -> bool:
    return any(cls.__name__ == "SecurityBase" for cls in type(call).__mro__)


def _field_type(field: Any) -> Any:
    info = getattr(field, "field_info", None)
    annotation = getattr(info, "annotation", None)
    return (
        annotation if annotation is not None else getattr(field, "outer_type_", getattr(field, "type_", None))
    )


def _required(field: Any) -> bool:
    info = getattr(field, "field_info", None)
    is_required = getattr(info, "is_required", None)
    return bool(is_required()) if callable(is_required) else bool(getattr(field, "required", False))


def _default(field: Any) -> Any:
    info = getattr(field, "field_info", None)
    factory = getattr(info, "default_factory", None)
    return factory if factory is not None else getattr(info, "default", getattr(field, "default", None))


def _arguments(middleware: Any) -> dict[str, Any]:
    for name in ("kwargs", "options"):  # Starlette renamed it in 0.35
        found = getattr(middleware, name, None)
        if isinstance(found, dict):
            return found
    return {}


def _is_async(function: Any) -> bool:
    import inspect

    return inspect.iscoroutinefunction(function)


def _first_line(text: Any) -> str:
    return text.strip().partition("\n")[0].strip() if isinstance(text, str) else ""
