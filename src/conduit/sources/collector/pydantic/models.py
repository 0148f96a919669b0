"""Pydantic models as resources: fields with their constraints, validators, computed fields, and the models they hold.

A model is collected when something refers to it: a route's request or response, another model's field, or the caller.
"""

from __future__ import annotations

import sys
import typing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..annotations import allows_none, bare, classes_in, is_many, type_text, union_members
from ..callables import qualified_name
from ..document import put, resource, with_details

if TYPE_CHECKING:
    from ..document import Document

_LIMITS = {
    "ge": "min",
    "gt": "exclusive_min",
    "le": "max",
    "lt": "exclusive_max",
    "min_length": "min_length",
    "max_length": "max_length",
    "multiple_of": "multiple_of",
    "pattern": "pattern",
    "regex": "pattern",
    "max_digits": "max_digits",
    "decimal_places": "decimal_places",
    "min_items": "min_items",
    "max_items": "max_items",
}


def open_pydantic() -> Any:
    """Return Pydantic's base class and major version; `None` if the application has not imported it."""
    if "pydantic" not in sys.modules:
        return None
    try:
        import pydantic
    except ImportError:
        return None
    version = str(getattr(pydantic, "VERSION", ""))
    return SimpleNamespace(
        BaseModel=pydantic.BaseModel, version=version, major=int(version.partition(".")[0] or 0)
    )


