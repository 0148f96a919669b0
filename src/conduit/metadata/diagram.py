"""Entity diagrams of resources: what to draw, and how Mermaid and Graphviz spell it.

An edge is drawn once, from the side that holds the key; a many-to-many from the end that owns it. Relations that a
child inherits are drawn at the parent. Mermaid's renderers refuse a picture of more than 50,000 characters or 500
edges (https://mermaid.js.org/config/schema-docs/config.html, `maxTextSize` and `maxEdges`): above that there is one
picture for each application of the project (a Django label, a module), and fields are left out where one is still
too large.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from conduit.metadata.schema import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conduit.metadata.schema import Field, Relationship, Resource

MERMAID_CHARACTERS = 50_000
MERMAID_EDGES = 500


class Column(Record, frozen=True):
    """One line of an entity."""

    name: str
    type: str
    mark: str
    """PK, FK, UK or empty."""


class Entity(Record, frozen=True):
    """One box."""

    name: str
    group: str
    """The application it belongs to."""
    columns: tuple[Column, ...]


class Line(Record, frozen=True):
    """One edge, from who depends to what it depends on."""

    start: str
    end: str
    label: str
    many: bool
    """Whether several rows of the start may belong to one of the end."""
    optional: bool
    """Whether a row of the start may do without."""
    both_many: bool = False


class Diagram(Record, frozen=True):
    """One picture."""

    title: str
    entities: tuple[Entity, ...]
    lines: tuple[Line, ...]


def draw(resources: Sequence[Resource], title: str = "") -> Diagram:
    """The picture of these resources and of the edges among them, in document order."""
    names = {resource.name for resource in resources}
    lines = [
        _line(resource, relationship)
        for resource in resources
        for relationship in resource.relationships
        if relationship.target_resource in names and _is_drawn(relationship)
    ]
    return Diagram(title, tuple(_entity(resource) for resource in resources), tuple(lines))


def neighbourhood(resources: Sequence[Resource], name: str, depth: int) -> list[Resource]:
    """The resource and those within `depth` edges of it in either direction, in document order."""
    near: dict[str, set[str]] = {resource.name: set() for resource in resources}
    for resource in resources:
        for relationship in resource.relationships:
            if relationship.target_resource in near and _is_drawn(relationship):
                near[resource.name].add(relationship.target_resource)
                near[relationship.target_resource].add(resource.name)
    reached, level = {name}, {name}
    for _ in range(depth):
        level = {other for one in level for other in near.get(one, ())} - reached
        reached |= level
    return [resource for resource in resources if resource.name in reached]


def _is_drawn(relationship: Relationship) -> bool:
    details = relationship.details
    inherited = details is not None and bool(details.inherited_from) and relationship.type != "inherits"
    return not inherited and not (details is not None and details.inverse)


def _entity(resource: Resource) -> Entity:
    return Entity(resource.name, group_of(resource), tuple(_column(field) for field in _own(resource.fields)))


def _own(fields: Iterable[Field]) -> list[Field]:
    return [field for field in fields if not (field.details and field.details.inherited_from)]


def group_of(resource: Resource) -> str:
    """The application of a resource: its Django label, else its module, else nothing."""
    if resource.kind == "django_model":
        return resource.id.partition(".")[0]
    return resource.details.module if resource.details else ""


def _column(field: Field) -> Column:
    details = field.details
    mark = "PK" if details and details.primary_key else "FK" if details and details.references else ""
    return Column(field.name, field.type, mark or ("UK" if details and details.unique else ""))


def _line(resource: Resource, relationship: Relationship) -> Line:
    details = relationship.details
    kind = relationship.type
    one = kind in ("inherits", "proxies", "has_one") or (details is not None and details.unique)
    return Line(
        start=resource.name,
        end=relationship.target_resource,
        label=relationship.name,
        many=not one,
        optional=details is not None and details.nullable,
        both_many=kind in ("has_many_through", "many_to_many"),
    )


# --- Mermaid


def to_mermaid(diagram: Diagram) -> str:
    """The picture as a Mermaid `erDiagram`, with a final newline."""
    rows = ["erDiagram"]
    for entity in diagram.entities:
        rows.append(
            f"  {_mermaid_name(entity.name)} {{" if entity.columns else f"  {_mermaid_name(entity.name)}"
        )
        if entity.columns:
            rows += [
                f"    {_mermaid_word(c.type)} {_mermaid_word(c.name)} {c.mark}".rstrip()
                for c in entity.columns
            ]
            rows.append("  }")
    rows += [_mermaid_line(line) for line in diagram.lines]
    return "\n".join(rows) + "\n"


def _mermaid_line(line: Line) -> str:
    left = "}o" if line.many or line.both_many else "|o"
    right = "o{" if line.both_many else "o|" if line.optional else "||"
    label = line.label.replace('"', "'")
    return f'  {_mermaid_name(line.start)} {left}--{right} {_mermaid_name(line.end)} : "{label}"'


def _mermaid_name(name: str) -> str:
    return '"' + re.sub(r'["%\\]', "_", name) + '"'


def _mermaid_word(text: str) -> str:
    word = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "unknown"
    return word if word[0].isalpha() else f"_{word}"


def split_for_mermaid(resources: Sequence[Resource], title: str = "") -> list[Diagram]:
    """One picture where Mermaid can show it, else one for each application; see the module's text."""
    whole = draw(resources, title)
    if _fits(whole):
        return [whole]
    groups: dict[str, list[Resource]] = {}
    for resource in resources:
        groups.setdefault(group_of(resource), []).append(resource)
    return [_reduced(draw(groups[group], group)) for group in sorted(groups)]


