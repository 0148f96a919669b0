"""The ways from one resource to another along the relationships of a document.

A path visits no resource twice. Its steps follow the edges that a diagram draws, in either direction, or only from the
resource that depends to the one it depends on. Paths come shortest first, then in document order of their resources.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from conduit.metadata.dependencies import is_owning
from conduit.metadata.diagram.picture import is_copy
from conduit.metadata.impact import declared_on_delete, normal_on_delete
from conduit.metadata.schema import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conduit.metadata.schema import Relationship, Resource

MAX_VISITS = 200_000
"""The steps that a search for longer paths takes before it gives up; a second of work."""


class Step(Record, frozen=True, rename={"from_": "from"}):
    """One step of a path."""

    from_: str
    to: str
    relationships: tuple[str, ...]
    """The names of all the relationships of the dependent to the dependency."""
    reverse: bool
    """Whether the step goes from a resource to one that depends on it."""
    on_delete: str
    """The effect of deleting a row, of the first relationship that declares one; empty where none does."""


class Path(Record, frozen=True):
    """The steps from the first resource to the last; none where both are the same."""

    steps: tuple[Step, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The resources on the way, both ends included."""
        return (self.steps[0].from_, *(step.to for step in self.steps)) if self.steps else ()


class Paths(NamedTuple):
    """The paths found."""

    found: tuple[Path, ...]
    complete: bool
    """Whether there are no others of these lengths."""


def paths_between(
    resources: Sequence[Resource],
    start: str,
    end: str,
    *,
    depth: int = 0,
    most: int = 10,
    only_dependencies: bool = False,
) -> Paths:
    """Return up to `most` paths of at most `depth` steps; depth 0 is the length of the shortest.

    `only_dependencies` takes every step from a resource to one it depends on.
    """
    edges = _Edges(resources, only_dependencies)
    distances = edges.distances_to(end)
    if start not in distances or start == end:
        return Paths((), True)
    longest = depth or distances[start]
    search = _Search(edges, distances, end)
    found: list[Path] = []
    for length in range(distances[start], longest + 1):
        for names in search.of_length([start], length):
            if len(found) == most:
                return Paths(tuple(found), False)
            found.append(Path(tuple(edges.step(a, b) for a, b in pairwise(names))))
        if search.visits > MAX_VISITS:
            return Paths(tuple(found), False)
    return Paths(tuple(found), True)


class _Search:
    """A depth-first search that never goes where the end is too far away."""

    def __init__(self, edges: _Edges, distances: Mapping[str, int], end: str) -> None:
        self._edges = edges
        self._distances = distances
        self._end = end
        self.visits = 0

    def of_length(self, walked: list[str], remaining: int) -> Iterator[tuple[str, ...]]:
        """Yield every path that continues `walked` by exactly `remaining` steps to the end."""
        if remaining == 0:
            if walked[-1] == self._end:
                yield tuple(walked)
            return
        for name in self._edges.next(walked[-1]):
            if self.visits > MAX_VISITS:
                return
            self.visits += 1
            if name in walked or self._distances.get(name, remaining) >= remaining:
                continue
            if name == self._end and remaining > 1:
                continue
            walked.append(name)
            yield from self.of_length(walked, remaining - 1)
            walked.pop()


class _Edges:
    """The relationships of a document by their ends, from the resource that depends to the one it depends on."""

    def __init__(self, resources: Sequence[Resource], only_dependencies: bool) -> None:
        self._by_name = {resource.name: resource for resource in resources}
        self._relationships: dict[tuple[str, str], list[Relationship]] = {}
        self._add_all(resources)
        self._following: dict[str, list[str]] = {name: [] for name in self._by_name}
        self._before: dict[str, list[str]] = {name: [] for name in self._by_name}
        for dependent, dependency in self._relationships:
            self._link(dependent, dependency)
            if not only_dependencies:
                self._link(dependency, dependent)
        order = {name: number for number, name in enumerate(self._by_name)}
        for name, following in self._following.items():
            self._following[name] = sorted(set(following), key=order.__getitem__)

    def _add_all(self, resources: Sequence[Resource]) -> None:
        from_the_other_side = []
        for resource in resources:
            for relationship in resource.relationships:
                target = relationship.target_resource
                if (
                    target not in self._by_name
                    or target == resource.name
                    or is_copy(relationship, self._by_name)
                ):
                    continue
                if relationship.type in ("has_many", "has_one"):
                    from_the_other_side.append((target, resource.name, relationship))
                else:
                    self._relationships.setdefault((resource.name, target), []).append(relationship)
        for holder, declaring, relationship in from_the_other_side:
            self._relationships.setdefault((holder, declaring), [relationship])

    def _link(self, start: str, end: str) -> None:
        self._following[start].append(end)
        self._before[end].append(start)

    def next(self, name: str) -> Sequence[str]:
        """Return the resources one step further, in document order."""
        return self._following[name]

    def distances_to(self, end: str) -> dict[str, int]:
        """Return how many steps each resource is from the end; those that do not reach it are missing."""
        found = {end: 0}
        queue = deque([end])
        while queue:
            name = queue.popleft()
            for before in self._before[name]:
                if before not in found:
                    found[before] = found[name] + 1
                    queue.append(before)
        return found

    def step(self, start: str, end: str) -> Step:
        """Return the step between two neighbours: to a dependency, or else to a dependent."""
        reverse = (start, end) not in self._relationships
        dependent = end if reverse else start
        relationships = self._relationships[(end, start) if reverse else (start, end)]
        effects = [self._effect(dependent, one) for one in relationships]
        return Step(
            start, end, tuple(one.name for one in relationships), reverse, next(filter(None, effects), "")
        )

    def _effect(self, dependent: str, relationship: Relationship) -> str:
        if not is_owning(relationship):
            return ""
        effect = normal_on_delete(declared_on_delete(dependent, relationship, self._by_name))
        return "" if effect == "undeclared" else effect
