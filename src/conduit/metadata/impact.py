"""What breaks when a resource is deleted: the relationships that point at it, followed by what they declare.

Deleting a row of a resource touches every row that holds its key. `on_delete` says what happens to those: `cascade`
deletes them too and goes on from them, `restrict` forbids the deletion, `set_null` and `set_default` change a column,
`none` leaves the key to the database. Where it is not declared, nothing is assumed and the effect is `undeclared`. A
resource that several ways reach is followed once, from the first of the shortest; every relationship touched is told.
A row of a resource that `inherits` from another (a table of its own, joined to its parent's) goes with its parent's row,
and so touches what points at that too, the parent's other children excepted: they are other rows.

The side that holds the key decides. Where it declares nothing and the other end (has_many, has_one) declares an
`on_delete`, that one counts. Many-to-many relationships touch rows of the table between, not of the other resource.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.metadata.dependencies import is_owning
from conduit.metadata.schema import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conduit.metadata.schema import Relationship, Resource

_MEANING = {
    "cascade": "cascade",
    "delete": "cascade",
    "restrict": "restrict",
    "protect": "restrict",
    "set_null": "set_null",
    "nullify": "set_null",
    "set_default": "set_default",
    "none": "none",
    "no_action": "none",
    "do_nothing": "none",
    "": "undeclared",
}


def normal_on_delete(text: str) -> str:
    """One word for an `on_delete`: cascade, restrict, set_null, set_default, none, undeclared, or the text itself."""
    word = text.strip().lower().replace(" ", "_").replace("-", "_")
    return _MEANING.get(word, text)


class Link(Record, frozen=True):
    """One relationship that a deletion goes through."""

    resource: str
    """Who holds the key."""
    relationship: str
    target: str
    """Whose row is deleted."""
    on_delete: str
    """As `normal_on_delete` says it."""


class Effect(Record, frozen=True):
    """What happens to one relationship."""

    resource: str
    relationship: str
    on_delete: str
    depth: int
    """How many deletions lead here, from 1."""
    chain: tuple[Link, ...]
    """From the deleted resource to this one; the last link is this relationship."""


class Impact(Record, frozen=True):
    """All that a deletion touches, nearest first, then in document order."""

    resource: str
    effects: tuple[Effect, ...]

    @property
    def deleted(self) -> tuple[str, ...]:
        """The other resources whose rows go too, nearest first."""
        names = [effect.resource for effect in self.effects if effect.on_delete == "cascade"]
        return tuple(name for name in dict.fromkeys(names) if name != self.resource)

    @property
    def deleted_by_depth(self) -> tuple[int, ...]:
        """How many resources go at each depth, from 1; a resource counts where it is first reached."""
        first: dict[str, int] = {}
        for effect in self.effects:
            if effect.on_delete == "cascade" and effect.resource != self.resource:
                first.setdefault(effect.resource, effect.depth)
        depths = list(first.values())
        return tuple(depths.count(depth) for depth in range(1, max(depths, default=0) + 1))

    @property
    def blocked_by(self) -> tuple[Effect, ...]:
        """The relationships that forbid the deletion."""
        return tuple(effect for effect in self.effects if effect.on_delete == "restrict")


def impact_of(name: str, resources: tuple[Resource, ...], by_name: Mapping[str, Resource]) -> Impact:
    """What deleting a row of `name` touches, transitively; linear in the relationships of the document."""
    touching = _touching(resources, by_name)
    effects: list[Effect] = []
    followed = {name}
    level: list[tuple[str, tuple[Link, ...]]] = [(name, ())]
    while level:
        following: list[tuple[str, tuple[Link, ...]]] = []
        for target, chain in level:
            for link in touching.get(target, ()):
                longer = (*chain, link)
                effects.append(Effect(link.resource, link.relationship, link.on_delete, len(longer), longer))
                if link.on_delete == "cascade" and link.resource not in followed:
                    followed.add(link.resource)
                    following.append((link.resource, longer))
        level = following
    return Impact(name, tuple(effects))


def _touching(resources: tuple[Resource, ...], by_name: Mapping[str, Resource]) -> dict[str, list[Link]]:
    """Resource → the links that a deletion of its rows goes through, in document order."""
    touching: dict[str, list[Link]] = {}
    owned = {
        (resource.name, relationship.target_resource)
        for resource in resources
        for relationship in resource.relationships
        if is_owning(relationship)
    }
    for resource in resources:
        for relationship in resource.relationships:
            if is_owning(relationship):
                declared = relationship.on_delete or _declared_at_other_end(
                    resource.name, relationship, by_name
                )
                target = relationship.target_resource
                link = Link(resource.name, relationship.name, target, normal_on_delete(declared))
                touching.setdefault(target, []).append(link)
            elif _is_only_end(resource.name, relationship, owned):
                link = Link(
                    relationship.target_resource,
                    relationship.name,
                    resource.name,
                    normal_on_delete(relationship.on_delete),
                )
                touching.setdefault(resource.name, []).append(link)
    _add_parents(touching, resources)
    return touching


def _add_parents(touching: dict[str, list[Link]], resources: tuple[Resource, ...]) -> None:
    """Adds to every child of joined tables what points at its parents."""
    joined = [
        (resource.name, relationship)
        for resource in resources
        for relationship in resource.relationships
        if relationship.type == "inherits" and normal_on_delete(relationship.on_delete) == "cascade"
    ]
    children = {(name, relationship.name) for name, relationship in joined}
    parents: dict[str, list[str]] = {}
    for name, relationship in joined:
        parents.setdefault(name, []).append(relationship.target_resource)
    pointing = {
        target: [link for link in links if (link.resource, link.relationship) not in children]
        for target, links in touching.items()
    }
    for name in parents:
        for parent in _above(name, parents):
            if parent in pointing:
                touching.setdefault(name, []).extend(pointing[parent])


def _above(name: str, parents: Mapping[str, list[str]]) -> list[str]:
    """The parents of a child and theirs, nearest first, each once."""
    found: dict[str, None] = {}
    waiting = list(parents.get(name, ()))
    while waiting:
        parent = waiting.pop(0)
        if parent not in found and parent != name:
            found[parent] = None
            waiting += parents.get(parent, ())
    return list(found)


def _is_only_end(name: str, relationship: Relationship, owned: set[tuple[str, str]]) -> bool:
    """Whether a has_many or has_one declares what the side with the key, which declares nothing back, leaves out."""
    return (
        relationship.type in ("has_many", "has_one")
        and bool(relationship.on_delete)
        and (relationship.target_resource, name) not in owned
    )


def _declared_at_other_end(holder: str, relationship: Relationship, by_name: Mapping[str, Resource]) -> str:
    return next(
        (other.on_delete for other in _other_ends(holder, relationship, by_name) if other.on_delete), ""
    )


def _other_ends(
    holder: str, relationship: Relationship, by_name: Mapping[str, Resource]
) -> Iterator[Relationship]:
    target = by_name.get(relationship.target_resource)
    for other in target.relationships if target is not None else ():
        if (
            other.type in ("has_many", "has_one")
            and other.target_resource == holder
            and (
                other.foreign_key == relationship.foreign_key
                or not (other.foreign_key and relationship.foreign_key)
            )
        ):
            yield other