def _fits(diagram: Diagram) -> bool:
    return len(diagram.lines) <= MERMAID_EDGES and len(to_mermaid(diagram)) <= MERMAID_CHARACTERS


def _reduced(diagram: Diagram) -> Diagram:
    """The picture with fewer details, where it has too many: first only keys, then no fields."""
    for keeps in (("PK", "FK", "UK"), ()):
        if _fits(diagram):
            break
        kept = [
            replace(entity, columns=tuple(c for c in entity.columns if c.mark in keeps))
            for entity in diagram.entities
        ]
        diagram = replace(diagram, entities=tuple(kept))
    return diagram


# --- Graphviz


def to_dot(diagram: Diagram) -> str:
    """The picture in Graphviz's language, one cluster an application, with a final newline."""
    rows = [
        "digraph {",
        "  graph [rankdir=LR];",
        '  node [shape=plaintext, fontname="Helvetica", fontsize=10];',
    ]
    rows.append('  edge [fontname="Helvetica", fontsize=8, color="#666666"];')
    groups: dict[str, list[Entity]] = {}
    for entity in diagram.entities:
        groups.setdefault(entity.group, []).append(entity)
    for number, (group, entities) in enumerate(groups.items()):
        rows += [f"  subgraph cluster_{number} {{", f"    label={_quoted(group)}; color=gray80;"]
        rows += [f"    {_quoted(entity.name)} [label=<{_table(entity)}>];" for entity in entities]
        rows.append("  }")
    rows += [_dot_line(line) for line in diagram.lines]
    return "\n".join([*rows, "}"]) + "\n"


def _table(entity: Entity) -> str:
    head = f'<tr><td bgcolor="#dde6f0" colspan="2"><b>{_html(entity.name)}</b></td></tr>'
    rows = [
        f'<tr><td align="left">{_html(c.name)}{f" <i>{c.mark}</i>" if c.mark else ""}</td>'
        f'<td align="left">{_html(c.type) or "?"}</td></tr>'
        for c in entity.columns
    ]
    return f'<table border="0" cellborder="1" cellspacing="0">{head}{"".join(rows)}</table>'


def _dot_line(line: Line) -> str:
    tail = "crowodot" if line.many or line.both_many else "teeodot"
    head = "crowodot" if line.both_many else "teeodot" if line.optional else "teetee"
    style = f"label={_quoted(line.label)}, arrowtail={tail}, arrowhead={head}, dir=both"
    return f"  {_quoted(line.start)} -> {_quoted(line.end)} [{style}];"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
