"""A picture in Graphviz's language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.metadata.diagram.picture import CASCADE_COLOUR, CYCLE_COLOUR

if TYPE_CHECKING:
    from conduit.metadata.diagram.picture import Diagram, Entity, Line


def to_dot(diagram: Diagram) -> str:
    """Return the picture for Graphviz, one cluster an application, with a final newline.

    Cascades are red, edges of cycles violet, both in parallel where an edge is both; a line below the picture says so.
    """
    rows = [
        "digraph {",
        "  graph [rankdir=LR];",
        '  node [shape=plaintext, fontname="Helvetica", fontsize=10];',
        '  edge [fontname="Helvetica", fontsize=8, color="#666666"];',
    ]
    groups: dict[str, list[Entity]] = {}
    for entity in diagram.entities:
        groups.setdefault(entity.group, []).append(entity)
    for number, (group, entities) in enumerate(groups.items()):
        nodes = [f"{_quoted(entity.name)} [label=<{_table(entity)}>];" for entity in entities]
        if group:
            rows += [
                f"  subgraph cluster_{number} {{",
                f'    label={_quoted(group)}; color=gray80; fontname="Helvetica"; fontsize=11;',
                *(f"    {node}" for node in nodes),
                "  }",
            ]
        else:
            rows += [f"  {node}" for node in nodes]
    rows += [_dot_line(line) for line in diagram.lines]
    if legend := _legend(diagram):
        # Behind the clusters, which would inherit it.
        rows.append(f'  label={_quoted(legend)}; labelloc=b; fontname="Helvetica"; fontsize=9;')
    return "\n".join([*rows, "}"]) + "\n"


def _legend(diagram: Diagram) -> str:
    colours = {colour for line in diagram.lines for colour in line.colours}
    parts = [
        text
        for colour, text in (
            (CASCADE_COLOUR, "red: deleted with it"),
            (CYCLE_COLOUR, "violet: part of a cycle"),
        )
        if colour in colours
    ]
    return "; ".join(parts)


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
    style = f"label={_quoted(line.text)}, arrowtail={tail}, arrowhead={head}, dir=both"
    if line.colours:
        style += f', color="{":".join(line.colours)}", fontcolor="{line.colours[0]}"'
    return f"  {_quoted(line.start)} -> {_quoted(line.end)} [{style}];"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
