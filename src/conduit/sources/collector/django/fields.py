"""A Django field as a record: class, null, default, choices, limits and validators; nothing of it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..callables import qualified_name
from ..document import mark, put, with_details
from .relationships import on_delete

if TYPE_CHECKING:
    from ..document import Document


class Fields:
    """Turns fields into records."""

    def __init__(self, api: Any, document: Document) -> None:
        self.api = api
        self.document = document

    def field(self, model: Any, field: Any) -> dict[str, Any]:
        """Return the record of a forward field; inherited fields are included."""
        generated = bool(getattr(field, "generated", False))
        auto = (
            bool(field.auto_created)
            or "Auto" in getattr(field, "get_internal_type", str)()
            or _is_stamped(field)
        )
        null = bool(getattr(field, "null", False))
        given = null or bool(getattr(field, "blank", False)) or _has_default(field) or auto or generated
        record: dict[str, Any] = {
            "name": field.name,
            "type": type(field).__name__,
            "nullable": null,
            "required": not given and field.concrete,
        }
        put(
            record,
            default_value=self._default(field),
            constraints=self._limits(field),
            documentation=self.document.redactor.text(str(getattr(field, "help_text", "") or "")),
        )
        self._add_details(record, model, field)
        self._add_choices(record, field)
        self.add_location(record, model, field)
        return record

    def _add_details(self, record: dict[str, Any], model: Any, field: Any) -> None:
        home = field.model
        length = getattr(field, "max_length", None)
        column = getattr(field, "column", None) or ""
        with_details(
            record,
            column=column if column != field.name else "",
            primary_key=bool(getattr(field, "primary_key", False)),
            unique=bool(getattr(field, "unique", False)),
            indexed=bool(getattr(field, "db_index", False)),
            read_only=bool(getattr(field, "generated", False)),
            max_length=length if isinstance(length, int) else 0,
            expression=self.document.redactor.text(str(getattr(field, "expression", "") or "")),
            inherited_from=home._meta.label if home is not model else "",
            server_default=self._database_default(field),
        )
        if field.is_relation:
            target: Any = getattr(field, "related_model", None)
            remote = getattr(field, "remote_field", None)
            action: Any = getattr(remote, "on_delete", None)
            references = target._meta.label if hasattr(target, "_meta") else "*"
            with_details(record, references=references, on_delete=on_delete(action) if action else "")

    def add_location(self, record: dict[str, Any], model: Any, field: Any) -> None:
        """Add the line where the field is written; for a field that Django added, the line of the class."""
        path, line = self.document.locations.of_attribute(model, field.name)
        if not line:
            path, line = self.document.locations.of_class(field.model)
            with_details(record, inferred=["line_number"] if line else [])
        put(record, line_number=line)
        with_details(record, file_path=path if path != self.document.locations.of_class(model)[0] else "")

    def _default(self, field: Any) -> str:
        if not field.has_default():  # a default of the database is not among these
            return ""
        default = field.default
        text = self.document.redactor.value(default, field.name)
        return f"{text}()" if callable(default) else text

    def _database_default(self, field: Any) -> str:
        default = getattr(field, "db_default", self.api.NOT_PROVIDED)
        if default is None or default is self.api.NOT_PROVIDED:
            return ""
        value = getattr(default, "value", default)  # Django wraps a plain value in an expression
        return (
            self.document.redactor.text(str(value))
            if hasattr(value, "resolve_expression")
            else self.document.redactor.value(value, field.name)
        )

    def _limits(self, field: Any) -> list[str]:
        found = []
        if getattr(field, "primary_key", False):
            found.append("@primary")
        elif getattr(field, "unique", False):
            found.append("@unique")
        for name in ("max_length", "max_digits", "decimal_places"):
            if isinstance(getattr(field, name, None), int):
                found.append(f"@{name}({getattr(field, name)})")
        for name in ("auto_now", "auto_now_add", "blank"):
            if getattr(field, name, False) is True:
                found.append(f"@{name}")
        return found

    def _add_choices(self, record: dict[str, Any], field: Any) -> None:
        choices = getattr(field, "choices", None)
        if choices is None:
            return
        function = getattr(choices, "func", None)
        if callable(function):  # given as a callable: it may query, so it is named and not called
            put(
                record,
                constraints=[*record.get("constraints", []), f"@choices({qualified_name(function)}())"],
            )
            mark(record, "unknown", "choices")
            return
        values = [value for value, _ in field.flatchoices]
        with_details(record, choices=[value if isinstance(value, str) else str(value) for value in values])

    def validations(self, model: Any, field: Any) -> list[dict[str, Any]]:
        """Return the field's validators in running order, without Django's own for `max_length`."""
        found = []
        given = [*getattr(field, "default_validators", ()), *getattr(field, "_validators", ())]
        for validator in given:
            limit = getattr(validator, "limit_value", None)
            if limit is None:
                limit = getattr(getattr(validator, "regex", None), "pattern", None)
            value = (
                limit
                if isinstance(limit, str)
                else ""
                if limit is None
                else self.document.redactor.value(limit)
            )
            name = qualified_name(validator)
            record = {"field": field.name, "type": name.partition(":")[2], "line_number": 0}
            path, line = self.document.locations.of_function(validator)
            put(record, value=value, handler=name, line_number=line, file_path=path)
            found.append(record)
        return found


def _has_default(field: Any) -> bool:
    has_default = getattr(field, "has_default", None)
    if callable(has_default) and has_default():
        return True
    has_database_default = getattr(field, "has_db_default", None)
    return bool(callable(has_database_default) and has_database_default())


def _is_stamped(field: Any) -> bool:
    return bool(getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False))