class PydanticModels:
    """Collects models on request, each once, with the models that their fields hold."""

    def __init__(self, api: Any, document: Document) -> None:
        self.api = api
        self.document = document

    def is_model(self, thing: Any) -> bool:
        """Return whether it is a Pydantic model class other than the base class itself."""
        return (
            self.api is not None
            and isinstance(thing, type)
            and issubclass(thing, self.api.BaseModel)
            and thing is not self.api.BaseModel
        )

    def add_from(self, annotation: Any) -> None:
        """Collect every model named in the annotation, and the models in their fields."""
        waiting = [cls for cls in classes_in(annotation) if self.is_model(cls)]
        while waiting:
            cls = waiting.pop()
            if not self.document.id_of(cls):
                waiting += self._add(cls)

    def _add(self, cls: type) -> list[type]:
        record = self._empty(cls)
        self.document.add_resource(record, cls)
        held: list[type] = []
        with self.document.attempt(f"pydantic model {record['id']}"):
            for name, info in self.fields(cls).items():
                record["fields"].append(self.field(cls, name, info))
                models = [c for c in classes_in(_annotation(info)) if self.is_model(c)]
                record["relationships"] += [self._relationship(cls, name, info, target) for target in models]
                held += models
            self.add_checks(record, cls)
        return held

    def _empty(self, cls: type) -> dict[str, Any]:
        identity = f"{cls.__module__}:{cls.__qualname__}"
        if identity in self.document.resources:  # two classes of one name, made by a factory
            identity += (
                f"#{sum(1 for known in self.document.resources if known.partition('#')[0] == identity) + 1}"
            )
        record = resource(identity, cls.__name__, "pydantic_model")
        path, line = self.document.locations.of_class(cls)
        record["file_path"] = path
        put(
            record,
            documentation=own_doc(cls),
            line_number=line,
            origin=self.document.locations.origin(cls.__module__),
        )
        bases = [f"{b.__module__}:{b.__qualname__}" for b in cls.__bases__ if self.is_model(b)]
        return with_details(
            record, module=cls.__module__, qualname=cls.__qualname__, role="schema", bases=bases
        )

    def fields(self, cls: Any) -> dict[str, Any]:
        """Return the model's fields by name, in the order of definition, for any release of Pydantic."""
        if not hasattr(cls, "model_fields"):
            return dict(cls.__fields__)
        if not getattr(cls, "__pydantic_complete__", True):
            cls.model_rebuild(raise_errors=False)  # a forward reference that can be resolved by now
        return dict(cls.model_fields)

    def field(self, cls: type, name: str, info: Any) -> dict[str, Any]:
        """Return one field as a record."""
        annotation = _annotation(info)
        required = bool(info.is_required()) if hasattr(info, "is_required") else bool(info.required)
        record: dict[str, Any] = {
            "name": name,
            "type": type_text(annotation),
            "nullable": allows_none(annotation) or bool(getattr(info, "allow_none", False)),
            "required": required,
        }
        path, line = self.document.locations.of_attribute(cls, name)
        described = getattr(info, "description", None) or getattr(
            getattr(info, "field_info", None), "description", None
        )
        put(
            record,
            default_value="" if required else self._default(name, info),
            constraints=self.constraints(info),
            documentation=self.document.redactor.text(described) if isinstance(described, str) else "",
            line_number=line,
        )
        home = self._declared_by(cls, name)
        return with_details(
            record,
            alias=_alias(info, name),
            deprecated=bool(getattr(info, "deprecated", None)),
            inherited_from=home,
            file_path=path if path != self.document.locations.of_class(cls)[0] else "",
        )

    def _declared_by(self, cls: type, name: str) -> str:
        for base in cls.__mro__:
            if name in base.__dict__.get("__annotations__", {}) or name in _annotate(base):
                return "" if base is cls else f"{base.__module__}:{base.__qualname__}"
        return ""

    def _default(self, name: str, info: Any) -> str:
        factory = getattr(info, "default_factory", None)
        if factory is not None:
            return self.document.redactor.value(factory, name) + "()"
        default = getattr(info, "default", None)
        undefined = type(default).__name__ in ("PydanticUndefinedType", "UndefinedType")
        return "" if undefined else self.document.redactor.value(default, name)

    def constraints(self, info: Any) -> list[str]:
        """Return the field's limits as `@min(5)`, `@pattern(…)`, in the order declared."""
        sources = [*getattr(info, "metadata", ())]
        sources.append(getattr(info, "field_info", None))
        found = []
        for source in sources:
            for key, word in _LIMITS.items():
                value = getattr(source, key, None)
                if value is not None and not callable(value):
                    found.append(f"@{word}({self.document.redactor.text(str(value))})")
        return list(dict.fromkeys(found))

    def _relationship(self, cls: type, name: str, info: Any, target: type) -> dict[str, Any]:
        annotation = _annotation(info)
        kind = "has_many" if is_many(annotation) else "belongs_to"
        if len([m for m in union_members(annotation) if self.is_model(m)]) > 1:
            kind = "union"
        identity = f"{target.__module__}:{target.__qualname__}"
        record = {"name": name, "type": kind, "target_resource": identity}
        put(record, line_number=self.document.locations.of_attribute(cls, name)[1])
        return with_details(record, nullable=allows_none(annotation))

    def add_checks(self, record: dict[str, Any], cls: Any) -> None:
        """Add the model's validators, serializers and computed fields to the record."""
        decorators = getattr(cls, "__pydantic_decorators__", None)
        if decorators is None:
            self._add_old_validators(record, cls)
            return
        for group in ("validators", "field_validators", "root_validators", "model_validators"):
            for name, decorator in getattr(decorators, group, {}).items():
                self._add_validator(record, cls, name, decorator)
        for name, decorator in getattr(decorators, "computed_fields", {}).items():
            self._add_computed(record, cls, name, decorator)

    def _add_validator(self, record: dict[str, Any], cls: Any, name: str, decorator: Any) -> None:
        mode = getattr(decorator.info, "mode", "")
        fields = getattr(decorator.info, "fields", ("*",))
        function = getattr(decorator.func, "__func__", decorator.func)
        path, line = self.document.locations.of_function(function)
        for field in fields:
            check = {
                "field": field,
                "type": f"{mode}_validator" if mode else "validator",
                "line_number": line,
            }
            shown = path if path != record["file_path"] else ""
            record["validations"].append(put(check, handler=qualified_name(function), file_path=shown))

    def _add_old_validators(self, record: dict[str, Any], cls: Any) -> None:
        for field, validators in sorted(getattr(cls, "__validators__", {}).items()):
            for validator in validators:
                path, line = self.document.locations.of_function(validator.func)
                check = {"field": field, "type": "before_validator" if validator.pre else "after_validator"}
                check["line_number"] = line
                put(
                    check,
                    handler=qualified_name(validator.func),
                    file_path=path if path != record["file_path"] else "",
                )
                record["validations"].append(check)

    def _add_computed(self, record: dict[str, Any], cls: Any, name: str, decorator: Any) -> None:
        wrapped = decorator.info.wrapped_property
        getter = getattr(wrapped, "fget", None) or getattr(wrapped, "func", wrapped)
        line = self.document.locations.of_function(getter)[1]
        computed = {
            "name": name,
            "type": type_text(decorator.info.return_type),
            "expression": "",
            "line_number": line,
        }
        record.setdefault("computed_fields", []).append(put(computed, handler=qualified_name(getter)))


def own_doc(cls: type) -> str:
    """Return the first paragraph of the class's own docstring, on one line."""
    text = cls.__dict__.get("__doc__")
    if not isinstance(text, str):
        return ""
    return " ".join(text.strip().partition("\n\n")[0].split())


def _annotation(info: Any) -> Any:
    annotation = getattr(info, "annotation", None)
    if annotation is None and hasattr(info, "outer_type_"):
        return typing.Optional[info.outer_type_] if info.allow_none else info.outer_type_
    return bare(annotation)


def _annotate(base: type) -> Any:
    return getattr(base, "__annotations__", {}) if "__annotate_func__" in base.__dict__ else {}


def _alias(info: Any, name: str) -> str:
    alias = getattr(info, "alias", None)
    return alias if isinstance(alias, str) and alias != name else ""
