"""Tortoise: every model class that is loaded, whether or not `Tortoise.init` has run.

Before `Tortoise.init`, a key has the name of its target as text (`models.Tournament`); the class of that name is then
the target. Fields that initialisation adds (`tournament_id`, reverse relations) are omitted, since they follow from the
declared ones.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..document import constraint_record, put, resource, with_details
from ..pydantic.models import own_doc
from .on_delete import normal_action
from .subclasses import subclasses_of

if TYPE_CHECKING:
    from ..document import Document

_KEYS = {"ForeignKeyFieldInstance": "belongs_to", "OneToOneFieldInstance": "belongs_to"}
_MANY = "ManyToManyFieldInstance"


def collect_tortoise(document: Document) -> None:
    """Add every model that is not abstract, if Tortoise is loaded."""
    module = sys.modules.get("tortoise.models")
    if module is None:
        return
    found = subclasses_of(module.Model)
    models = [
        model for model in found if not model._meta.abstract and not model.__module__.startswith("tortoise.")
    ]
    for model in models:
        document.add_resource(_empty(document, model), model)
    by_name = {model.__name__: model for model in models}
    for model in models:
        with document.attempt(f"tortoise model {document.id_of(model)}"):
            _fill(document, model, by_name)
    if models:
        version = getattr(sys.modules.get("tortoise"), "__version__", "")
        document.sources.append(put({"kind": "tortoise"}, version=str(version)))


def _empty(document: Document, model: Any) -> dict[str, Any]:
    record = resource(f"{model.__module__}:{model.__qualname__}", model.__name__, "tortoise_model")
    path, line = document.locations.of_class(model)
    record["file_path"] = path
    put(
        record,
        documentation=own_doc(model),
        line_number=line,
        origin=document.locations.origin(model.__module__),
    )
    meta = model._meta
    return with_details(
        record,
        module=model.__module__,
        qualname=model.__qualname__,
        role="table",
        table=meta.db_table or model.__name__.lower(),
        table_schema=getattr(meta, "schema", None) or "",
        managed=False if getattr(meta, "manage", True) is False else None,
    )


def _fill(document: Document, model: Any, by_name: dict[str, Any]) -> None:
    record = document.resources[document.id_of(model)]
    for name, field in model._meta.fields_map.items():
        kind = type(field).__name__
        if kind.startswith("Backward") or getattr(field, "reference", None) is not None:
            continue
        if kind == _MANY and getattr(field, "_generated", False):
            continue  # the other side of a declared one
        record["fields"].append(_field(document, model, name, field, by_name))
        if kind in _KEYS or kind == _MANY:
            _relate(document, model, name, field, by_name)
    for names in model._meta.unique_together or ():
        record["constraints"].append(
            constraint_record("", "unique", f"unique({', '.join(names)})", list(names))
        )


def _target(document: Document, field: Any, by_name: dict[str, Any]) -> str:
    target = getattr(field, "related_model", None)
    if not isinstance(target, type):
        target = by_name.get(str(field.model_name).rpartition(".")[2])
    return document.id_of(target)


def _field(document: Document, model: Any, name: str, field: Any, by_name: dict[str, Any]) -> dict[str, Any]:
    default = field.default
    record = {
        "name": name,
        "type": type(field).__name__.removesuffix("Instance"),
        "nullable": bool(field.null),
        "required": not (
            field.null or field.generated or default is not None or type(field).__name__ == _MANY
        ),
    }
    path, line = document.locations.of_attribute(model, name)
    limits = [f"@max_length({field.max_length})"] if getattr(field, "max_length", None) else []
    put(
        record,
        default_value="" if default is None else document.redactor.value(default, name),
        constraints=limits,
        documentation=field.description or "",
        line_number=line,
    )
    key = type(field).__name__ in _KEYS
    return with_details(
        record,
        column=field.source_field if field.source_field not in (None, name) else "",
        primary_key=bool(field.pk),
        unique=bool(field.unique) and type(field).__name__ != _MANY,
        indexed=bool(field.index) and not field.pk,
        references=_target(document, field, by_name) if key else "",
        on_delete=normal_action(field.on_delete) if key else "",
        file_path=path if path != document.resources[document.id_of(model)]["file_path"] else "",
    )


def _relate(document: Document, model: Any, name: str, field: Any, by_name: dict[str, Any]) -> None:
    target = _target(document, field, by_name)
    if not target:
        document.add_error(
            f"tortoise model {document.id_of(model)}", f"{name}: there is no model {field.model_name!r}"
        )
        return
    kind = type(field).__name__
    many, single = kind == _MANY, kind == "OneToOneFieldInstance"
    record = document.resources[document.id_of(model)]
    line = document.locations.of_attribute(model, name)[1]
    backwards = field.related_name
    if backwards is None or backwards == "":
        backwards = model.__name__.lower() + ("" if single else "s")
    entry = {"name": name, "type": "has_many_through" if many else "belongs_to", "target_resource": target}
    if many:
        put(entry, through_table=field.through or "", line_number=line)
    else:
        column = field.source_field or f"{name}_id"
        put(entry, foreign_key=column, on_delete=normal_action(field.on_delete), line_number=line)
    with_details(entry, nullable=bool(field.null), unique=single, inverse_name=backwards or "")
    record["relationships"].append(entry)
    if backwards:
        other = "has_many_through" if many else "has_one" if single else "has_many"
        view = {"name": backwards, "type": other, "target_resource": record["id"]}
        document.resources[target]["relationships"].append(
            with_details(
                put(view, through_table=entry.get("through_table", "")), inverse=True, inverse_name=name
            )
        )
