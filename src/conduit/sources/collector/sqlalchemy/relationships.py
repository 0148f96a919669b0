"""Relationships of mapped classes, with the foreign keys below them.

Both ends of a relation describe one edge, which belongs to the side with the foreign key: the other end is marked
`inverse` and has the edge's name in `inverse_name`. A foreign key that no relationship uses is also an edge, of type
`references`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..document import put, with_details
from .configuring import is_resolved

if TYPE_CHECKING:
    from ..document import Document


class Relationships:
    """Turns a mapper's relationships into records; `identities` gives every mapper's resource id."""

    def __init__(self, api: Any, document: Document, identities: dict[Any, str]) -> None:
        self.document = document
        self.identities = identities
        self._of_table: dict[Any, str] = {}
        for mapper, identity in identities.items():
            if mapper.local_table is not None and (mapper.inherits is None or not _shares_table(mapper)):
                self._of_table.setdefault(mapper.local_table, identity)

    def add(self, record: dict[str, Any], mapper: Any) -> None:
        """Add the mapper's relationships in the order of its attributes, then other foreign keys, and the parent."""
        names = {column: attribute.key for attribute in mapper.column_attrs for column in attribute.columns}
        covered: set[Any] = set()
        usable = [relationship for relationship in mapper.relationships if is_resolved(relationship)]
        for relationship in sorted(usable, key=lambda r: r.key):
            found = self._relationship(mapper, relationship, names)
            record["relationships"].append(found)
            if relationship.direction.name == "MANYTOONE":
                covered |= _keys(relationship)
        if mapper.inherits is not None:
            record["relationships"].append(self._parent(mapper, covered))
        self.add_keys(record, mapper.local_table, names, covered)

    def _relationship(self, mapper: Any, relationship: Any, names: dict[Any, str]) -> dict[str, Any]:
        direction = relationship.direction.name
        kind = {"MANYTOONE": "belongs_to", "MANYTOMANY": "has_many_through"}.get(direction, "has_many")
        if direction == "ONETOMANY" and not relationship.uselist:
            kind = "has_one"
        target = self.identities.get(relationship.mapper, _class_id(relationship.mapper))
        record = {"name": relationship.key, "type": kind, "target_resource": target}
        keys = sorted(_keys(relationship), key=str)
        columns = sorted(
            relationship.local_columns if direction == "MANYTOONE" else relationship.remote_side, key=str
        )
        line, path, certain = self._line(mapper, relationship)
        action = on_delete(keys[0].ondelete) if keys and direction != "MANYTOMANY" else ""
        put(
            record,
            foreign_key=", ".join(names.get(c, c.key) for c in columns) if direction != "MANYTOMANY" else "",
            through_table=_table_name(relationship.secondary),
            on_delete=action if direction == "MANYTOONE" else "",
            on_update=on_delete(keys[0].onupdate) if keys and direction == "MANYTOONE" else "",
            line_number=line,
        )
        other = _other_side(relationship)
        with_details(
            record,
            inverse=direction == "ONETOMANY" or _is_second(relationship, other, self.identities),
            inverse_name=other.key if other is not None else "",
            through=self._through(relationship.secondary),
            nullable=direction == "MANYTOONE" and all(c.nullable for c in relationship.local_columns),
            unique=direction == "MANYTOMANY" and not relationship.uselist,  # one of many, through a table
            cascade=sorted(relationship.cascade),
            view_only=bool(relationship.viewonly),
            passive_deletes=str(relationship.passive_deletes or "").lower(),
            inferred=[] if certain else ["line_number"],
            file_path=path if path != self.document.locations.of_class(mapper.class_)[0] else "",
            inherited_from=self._declared_by(mapper, relationship),
            database_on_delete=action if direction == "ONETOMANY" else "",
        )
        return record

    def _through(self, table: Any) -> str:
        if table is None:
            return ""
        return self._of_table.get(table) or f"table:{_table_name(table)}"

    def _declared_by(self, mapper: Any, relationship: Any) -> str:
        parent = relationship.parent
        return self.identities.get(parent, "") if parent is not mapper else ""

    def _line(self, mapper: Any, relationship: Any) -> tuple[int, str, bool]:
        """Return line and file of the declaration; for a backref, those of the side that declares it."""
        path, line = self.document.locations.of_attribute(mapper.class_, relationship.key)
        if line:
            return line, path, True
        other = _other_side(relationship)
        if other is not None:
            path, line = self.document.locations.of_attribute(other.parent.class_, other.key)
            return line, path, False
        return 0, "", True

    def _parent(self, mapper: Any, covered: set[Any]) -> dict[str, Any]:
        target = self.identities.get(mapper.inherits, _class_id(mapper.inherits))
        record: dict[str, Any] = {
            "name": f"{mapper.inherits.class_.__name__} (parent)",
            "type": "inherits",
            "target_resource": target,
        }
        table = mapper.local_table
        with_details(record, cascade=["delete"])  # the object mapper deletes the rows of both
        if not _shares_table(mapper):
            above = {t for parent in mapper.inherits.iterate_to_root() for t in parent.tables}
            keys = [
                key for key in _table_keys(table) if _target_table(key) in above and key.parent.primary_key
            ]
            covered.update(keys)
            if keys:
                put(
                    record,
                    foreign_key=", ".join(key.parent.key for key in keys),
                    on_delete=on_delete(keys[0].ondelete),
                )
        return record

    def add_keys(self, record: dict[str, Any], table: Any, names: dict[Any, str], covered: Any = ()) -> None:
        """Note the target of each foreign key on its field.

        Those that no relationship covers are added as edges of type `references`.
        """
        fields = {field["name"]: field for field in record["fields"]}
        for key in _table_keys(table):
            name = names.get(key.parent, key.parent.key)
            target = _target_table(key)
            action = on_delete(key.ondelete)
            if name in fields:
                with_details(fields[name], references=str(key.target_fullname), on_delete=action)
            if key in covered or name not in fields:
                continue
            identity = self._of_table.get(target, f"table:{target.fullname}" if target is not None else "")
            reference = {
                "name": name,
                "type": "references",
                "target_resource": identity or str(key.target_fullname),
            }
            put(reference, foreign_key=name, on_delete=action, on_update=on_delete(key.onupdate))
            put(reference, line_number=fields[name].get("line_number", 0))
            record["relationships"].append(with_details(reference, nullable=bool(key.parent.nullable)))


