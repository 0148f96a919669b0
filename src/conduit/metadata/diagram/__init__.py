"""Entity diagrams: `picture` decides what to draw, `mermaid` and `dot` spell it, `narrowing` says what fits."""

from __future__ import annotations

from conduit.metadata.diagram.dot import to_dot
from conduit.metadata.diagram.mermaid import (
    MERMAID_CHARACTERS,
    MERMAID_EDGES,
    split_for_mermaid,
    to_flowchart,
    to_mermaid,
)
from conduit.metadata.diagram.picture import (
    Column,
    Diagram,
    Entity,
    Line,
    application_of,
    draw,
    keys_only,
    neighbourhood,
)

__all__ = [
    "MERMAID_CHARACTERS",
    "MERMAID_EDGES",
    "Column",
    "Diagram",
    "Entity",
    "Line",
    "application_of",
    "draw",
    "keys_only",
    "neighbourhood",
    "split_for_mermaid",
    "to_dot",
    "to_flowchart",
    "to_mermaid",
]
