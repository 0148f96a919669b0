"""Peewee: every model class that is loaded, with its fields, keys and association tables.

Peewee has no list of models; they are the subclasses of `peewee.Model`. A base class that only holds settings (it has
subclasses, and no field of its own except the automatic key) is not a model of the application.
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


def collect_peewee(document: Document) -> None:
    """Add every model, if Peewee is loaded."""
    peewee = sys.modules.get("peewee")
    if peewee is None:
        return
    models = [model for model in subclasses_of(peewee.Model) if _is_of_application(peewee, model)]
    for model in models:
        document.add_resource(_empty(document, model), model)
    for model in models:
        with document.attempt(f"peewee model {document.id_of(model)}"):
            _fill(document, peewee, model)
    for model in models:
        with document.attempt(f"peewee relationships of {document.id_of(model)}"):
            _relate(document, peewee, model)
    if models:
        document.sources.append(put({"kind": "peewee"}, version=str(getattr(peewee, "__version__", ""))))


def _is_of_application(peewee: Any, model: Any) -> bool:
    if (
        model.__module__.partition(".")[0] in ("peewee", "playhouse")
        or type(model).__name__ == "_metaclass_helper_"
    ):
        return False
    own = [field for field in model._meta.sorted_fields if not isinstance(field, peewee.AutoField)]
    return bool(own) or not model.__subclasses__()


def _empty(document: Document, model: Any) -> dict[str, Any]:
    record = resource(f"{model.__module__}:{model.__qualname__}", model.__name__, "peewee_model")
    path, line = document.locations.of_class(model)
    record["file_path"] = path
    put(
        record,
        documentation=own_doc(model),
        line_number=line,
        origin=document.locations.origin(model.__module__),
    )
    return with_details(
        record,
        module=model.__module__,
        qualname=model.__qualname__,
        role="table",
        table=model._meta.table_name,
        table_schema=model._meta.schema or "",
    )


def _fill(document: Document, peewee: Any, model: Any) -> None:
    record = document.resources[document.id_of(model)]
    for field in model._meta.sorted_fields:
        record["fields"].append(_field(document, peewee, model, field))
    for columns, unique in model._meta.indexes:
        if unique:
            names = [str(column) for column in columns]
            record["constraints"].append(
                constraint_record("", "unique", f"unique({', '.join(names)})", names)
            )
    for constraint in model._meta.constraints or ():
        text = str(getattr(constraint, "sql", constraint))
        kind = text.partition(" ")[0].lower()
        record["constraints"].append(constraint_record("", kind, text, []))


def _field(document: Document, peewee: Any, model: Any, field: Any) -> dict[str, Any]:
    automatic = isinstance(field, peewee.AutoField)
    default = field.default
    record = {
        "name": field.name,
        "type": type(field).__name__,
        "nullable": bool(field.null),
        "required": not (field.null or automatic or default is not None),
    }
    path, line = document.locations.of_attribute(model, field.name)
    limit = getattr(field, "max_length", None)
    put(
        record,
        default_value="" if default is None else document.redactor.value(default, field.name),
        constraints=[f"@max_length({limit})"] if limit else [],
        documentation=field.help_text or "",
        line_number=line,
    )
    key = isinstance(field, peewee.ForeignKeyField)
    return with_details(
        record,
        column=field.column_name if field.column_name != field.name else "",
        primary_key=bool(field.primary_key),
        unique=bool(field.unique),
        indexed=bool(field.index) and not field.unique,
        choices=[str(value) for value, _ in field.choices or ()],
        references=document.id_of(field.rel_model) if key else "",
        on_delete=normal_action(field.on_delete) if key else "",
        file_path=path if path != document.resources[document.id_of(model)]["file_path"] else "",
    )


def _relate(document: Document, peewee: Any, model: Any) -> None:
    record = document.resources[document.id_of(model)]
    for field in model._meta.sorted_fields:
        if isinstance(field, peewee.ForeignKeyField) and document.id_of(field.rel_model):
            _add_key(document, record, model, field)
    for name, field in model._meta.manytomany.items():
        _add_many(document, record, name, field)


def _add_key(document: Document, record: dict[str, Any], model: Any, field: Any) -> None:
    target = document.id_of(field.rel_model)
    held = {"name": field.name, "type": "belongs_to", "target_resource": target}
    put(
        held,
        foreign_key=field.column_name,
        on_delete=normal_action(field.on_delete),
        on_update=normal_action(field.on_update),
        line_number=document.locations.of_attribute(model, field.name)[1],
    )
    backwards = field.backref if isinstance(field.backref, str) else ""
    with_details(
        held,
        nullable=bool(field.null),
        unique=bool(field.unique),
        inverse_name="" if backwards == "+" else backwards,
    )
    record["relationships"].append(held)
    if backwards and backwards != "+":
        view = {"name": backwards, "type": "has_many", "target_resource": record["id"]}
        put(view, foreign_key=field.column_name)
        document.resources[target]["relationships"].append(
            with_details(view, inverse=True, inverse_name=field.name)
        )


def _add_many(document: Document, record: dict[str, Any], name: str, field: Any) -> None:
    target = document.id_of(field.rel_model)
    if not target:
        return
    through = field.get_through_model()
    entry = {"name": name, "type": "has_many_through", "target_resource": target}
    put(entry, through_table=through._meta.table_name)
    backwards = (
        field._is_backref if hasattr(field, "_is_backref") else type(field).__name__.startswith("Back")
    )
    record["relationships"].append(
        with_details(entry, through=document.id_of(through), inverse=bool(backwards))
    )
