"""Whether a picture can be read, and smaller ones that can.

The largest picture that still shows its names on a wide screen has about 50 boxes: Graphviz draws 191 of them at
2,675 by 2,953 pixels, where they are no longer legible at the size of a window.
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from conduit.metadata.diagram.picture import application_of, draw, keys_only, names_around, neighbours

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.metadata.diagram.picture import Diagram
    from conduit.metadata.schema import Resource

    PartOf = Callable[[str], Sequence[Resource]]

MAX_BOXES = 50
MAX_ROWS = 1000
MAX_LINES = 200
_SUGGESTED = 3


class Narrowing(NamedTuple):
    """Flags that give a smaller picture, and how many boxes it has."""

    flags: str
    boxes: int


def too_large(diagram: Diagram) -> str:
    """Return what makes a picture unreadable, such as `191 boxes (at most 50)`; empty where nothing does."""
    amounts = (
        (len(diagram.entities), MAX_BOXES, "boxes"),
        (diagram.rows, MAX_ROWS, "rows of fields"),
        (len(diagram.lines), MAX_LINES, "lines"),
    )
    return ", ".join(f"{found:,} {noun} (at most {most:,})" for found, most, noun in amounts if found > most)


def narrowings(
    resources: Sequence[Resource], document: Sequence[Resource], around: str, depth: int, part_of: PartOf
) -> list[Narrowing]:
    """Return smaller pictures of `resources` that can be read, the largest of each kind first.

    `around` and `depth` are those of the picture asked for, `around` empty for all of it; `part_of` gives the resources
    among `resources` that `--app` selects.
    """
    found: list[Narrowing] = []
    if _fits(resources):
        found.append(Narrowing("--keys-only", len(resources)))
    if around:
        found += _less_deep(document, around, min(depth, len(document)))
        return found + _applications(resources, part_of, f"--around {quote(around)} --depth {depth} ")
    return found + _around_the_most_connected(resources, document) + _applications(resources, part_of, "")


def _fits(resources: Sequence[Resource]) -> bool:
    return len(resources) <= MAX_BOXES and not too_large(keys_only(draw(resources)))


def _named(names: set[str], document: Sequence[Resource]) -> list[Resource]:
    return [one for one in document if one.name in names]


def _less_deep(document: Sequence[Resource], around: str, depth: int) -> list[Narrowing]:
    near = neighbours(document)
    for shorter in range(depth - 1, 0, -1):
        names = names_around(near, around, shorter)
        if len(names) <= MAX_BOXES and _fits(_named(names, document)):
            return [Narrowing(f"--around {quote(around)} --depth {shorter} --keys-only", len(names))]
    return []


def _around_the_most_connected(
    resources: Sequence[Resource], document: Sequence[Resource]
) -> list[Narrowing]:
    near = neighbours(document)
    by_degree = sorted((one.name for one in resources), key=lambda name: -len(near[name]))
    found: list[Narrowing] = []
    for name in by_degree:
        names = {name, *near[name]}
        if len(names) <= MAX_BOXES and _fits(_named(names, document)):
            found.append(Narrowing(f"--around {quote(name)} --depth 1 --keys-only", len(names)))
        if len(found) == _SUGGESTED:
            break
    return found


def _applications(resources: Sequence[Resource], part_of: PartOf, before: str) -> list[Narrowing]:
    groups = dict.fromkeys(application_of(resource) for resource in resources)
    groups.pop("", None)
    if len(groups) < 2:
        return []
    parts = [(group, part_of(group)) for group in groups]
    fitting = [
        Narrowing(f"{before}--app {quote(group)} --keys-only", len(part))
        for group, part in parts
        if _fits(part)
    ]
    return sorted(fitting, key=lambda narrowing: -narrowing.boxes)[:_SUGGESTED]
