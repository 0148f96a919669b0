"""The picture of some resources: boxes with columns, and lines with cardinality, effect of a deletion, and cycles.

An edge is drawn once, from the side that holds the key; a many-to-many from the end that owns it. Where only the other
side declares it (`has_many`), it is drawn as the key's side would. Relations that a child inherits are drawn at the
parent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from conduit.metadata.dependencies import Graph, is_owning
from conduit.metadata.impact import declared_on_delete, normal_on_delete
from conduit.metadata.schema import Record

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from conduit.metadata.schema import Field, Relationship, Resource

CASCADE_COLOUR = "#c62828"
CYCLE_COLOUR = "#7b1fa2"
_KEYS = frozenset(("PK", "FK", "UK"))
_SEEN_FROM_THE_OTHER_SIDE = ("has_many", "has_one")


class Column(Record, frozen=True):
    """One row of a box."""

    name: str
    type: str
    mark: str
    """PK, FK, UK or empty."""


class Entity(Record, frozen=True):
    """One box."""

    name: str
    group: str
    """The application it belongs to, or empty."""
    columns: tuple[Column, ...]


class Line(Record, frozen=True):
    """One edge, from the resource that depends to the one it depends on."""

    start: str
    end: str
    label: str
    many: bool
    """Whether several rows of the start may belong to one of the end."""
    optional: bool
    """Whether a row of the start may do without."""
    both_many: bool = False
    on_delete: str = ""
    """The effect of deleting a row of the end, as `impact.normal_on_delete` names it; empty where undeclared."""
    in_cycle: bool = False
    """Whether the edge is part of a cycle of the document."""

    @property
    def text(self) -> str:
        """The label with the effect: `author (cascade)`."""
        return f"{self.label} ({self.on_delete})" if self.on_delete else self.label

    @property
    def colours(self) -> tuple[str, ...]:
        """The colours of the line, none for a plain one: red for a cascade, violet for a cycle."""
        cascade = (CASCADE_COLOUR,) if self.on_delete == "cascade" else ()
        return (*cascade, CYCLE_COLOUR) if self.in_cycle else cascade


class Diagram(Record, frozen=True):
    """One picture."""

    title: str
    entities: tuple[Entity, ...]
    lines: tuple[Line, ...]

    @property
    def rows(self) -> int:
        """The number of columns in all boxes."""
        return sum(len(entity.columns) for entity in self.entities)


def draw(
    resources: Sequence[Resource], title: str = "", document: Sequence[Resource] | None = None
) -> Diagram:
    """Return the picture of these resources and of the edges among them, in document order.

    Cycles and effects of deletions are those of the whole `document`; by default `resources` are all of it.
    """
    everything = tuple(resources if document is None else document)
    by_name = {resource.name: resource for resource in everything}
    cyclic = {(edge.from_, edge.to) for cycle in Graph(everything, by_name).cycles() for edge in cycle.edges}
    names = {resource.name for resource in resources}
    lines = [
        line
        for resource in resources
        for relationship in resource.relationships
        if relationship.target_resource in names and (line := _line(resource, relationship, by_name, cyclic))
    ]
    return Diagram(title, tuple(_entity(resource, by_name) for resource in resources), tuple(lines))


def keys_only(diagram: Diagram) -> Diagram:
    """Return the picture with primary, foreign and unique keys as the only columns."""
    entities = [
        replace(entity, columns=tuple(column for column in entity.columns if column.mark in _KEYS))
        for entity in diagram.entities
    ]
    return replace(diagram, entities=tuple(entities))


def neighbours(resources: Sequence[Resource]) -> dict[str, set[str]]:
    """Return the names at the other ends of each resource's edges, in either direction."""
    near: dict[str, set[str]] = {resource.name: set() for resource in resources}
    for resource in resources:
        for relationship in resource.relationships:
            if relationship.target_resource in near and not is_copy(relationship, near):
                near[resource.name].add(relationship.target_resource)
                near[relationship.target_resource].add(resource.name)
    return near


def names_around(near: Mapping[str, set[str]], name: str, depth: int) -> set[str]:
    """Return the names within `depth` edges of one, itself included."""
    reached, level = {name}, {name}
    for _ in range(depth):
        level = {other for one in level for other in near.get(one, ())} - reached
        if not level:
            break
        reached |= level
    return reached


