"""Django REST framework: authentication, permissions and throttles, and the serializers of requests and responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..callables import innermost
from ..document import mark, put, resource, with_details
from ..handlers import step
from ..pydantic.models import own_doc
from ..static_access import is_a, is_class, static

if TYPE_CHECKING:
    from ..document import Document

_CHECKS = (
    ("authentication_classes", "authentication", "get_authenticators"),
    ("permission_classes", "permission", "get_permissions"),
    ("throttle_classes", "throttle", "get_throttles"),
)


class RestView:
    """Reads views of the REST framework; `rest` is the result of `api.open_rest`."""

    def __init__(self, rest: Any, document: Document) -> None:
        self.rest = rest
        self.document = document

    def steps(self, cls: Any, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the checks before the handler, in order; those that the view computes are `unknown`."""
        found = []
        for attribute, kind, getter in _CHECKS:
            home = next(base for base in cls.__mro__ if getter in base.__dict__)
            declared = options.get(attribute) or static(cls, attribute) or ()
            if is_a(declared, (list, tuple, set, frozenset)):
                for check in declared:
                    found.append(step(self.document, _class_of(check), _check_text(check), kind))
            else:
                found.append(self._undeclared(cls, attribute, declared, kind))
            if (
                home is not self.rest.APIView
                and self.document.locations.origin(home.__module__) != "framework"
            ):
                dynamic = {"name": f"{home.__name__}.{getter}()", "kind": kind, "certainty": "unknown"}
                path, line = self.document.locations.of_function(home.__dict__[getter])
                found.append(put(dynamic, file_path=path, line_number=line))
        return found + self._own_check(cls)

    def _own_check(self, cls: Any) -> list[dict[str, Any]]:
        """Return the project's method that runs in place of the framework's permission check, if a class has one."""
        home = next(base for base in cls.__mro__ if "check_permissions" in base.__dict__)
        if home is self.rest.APIView or self.document.locations.origin(home.__module__) == "framework":
            return []
        check = home.__dict__["check_permissions"]
        path, line = self.document.locations.of_function(innermost(check))
        found = {"name": f"{home.__name__}.check_permissions()", "kind": "permission", "certainty": "unknown"}
        return [put(found, file_path=path, line_number=line)]

    def _undeclared(self, cls: Any, attribute: str, declared: Any, kind: str) -> dict[str, Any]:
        """Return the step of checks that the view computes (a property), or that are no list and fail each request."""
        home = next(base for base in cls.__mro__ if attribute in base.__dict__)
        name = f"{home.__name__}.{attribute}" if not is_class(declared) else _check_text(declared)
        path, line = self.document.locations.of_attribute(home, attribute)
        return put({"name": name, "kind": kind, "certainty": "unknown"}, file_path=path, line_number=line)

    def add_bodies(self, record: dict[str, Any], cls: Any, callback: Any, method: str, action: str) -> None:
        """Add the request and response types that the view's serializer declares."""
        options = getattr(callback, "initkwargs", None) or {}
        serializer = options.get("serializer_class") or _plain(cls, "serializer_class")
        if _is_computed(cls, self.rest):
            mark(record, "unknown", "request_body", "response_body")
            return
        identity = self.add_serializer(serializer)
        if not identity:
            return
        if method in ("POST", "PUT", "PATCH"):
            put(record, request_body=identity)
        if method != "DELETE":
            put(record, response_body=("[]" if action == "list" else "") + identity)

    def add_serializer(self, serializer: Any) -> str:
        """Add the serializer class, and those nested in it, as resources; return its id, or an empty text."""
        if not isinstance(serializer, type) or not issubclass(serializer, self.rest.BaseSerializer):
            return ""
        known = self.document.id_of(serializer)
        if known:
            return known
        identity = f"{serializer.__module__}:{serializer.__qualname__}"
        record = resource(identity, serializer.__name__, "drf_serializer")
        path, line = self.document.locations.of_class(serializer)
        record["file_path"] = path
        put(record, documentation=own_doc(serializer), line_number=line)
        put(record, origin=self.document.locations.origin(serializer.__module__))
        with_details(record, module=serializer.__module__, qualname=serializer.__qualname__, role="schema")
        self.document.add_resource(record, serializer)
        self._fill(record, serializer)
        return identity

    def _fill(self, record: dict[str, Any], serializer: Any) -> None:
        model = getattr(getattr(serializer, "Meta", None), "model", None)
        identity = self.document.id_of(model)
        if identity:
            record["relationships"].append(
                {"name": "Meta.model", "type": "serializes", "target_resource": identity}
            )
        declared = getattr(serializer, "_declared_fields", {})
        for name in self._names(serializer, declared, model):
            if name in declared:
                record["fields"].append(self._declared(record, serializer, name, declared[name]))
            else:
                record["fields"].append(self._of_model(serializer, name, identity))

    def _names(self, serializer: Any, declared: Any, model: Any) -> list[str]:
        meta = getattr(serializer, "Meta", None)
        named = getattr(meta, "fields", None)
        if isinstance(named, (list, tuple)):
            return [str(name) for name in named]
        if model is None or not hasattr(model, "_meta"):
            return list(declared)
        excluded = set(getattr(meta, "exclude", None) or ())
        own = [field.name for field in model._meta.get_fields() if field.concrete and not field.auto_created]
        key = [model._meta.pk.name] if model._meta.pk is not None else []
        return [name for name in dict.fromkeys([*key, *declared, *own]) if name not in excluded]

    def _declared(self, record: dict[str, Any], serializer: Any, name: str, field: Any) -> dict[str, Any]:
        many = isinstance(field, self.rest.ListSerializer)
        child = field.child if many else field
        found = {
            "name": name,
            "type": type(child).__name__,
            "nullable": bool(getattr(field, "allow_null", False)),
            "required": bool(getattr(field, "required", False)),
        }
        put(found, line_number=self.document.locations.of_attribute(serializer, name)[1])
        with_details(found, read_only=bool(field.read_only), write_only=bool(field.write_only))
        inner = self.add_serializer(type(child)) if isinstance(child, self.rest.BaseSerializer) else ""
        if inner:
            kind = "has_many" if many else "belongs_to"
            record["relationships"].append({"name": name, "type": kind, "target_resource": inner})
        return found

    def _of_model(self, serializer: Any, name: str, model: str) -> dict[str, Any]:
        source = self.document.resources.get(model, {}).get("fields", ())
        twin = next((field for field in source if field["name"] == name), None)
        if twin is None:  # a property, a method or a field of its own making: its type is not declared
            found = {"name": name, "type": "", "nullable": False, "required": False}
            mark(found, "unknown", "type", "nullable", "required")
            return found
        meta = serializer.Meta
        read_only = name in (getattr(meta, "read_only_fields", None) or ())
        found = {key: twin[key] for key in ("name", "type", "nullable", "required")}
        with_details(
            found, read_only=read_only or bool(twin.get("details", {}).get("read_only")), inherited_from=model
        )
        mark(found, "inferred", "type", "nullable", "required")
        return found


def _class_of(check: Any) -> Any:
    return check if isinstance(check, type) else type(check)


def _check_text(check: Any) -> str:
    """Return the class's name; for a composition, the composition (`A & B`, `~A`)."""
    operator = getattr(check, "operator_class", None)
    if operator is None:
        return check.__name__ if isinstance(check, type) else type(check).__name__
    sign = {"AND": "&", "OR": "|", "NOT": "~"}.get(operator.__name__, operator.__name__)
    first = _check_text(check.op1_class)
    second = getattr(check, "op2_class", None)
    return f"({first} {sign} {_check_text(second)})" if second is not None else f"{sign}{first}"


def _plain(cls: Any, name: str) -> Any:
    for base in cls.__mro__:
        if name in base.__dict__:
            value = base.__dict__[name]
            return None if isinstance(value, property) else value
    return None


def _is_computed(cls: Any, rest: Any) -> bool:
    """Return whether the view, or a base that is not the framework's, chooses its serializer in code."""
    for base in cls.__mro__:
        if "get_serializer_class" in base.__dict__:
            return not base.__module__.startswith("rest_framework.")
    return False
