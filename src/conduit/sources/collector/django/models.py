"""Django's models as resources: fields, constraints, indexes, managers' methods, properties, overridden methods."""

from __future__ import annotations

import functools
import inspect
import types
from typing import TYPE_CHECKING, Any

from ..annotations import type_text
from ..callables import innermost, qualified_name
from ..document import constraint_record, put, resource, with_details
from ..pydantic.models import own_doc
from .fields import Fields
from .relationships import Relationships

if TYPE_CHECKING:
    from ..document import Document

_OVERRIDABLE = (
    "save",
    "delete",
    "clean",
    "full_clean",
    "clean_fields",
    "validate_unique",
    "validate_constraints",
)


class Models:
    """Fills the records of models; all of them are in the document before the first is filled."""

    def __init__(self, api: Any, document: Document) -> None:
        self.api = api
        self.document = document
        self.fields = Fields(api, document)
        self.relationships = Relationships(api, document)

    @staticmethod
    def empty(model: Any, document: Document) -> dict[str, Any]:
        """Return the model's record with its identity and location, without fields."""
        meta = model._meta
        record = resource(meta.label, meta.object_name, "django_model")
        path, line = document.locations.of_class(model)
        record["file_path"] = path
        generated = (model.__doc__ or "").startswith(
            f"{model.__name__}("
        )  # Django writes one where there is none
        put(record, documentation="" if generated else document.redactor.text(own_doc(model)))
        put(record, line_number=line, origin=document.locations.origin(model.__module__))
        with_details(
            record,
            module=model.__module__,
            qualname=model.__qualname__,
            role="table",
            table=meta.db_table,
            proxy=meta.proxy,
            swapped=meta.swapped or "",
            bases=[f"{base.__module__}.{base.__qualname__}" for base in model.__bases__],
        )
        if not meta.managed:
            record["details"]["managed"] = False
        return record

    def fill(self, model: Any) -> None:
        """Add everything that the model declares or inherits."""
        record = self.document.resources[model._meta.label]
        for field in model._meta.get_fields(include_parents=True, include_hidden=False):
            with self.document.attempt(f"django field {model._meta.label}.{field.name}"):
                self._add_field(record, model, field)
        self.relationships.add_proxy(record, model)
        record["constraints"] = self._constraints(model)
        with_details(record, indexes=[self._index(index) for index in model._meta.indexes])
        self._add_overrides(record, model)
        put(record, computed_fields=self._properties(model), scopes=self._scopes(model))

    def _add_field(self, record: dict[str, Any], model: Any, field: Any) -> None:
        if field.auto_created and not field.concrete:
            if (
                field.model is model or field.model._meta.proxy
            ):  # else a parent's, which has it in its own record
                record["relationships"].append(self.relationships.reverse(model, field))
            return
        record["fields"].append(self.fields.field(model, field))
        record["validations"] += self.fields.validations(model, field)
        if field.is_relation:
            record["relationships"].append(self.relationships.forward(model, field))

    def _constraints(self, model: Any) -> list[dict[str, Any]]:
        found = [self._constraint(constraint) for constraint in model._meta.constraints]
        for names in model._meta.unique_together:
            found.append(constraint_record("", "unique", f"unique({', '.join(names)})", list(names)))
        for field in model._meta.local_fields:
            for period in ("date", "month", "year"):
                other = getattr(field, f"unique_for_{period}", None)
                if other:
                    condition = f"unique({field.name}) for each {period} of {other}"
                    found.append(constraint_record("", "unique_for", condition, [field.name, other]))
        return found

    def _constraint(self, constraint: Any) -> dict[str, Any]:
        fields = [str(name) for name in getattr(constraint, "fields", ())]
        condition = getattr(constraint, "condition", None) or getattr(constraint, "check", None)
        shown = self.document.redactor.text(_expression(condition)) if condition is not None else ""
        if isinstance(constraint, self.api.UniqueConstraint):
            named = [*fields, *(_expression(e) for e in getattr(constraint, "expressions", ()))]
            record = constraint_record(constraint.name, "unique", f"unique({', '.join(named)})", fields)
            return put(record, when=shown)
        kind = "check" if isinstance(constraint, self.api.CheckConstraint) else type(constraint).__name__
        return constraint_record(constraint.name, kind, shown, fields)

    def _index(self, index: Any) -> dict[str, Any]:
        fields = [str(name) for name in index.fields] or [_expression(e) for e in index.expressions]
        condition = (
            "" if index.condition is None else self.document.redactor.text(_expression(index.condition))
        )
        return put({}, name=index.name, fields=fields, condition=condition)

    def _add_overrides(self, record: dict[str, Any], model: Any) -> None:
        for name in _OVERRIDABLE:
            home = next((base for base in model.__mro__ if name in base.__dict__), None)
            if home is None or home is self.api.Model or home is object:
                continue
            function = innermost(home.__dict__[name])
            path, line = self.document.locations.of_function(function)
            hook = {"type": name, "transaction": False, "async": False, "line_number": line}
            put(hook, handler=f"{home.__module__}:{home.__qualname__}.{name}")
            put(hook, file_path=path if path != record["file_path"] else "")
            record["hooks"].append(put(hook, origin=self.document.locations.origin(home.__module__)))

    def _properties(self, model: Any) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for base in self._own_classes(_beside_parents(model)):
            for name, value in base.__dict__.items():
                getter = _getter(value)
                if getter is not None and name not in found and not name.startswith("__"):
                    line = self.document.locations.of_function(innermost(getter))[1]
                    returned = getattr(getter, "__annotations__", {}).get("return", "")
                    record = {
                        "name": name,
                        "type": type_text(returned) if returned != "" else "",
                        "expression": "property",
                    }
                    found[name] = put({**record, "line_number": line}, handler=qualified_name(getter))
        return [found[name] for name in sorted(found)]

    def _scopes(self, model: Any) -> list[dict[str, Any]]:
        found: dict[str, Any] = {}
        inherited = {(m.name, type(m)) for parent in model._meta.parents for m in parent._meta.managers}
        for manager in model._meta.managers:
            if (manager.name, type(manager)) in inherited:
                continue
            queryset = getattr(manager, "_queryset_class", None)
            for base in self._own_classes([*type(manager).__mro__, *getattr(queryset, "__mro__", ())]):
                for name, value in base.__dict__.items():
                    if isinstance(value, types.FunctionType) and not name.startswith("_"):
                        found.setdefault(f"{manager.name}.{name}", innermost(value))
        return [self._scope(name, found[name]) for name in sorted(found)]

    def _scope(self, name: str, function: Any) -> dict[str, Any]:
        line = self.document.locations.of_function(function)[1]
        parameters = list(inspect.signature(function).parameters)[1:]
        record = {"name": name, "query": "", "line_number": line}
        return put(record, parameters=parameters, handler=qualified_name(function))

    def _own_classes(self, classes: Any) -> list[Any]:
        """Return the classes, each once, that are not the framework's and were not generated by it."""
        found = dict.fromkeys(classes)
        return [
            cls
            for cls in found
            if cls is not object
            and self.document.locations.origin(cls.__module__) != "framework"
            and self.document.locations.of_class(cls)[1]
        ]


def _beside_parents(model: Any) -> list[Any]:
    """Return the classes from which the model has attributes, without parents that are models themselves."""
    above = {cls for parent in model._meta.parents for cls in parent.__mro__}
    return [cls for cls in model.__mro__ if cls not in above]


def _expression(expression: Any) -> str:
    return str(expression)


def _getter(value: Any) -> Any:
    if isinstance(value, property):
        return value.fget
    if isinstance(value, functools.cached_property) or type(value).__name__ == "cached_property":
        return value.func
    return None