def neighbourhood(resources: Sequence[Resource], name: str, depth: int) -> list[Resource]:
    """Return the resource and those within `depth` edges of it in either direction, in document order."""
    reached = names_around(neighbours(resources), name, depth)
    return [resource for resource in resources if resource.name in reached]


def application_of(resource: Resource) -> str:
    """Return the application of a resource: a Django model's label, else the package of its module, else nothing.

    A module outside of packages is its own: `shop.models` belongs to `shop`, `main` to `main`.
    """
    if resource.kind == "django_model":
        return resource.id.partition(".")[0]
    module = resource.details.module if resource.details else ""
    if not module and ":" in resource.id:
        module = resource.id.partition(":")[0]
    return module.rpartition(".")[0] or module


def is_copy(relationship: Relationship, known: Container[str]) -> bool:
    """Return whether the other side, or a parent among the `known` resources, declares the edge, and so shows it."""
    details = relationship.details
    if details is None:
        return False
    return details.inverse or (relationship.type != "inherits" and details.inherited_from in known)


def _entity(resource: Resource, known: Container[str]) -> Entity:
    keys = {one.foreign_key for one in resource.relationships if is_owning(one)}
    keyless = {one.name for one in resource.relationships if not _has_key(one)}
    own = [one for one in resource.fields if not (one.details and one.details.inherited_from in known)]
    return Entity(
        resource.name, application_of(resource), tuple(_column(field, keys, keyless) for field in own)
    )


def _has_key(relationship: Relationship) -> bool:
    details = relationship.details
    return is_owning(relationship) and not (details is not None and details.generic)


def _column(field: Field, foreign_keys: set[str], keyless: set[str]) -> Column:
    """Return the row of a field; `keyless` are the relations, many-to-many or generic, that are no column."""
    details = field.details
    if (details and details.primary_key) or "@primary" in field.constraints:
        mark = "PK"
    elif (details and details.references and field.name not in keyless) or field.name in foreign_keys:
        mark = "FK"
    else:
        mark = "UK" if (details and details.unique) or "@unique" in field.constraints else ""
    return Column(field.name, field.type, mark)


def _line(
    resource: Resource,
    relationship: Relationship,
    by_name: Mapping[str, Resource],
    cyclic: set[tuple[str, str]],
) -> Line | None:
    """Return the edge of a relationship; None where another relationship draws it."""
    if is_copy(relationship, by_name):
        return None
    details = relationship.details
    kind, target = relationship.type, relationship.target_resource
    if kind in _SEEN_FROM_THE_OTHER_SIDE and details is None:
        return _seen_from_the_other_side(resource, relationship, by_name)
    one = kind in ("inherits", "proxies", "has_one") or (details is not None and details.unique)
    return Line(
        start=resource.name,
        end=target,
        label=relationship.name,
        many=not one,
        optional=_is_optional(resource, relationship),
        both_many=kind in ("has_many_through", "many_to_many"),
        on_delete=_effect(resource, relationship, by_name),
        in_cycle=is_owning(relationship) and (resource.name, target) in cyclic,
    )


def _seen_from_the_other_side(
    resource: Resource, relationship: Relationship, by_name: Mapping[str, Resource]
) -> Line | None:
    """Return the edge that only the side without the key declares, as the key's side would."""
    holder = by_name[relationship.target_resource]
    for other in holder.relationships:
        keys = {other.foreign_key, relationship.foreign_key}
        if other.target_resource == resource.name and is_owning(other) and ("" in keys or len(keys) == 1):
            return None
    return Line(
        start=holder.name,
        end=resource.name,
        label=relationship.name,
        many=relationship.type == "has_many",
        optional=False,
        on_delete=_declared(relationship.on_delete),
    )


def _is_optional(resource: Resource, relationship: Relationship) -> bool:
    if relationship.details is not None:
        return relationship.details.nullable
    key = relationship.foreign_key
    return bool(key) and any(field.name == key and field.nullable for field in resource.fields)


def _effect(resource: Resource, relationship: Relationship, by_name: Mapping[str, Resource]) -> str:
    if is_owning(relationship) and relationship.type not in ("proxies", "serializes"):
        return _declared(declared_on_delete(resource.name, relationship, by_name))
    return ""


def _declared(on_delete: str) -> str:
    effect = normal_on_delete(on_delete)
    return "" if effect == "undeclared" else effect
