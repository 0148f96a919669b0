"""Columns, their types and defaults, and a table's constraints and indexes, as records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..document import constraint_record, put, with_details

if TYPE_CHECKING:
    from ..document import Document
    from ..pydantic.models import PydanticModels


class Columns:
    """Turns mapped columns into fields."""

    def __init__(self, api: Any, document: Document, models: PydanticModels) -> None:
        self.api = api
        self.document = document
        self.models = models

    def field(self, mapper: Any, attribute: Any) -> dict[str, Any]:
        """Return the field of a mapped attribute; its line is where the class, a mixin or a parent binds the name."""
        column = attribute.columns[0]
        record = self._column(attribute.key, column)
        cls = mapper.class_
        path, line = self.document.locations.of_attribute(cls, attribute.key)
        home_path, home_line = self.document.locations.of_class(cls)
        if line:
            put(record, line_number=line)
        elif home_line:  # reflected, or given by a class that writes no such name
            put(record, line_number=home_line)
            with_details(record, inferred=["line_number"])
        with_details(
            record,
            inherited_from=self._declared_by(mapper, attribute.key),
            file_path=path if path not in ("", home_path) else "",
        )
        return record

    def _declared_by(self, mapper: Any, key: str) -> str:
        parent = mapper.inherits
        if (
            parent is not None
            and key in parent.column_attrs
            and key not in mapper.class_.__dict__.get("__annotations__", {})
        ):
            return f"{parent.class_.__module__}:{parent.class_.__qualname__}"
        return ""

    def plain_field(self, column: Any) -> dict[str, Any]:
        """Return the field of a column that no class maps."""
        return self._column(column.key, column)

    def _column(self, name: str, column: Any) -> dict[str, Any]:
        kind = column.type
        nullable = bool(getattr(column, "nullable", True))
        generated = _is_generated(column)
        has_default = (
            getattr(column, "default", None) is not None
            or getattr(column, "server_default", None) is not None
        )
        record: dict[str, Any] = {
            "name": name,
            "type": type(kind).__name__,
            "nullable": nullable,
            "required": not (nullable or has_default or generated),
        }
        put(
            record,
            default_value=self._default(column, name),
            constraints=_constraints(column, kind),
            documentation=self.document.redactor.text(_documentation(column)),
        )
        return with_details(
            record,
            column=column.name if getattr(column, "name", name) != name else "",
            primary_key=bool(getattr(column, "primary_key", False)),
            unique=bool(getattr(column, "unique", None)),
            indexed=bool(getattr(column, "index", None)),
            max_length=_length(kind),
            choices=[str(value) for value in getattr(kind, "enums", None) or ()],
            expression=self._expression(column),
            server_default=self._server_default(column, name),
        )

    def _default(self, column: Any, name: str) -> str:
        default = getattr(column, "default", None)
        if default is None:
            return ""
        if getattr(default, "is_sequence", False):
            return f"sequence({default.name})"
        argument = getattr(default, "arg", None)
        if getattr(default, "is_callable", False):
            return self.document.redactor.value(_unwrapped(argument), name) + "()"
        if getattr(default, "is_clause_element", False):
            return self.document.redactor.text(sql_text(argument))
        return self.document.redactor.value(argument, name)

    def _server_default(self, column: Any, name: str) -> str:
        default = getattr(column, "server_default", None)
        argument = getattr(default, "arg", None)
        if argument is None:
            return ""
        value = self.document.redactor.value(sql_text(argument), name)
        return value[1:-1] if value[:1] in "'\"" and value[-1:] == value[:1] else value

    def _expression(self, column: Any) -> str:
        computed = getattr(column, "computed", None)
        if computed is not None:
            return self.document.redactor.text(sql_text(computed.sqltext))
        if not hasattr(column, "table") or not hasattr(
            column, "nullable"
        ):  # column_property of an expression
            return self.document.redactor.text(sql_text(column))
        return ""

    def constraints(self, table: Any) -> list[dict[str, Any]]:
        """Return the table's checks, unique constraints and named keys; foreign keys are elsewhere."""
        found = []
        for constraint in getattr(table, "constraints", ()):
            fields = [column.key for column in getattr(constraint, "columns", ())]
            if isinstance(constraint, self.api.UniqueConstraint):
                kind, condition = "unique", f"unique({', '.join(fields)})"
            elif isinstance(constraint, self.api.CheckConstraint):
                kind, condition = "check", self.document.redactor.text(sql_text(constraint.sqltext))
            elif isinstance(constraint, (self.api.PrimaryKeyConstraint, self.api.ForeignKeyConstraint)):
                continue
            else:
                kind, condition = type(constraint).__name__, ""
            record = constraint_record(_name(constraint), kind, condition, fields)
            found.append(record)
        return sorted(
            found, key=lambda c: (c["name"], c.get("kind", ""), c["condition"], c.get("fields", []))
        )

    def add_model_side(self, record: dict[str, Any], cls: Any) -> None:
        """Add the limits, descriptions and validators of a SQLModel class as a Pydantic model."""
        if not self.models.is_model(cls):
            return
        infos = self.models.fields(cls)
        for field in record["fields"]:
            info = infos.get(field["name"])
            if info is not None:
                limits = [*field.get("constraints", []), *self.models.constraints(info)]
                described = getattr(info, "description", None)
                put(field, constraints=list(dict.fromkeys(limits)))
                if isinstance(described, str) and "documentation" not in field:
                    put(field, documentation=self.document.redactor.text(described))
        self.models.add_checks(record, cls)


def sql_text(expression: Any) -> str:
    """Return the expression as SQL, or the name of its class if it compiles for certain databases only."""
    try:
        return str(expression)
    except Exception:  # a construct of the application's own: its compiler may raise anything
        return f"<{type(expression).__name__}>"


def _name(constraint: Any) -> str:
    name = getattr(constraint, "name", None)
    return str(name) if isinstance(name, str) and not name.startswith("_unnamed_") else ""


def index_record(index: Any) -> dict[str, Any]:
    """Return an index as a record; an indexed expression is among the fields, as SQL."""
    fields = [getattr(expression, "key", None) or sql_text(expression) for expression in index.expressions]
    return put({}, name=str(index.name or ""), fields=fields, unique=bool(index.unique))


def _is_generated(column: Any) -> bool:
    if getattr(column, "computed", None) is not None or getattr(column, "identity", None) is not None:
        return True
    table = getattr(column, "table", None)
    return column is not None and getattr(table, "_autoincrement_column", None) is column


def _constraints(column: Any, kind: Any) -> list[str]:
    found = []
    if getattr(column, "primary_key", False):
        found.append("@primary")
    if getattr(column, "unique", None):
        found.append("@unique")
    length = _length(kind)
    if length:
        found.append(f"@max_length({length})")
    if getattr(kind, "precision", None) is not None:
        found.append(f"@precision({kind.precision}, {getattr(kind, 'scale', None)})")
    return found


def _length(kind: Any) -> int:
    length = getattr(kind, "length", None)
    if getattr(kind, "enums", None):  # the longest of its own values
        return 0
    return length if isinstance(length, int) else 0


def _documentation(column: Any) -> str:
    return str(getattr(column, "comment", None) or getattr(column, "doc", None) or "")


def _unwrapped(function: Any) -> Any:
    """Return the given function: SQLAlchemy wraps one without arguments in a lambda that takes a context."""
    return getattr(function, "__wrapped__", function)
