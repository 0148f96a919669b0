"""The lines and marks that the page's graph is drawn from: those of `introspect diagram`, so that both show the same.

Lines name their ends by number, in the order of the document's resources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.metadata.dependencies import Graph
from conduit.metadata.diagram import draw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.metadata.diagram import Entity, Line
    from conduit.metadata.schema import Resource

MANY, OPTIONAL, BOTH_MANY, IN_CYCLE = 1, 2, 4, 8
_LETTERS = {"PK": "P", "FK": "F", "UK": "U", "": "."}


def graph_data(resources: Sequence[Resource]) -> dict[str, Any]:
    """Return `lines`, `marks` and `cycles`.

    A line is [start, end, label, bits, on_delete]. `marks` has a text for each resource with a letter for each field:
    P, F or U for a key, `.` for no key, `-` for a field that is shown at its parent. A cycle has its `names` and the
    shortest `path` around.
    """
    picture = draw(resources)
    numbers = {resource.name: number for number, resource in enumerate(resources)}
    cycles = Graph(tuple(resources), {resource.name: resource for resource in resources}).cycles()
    return {
        "lines": [_line(line, numbers) for line in picture.lines],
        "marks": [_marks(one, entity) for one, entity in zip(resources, picture.entities, strict=True)],
        "cycles": [{"names": list(cycle.names), "path": list(cycle.path)} for cycle in cycles],
    }


def _line(line: Line, numbers: dict[str, int]) -> list[Any]:
    bits = MANY * line.many + OPTIONAL * line.optional + BOTH_MANY * line.both_many + IN_CYCLE * line.in_cycle
    return [numbers[line.start], numbers[line.end], line.label, bits, line.on_delete]


def _marks(resource: Resource, entity: Entity) -> str:
    marks = {column.name: _LETTERS[column.mark] for column in entity.columns}
    return "".join(marks.get(field.name, "-") for field in resource.fields)
