"""Mermaid's two languages for a picture: `erDiagram`, and `flowchart`, which alone has clusters and colours of lines.

Mermaid's renderers refuse a picture of more than 50,000 characters or 500 edges
(https://mermaid.js.org/config/schema-docs/config.html, `maxTextSize` and `maxEdges`): above that there is one picture
for each application of the project, and fields are left out where one is still too large.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from conduit.metadata.diagram.picture import (
    CASCADE_COLOUR,
    CYCLE_COLOUR,
    application_of,
    draw,
    keys_only,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.metadata.diagram.picture import Diagram, Entity, Line
    from conduit.metadata.schema import Resource

    Writer = Callable[[Diagram], str]

MERMAID_CHARACTERS = 50_000
MERMAID_EDGES = 500


def to_mermaid(diagram: Diagram) -> str:
    """Return the picture as a Mermaid `erDiagram`, with a final newline."""
    rows = ["erDiagram"]
    for entity in diagram.entities:
        rows.append(f"  {_er_name(entity.name)} {{" if entity.columns else f"  {_er_name(entity.name)}")
        if entity.columns:
            rows += [f"    {_er_word(c.type)} {_er_word(c.name)} {c.mark}".rstrip() for c in entity.columns]
            rows.append("  }")
    rows += [_er_line(line) for line in diagram.lines]
    return "\n".join(rows) + "\n"


def _er_line(line: Line) -> str:
    left = "}o" if line.many or line.both_many else "|o"
    right = "o{" if line.both_many else "o|" if line.optional else "||"
    label = line.text.replace('"', "'")
    return f'  {_er_name(line.start)} {left}--{right} {_er_name(line.end)} : "{label}"'


def _er_name(name: str) -> str:
    return '"' + re.sub(r'["%\\]', "_", name) + '"'


def _er_word(text: str) -> str:
    word = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "unknown"
    return word if word[0].isalpha() else f"_{word}"


def to_flowchart(diagram: Diagram) -> str:
    """Return the picture as a Mermaid `flowchart`, one subgraph an application, with a final newline.

    Cascades are red; edges of cycles are violet, or dashed where they are cascades too.
    """
    ids = {entity.name: f"n{number}" for number, entity in enumerate(diagram.entities)}
    groups: dict[str, list[Entity]] = {}
    for entity in diagram.entities:
        groups.setdefault(entity.group, []).append(entity)
    rows = ["flowchart LR"]
    for number, (group, entities) in enumerate(groups.items()):
        nodes = [f'{ids[entity.name]}["{_box(entity)}"]' for entity in entities]
        if group:
            rows += [
                f'  subgraph g{number}["{_flow_text(group)}"]',
                *(f"    {node}" for node in nodes),
                "  end",
            ]
        else:
            rows += [f"  {node}" for node in nodes]
    rows += [f'  {ids[line.start]} -->|"{_flow_text(line.text)}"| {ids[line.end]}' for line in diagram.lines]
    rows += [
        f"  linkStyle {number} stroke:{style}"
        for number, line in enumerate(diagram.lines)
        if (style := _style(line))
    ]
    return "\n".join(rows) + "\n"


def _style(line: Line) -> str:
    if line.on_delete == "cascade":
        return CASCADE_COLOUR + (",stroke-dasharray:6 3" if line.in_cycle else "")
    return CYCLE_COLOUR if line.in_cycle else ""


def _box(entity: Entity) -> str:
    columns = [f"{_flow_text(c.name)} {_flow_text(c.type)} {c.mark}".rstrip() for c in entity.columns]
    return "<br/>".join([f"<b>{_flow_text(entity.name)}</b>", *columns])


def _flow_text(text: str) -> str:
    """Return a text with Mermaid's entities for everything that its parser or HTML reads."""
    return re.sub(r'[#"<>&`\\\n]', lambda found: f"#{ord(found[0])};", text)


def split_for_mermaid(
    resources: Sequence[Resource],
    title: str = "",
    *,
    only_keys: bool = False,
    document: Sequence[Resource] | None = None,
    write: Writer = to_mermaid,
) -> list[Diagram]:
    """Return one picture where Mermaid can show it, else one for each application; see the module's text."""
    everything = resources if document is None else document
    whole = _drawn(resources, title, everything, only_keys)
    if _fits(whole, write):
        return [whole]
    groups: dict[str, list[Resource]] = {}
    for resource in resources:
        groups.setdefault(application_of(resource), []).append(resource)
    return [_reduced(_drawn(groups[group], group, everything, only_keys), write) for group in sorted(groups)]


def _drawn(
    resources: Sequence[Resource], title: str, document: Sequence[Resource], only_keys: bool
) -> Diagram:
    diagram = draw(resources, title, document)
    return keys_only(diagram) if only_keys else diagram


def _fits(diagram: Diagram, write: Writer) -> bool:
    return len(diagram.lines) <= MERMAID_EDGES and len(write(diagram)) <= MERMAID_CHARACTERS


def _reduced(diagram: Diagram, write: Writer) -> Diagram:
    """Return the picture with fewer details, where it has too many: first only keys, then no fields."""
    if not _fits(diagram, write):
        diagram = keys_only(diagram)
    if not _fits(diagram, write):
        diagram = replace(diagram, entities=tuple(replace(e, columns=()) for e in diagram.entities))
    return diagram