def on_delete(written: Any) -> str:
    """Return the database's action in the document's terms; empty if none is declared (the database then refuses)."""
    return str(written).strip().lower().replace(" ", "_") if written else ""


def _keys(relationship: Any) -> set[Any]:
    columns = [column for pair in relationship.local_remote_pairs or () for column in pair]
    present = set(columns)
    return {
        key
        for column in columns
        for key in getattr(column, "foreign_keys", ())
        if _target_column(key) in present
    }


def _table_keys(table: Any) -> list[Any]:
    found = [key for column in getattr(table, "columns", ()) for key in sorted(column.foreign_keys, key=str)]
    return [key for key in found if key.parent.table is table]


def _target_column(key: Any) -> Any:
    try:
        return key.column
    except (
        Exception
    ):  # an unresolvable name: SQLAlchemy raises one of several kinds; the text stays as it was written
        return None


def _target_table(key: Any) -> Any:
    column = _target_column(key)
    return column.table if column is not None else None


def _other_side(relationship: Any) -> Any:
    """Return the relationship at the other end of the edge (`back_populates` or a backref), or `None`."""
    others = getattr(relationship, "_reverse_property", None) or ()
    named = getattr(relationship, "back_populates", None)
    if isinstance(named, str) and named in relationship.mapper.relationships:
        other = relationship.mapper.relationships[named]
        return other if is_resolved(other) else None
    return sorted(others, key=lambda r: (str(r.parent.class_.__qualname__), r.key))[0] if others else None


def _is_second(relationship: Any, other: Any, identities: dict[Any, str]) -> bool:
    """Return whether this end of a many-to-many relation sorts after the other; neither holds the key."""
    if relationship.direction.name != "MANYTOMANY" or other is None or other is relationship:
        return False
    mine = (identities.get(relationship.parent, ""), relationship.key)
    return mine > (identities.get(other.parent, ""), other.key)


def _shares_table(mapper: Any) -> bool:
    return mapper.inherits is not None and mapper.local_table is mapper.inherits.local_table


def _class_id(mapper: Any) -> str:
    return f"{mapper.class_.__module__}:{mapper.class_.__qualname__}"


def _table_name(table: Any) -> str:
    if table is None:
        return ""
    return str(getattr(table, "fullname", None) or getattr(table, "name", None) or "")
