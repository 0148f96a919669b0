"""Relations between Django models.

Both ends of a relation refer to the same edge, which belongs to the model that holds the foreign key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..document import put, with_details

if TYPE_CHECKING:
    from ..document import Document

_ACTIONS = {
    "CASCADE": "cascade",
    "PROTECT": "protect",
    "RESTRICT": "restrict",
    "SET_NULL": "set_null",
    "SET_DEFAULT": "set_default",
    "set_on_delete": "set",  # what SET(…) makes
    "DO_NOTHING": "do_nothing",
}


def on_delete(action: Any) -> str:
    """Return the action on the row when its target is deleted: one of Django's seven, or `custom:NAME`."""
    name = getattr(action, "__name__", type(action).__name__)
    module = getattr(action, "__module__", "") or ""
    known = _ACTIONS.get(name) if module.startswith("django.db.models") else None
    if known is None and name.startswith("DB_"):  # from Django 6.1 on the database may act
        known = name[3:].lower()
    return known or f"custom:{name}"


class Relationships:
    """Turns relation fields into records."""

    def __init__(self, api: Any, document: Document) -> None:
        self.api = api
        self.document = document

    def forward(self, model: Any, field: Any) -> dict[str, Any]:
        """Return the relation from the side that declares it."""
        remote = getattr(field, "remote_field", None)
        record = {
            "name": field.name,
            "type": self._kind(field),
            "target_resource": _label(field.related_model),
        }
        action: Any = getattr(remote, "on_delete", None)
        through: Any = getattr(remote, "through", None)
        put(
            record,
            foreign_key=self._key(field),
            through_table=through._meta.db_table if hasattr(through, "_meta") else "",
            on_delete=on_delete(action) if action is not None else "",
        )
        if self._is_generic(field) and field.related_model is not None:
            record["on_delete"] = (
                "cascade"  # Django deletes the rows of a generic relation with the row they point to
            )
        self._add_location(record, model, field)
        generic = self._is_generic(field)
        with_details(
            record,
            through=_label(through) if hasattr(through, "_meta") else "",
            inverse=generic and field.related_model is not None and not field.many_to_many,
            inverse_name=self._accessor(remote),
            generic=generic,
            nullable=bool(getattr(field, "null", False)) and bool(field.concrete) and not field.many_to_many,
            unique=bool(field.one_to_one),
            target_field=self._target_field(field),
            inherited_from=field.model._meta.label if field.model is not model else "",
        )
        return record

    def _kind(self, field: Any) -> str:
        if field.related_model is None:
            return "generic"
        if field.many_to_many:
            return "has_many_through"
        if field.one_to_many:
            return "has_many"  # GenericRelation: rows elsewhere point here
        return "inherits" if getattr(field.remote_field, "parent_link", False) else "belongs_to"

    def _is_generic(self, field: Any) -> bool:
        return field.related_model is None or hasattr(field, "object_id_field_name")

    def _key(self, field: Any) -> str:
        if field.related_model is None:
            return f"{getattr(field, 'ct_field', '')}, {getattr(field, 'fk_field', '')}"
        if self._is_generic(field):
            return f"{field.content_type_field_name}, {field.object_id_field_name}"
        return getattr(field, "attname", "") if field.many_to_one or field.one_to_one else ""

    def _target_field(self, field: Any) -> str:
        named = getattr(field, "to_fields", None)
        return str(named[0]) if named and named[0] and len(named) == 1 else ""

    def _accessor(self, remote: Any) -> str:
        if remote is None or getattr(remote, "hidden", False) or not hasattr(remote, "get_accessor_name"):
            return ""
        return remote.get_accessor_name() or ""

    def _add_location(self, record: dict[str, Any], model: Any, field: Any) -> None:
        path, line = self.document.locations.of_attribute(model, field.name)
        if not line:
            path, line = self.document.locations.of_class(field.model)
            with_details(record, inferred=["line_number"] if line else [])
        put(record, line_number=line)
        with_details(record, file_path=path if path != self.document.locations.of_class(model)[0] else "")

    def reverse(self, model: Any, relation: Any) -> dict[str, Any]:
        """Return the relation from the other side: the same edge, marked `inverse`."""
        field = relation.field
        kind = (
            "has_one" if relation.one_to_one else "has_many_through" if relation.many_to_many else "has_many"
        )
        record = {
            "name": self._accessor(relation),
            "type": kind,
            "target_resource": _label(relation.related_model),
        }
        through: Any = getattr(relation, "through", None)
        put(
            record,
            foreign_key="" if relation.many_to_many else getattr(field, "attname", ""),
            through_table=through._meta.db_table if hasattr(through, "_meta") else "",
        )
        path, line = self.document.locations.of_attribute(field.model, field.name)
        put(record, line_number=line)
        return with_details(
            record,
            inverse=True,
            inverse_name=field.name,
            through=_label(through) if hasattr(through, "_meta") else "",
            file_path=path if path != self.document.locations.of_class(model)[0] else "",
            inherited_from=_label(relation.model) if relation.model is not model else "",
        )

    def add_proxy(self, record: dict[str, Any], model: Any) -> None:
        """Add the edge of a proxy to the model whose rows it shows."""
        if model._meta.proxy:
            target = _label(model._meta.proxy_for_model)
            record["relationships"].append({"name": "proxy", "type": "proxies", "target_resource": target})


def _label(model: Any) -> str:
    if model is None:
        return "*"
    return model._meta.label if hasattr(model, "_meta") else str(model)
