"""The effects of deleting a row of a resource: the relationships that point at it, followed by what they declare.

`on_delete` says what happens to the rows that hold the key: `cascade` deletes them too and is followed, `restrict`
forbids the deletion, `set_null` and `set_default` change a column, `none` leaves the key to the database. Without a
declaration the effect is `undeclared`. A resource reached in several ways is followed once, from the first of the
shortest; every relationship affected is listed once, where its column is: a child's copy of a parent's key is the
same column.

The side that holds the key decides. Where it declares nothing, an `on_delete` at the other end (has_many, has_one)
counts.

SQLAlchemy's mapper acts before the database, and only on rows that it deletes itself. For those, a has_many with
`delete` in its cascade deletes the rows that hold the key, and any other sets their keys to null (or fails, where
null is not allowed), whatever the database would do; `passive_deletes` leaves both to the database, `viewonly` does
nothing. Rows that the database deletes are followed by the database's actions alone. Resources that a deletion
reaches in both ways count as deleted by the mapper.

Beyond keys: a row of a joined child is deleted with its parent's row and the reverse, without the parent's other
children; a proxy is the model it stands for; rows of generic relations go with the row they point to; a
many-to-many deletes rows of the table between, not of the other resource.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.metadata.dependencies import is_owning
from conduit.metadata.schema import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

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
    """Return the normal form of an `on_delete`.

    It is cascade, restrict, set_null, set_default, none, undeclared, or the text itself.
    """
    word = text.strip().lower().replace(" ", "_").replace("-", "_")
    return _MEANING.get(word, text)


class Link(Record, frozen=True):
    """One relationship that a deletion goes through."""

    resource: str
    """The resource that holds the key."""
    relationship: str
    target: str
    """The resource whose row is deleted."""
    on_delete: str
    """In the form of `normal_on_delete`."""


class Effect(Record, frozen=True):
    """The effect on one relationship."""

    resource: str
    relationship: str
    on_delete: str
    depth: int
    """The number of deletions that lead here, from 1."""
    chain: tuple[Link, ...]
    """From the deleted resource to this one; the last link is this relationship."""


class Impact(Record, frozen=True):
    """All effects of a deletion, nearest first, then in document order."""

    resource: str
    effects: tuple[Effect, ...]

    @property
    def deleted(self) -> tuple[str, ...]:
        """The other resources whose rows are deleted too, nearest first."""
        names = [effect.resource for effect in self.effects if effect.on_delete == "cascade"]
        return tuple(name for name in dict.fromkeys(names) if name != self.resource)

    @property
    def deleted_by_depth(self) -> tuple[int, ...]:
        """The number of resources deleted at each depth, from 1; a resource counts where it is first reached."""
        first: dict[str, int] = {}
        for effect in self.effects:
            if effect.on_delete == "cascade" and effect.resource != self.resource:
                first.setdefault(effect.resource, effect.depth)
        depths = list(first.values())
        return tuple(depths.count(depth) for depth in range(1, max(depths, default=0) + 1))

    @property
    def nearest(self) -> tuple[Effect, ...]:
        """Return one effect for each resource, in the order of the effects.

        It is the nearest of the resource's deletions, or else the nearest of all its effects.
        """
        found: dict[str, Effect] = {}
        for effect in self.effects:
            known = found.get(effect.resource)
            if known is None or (_gravity(effect) > _gravity(known)):
                found[effect.resource] = effect
        chosen = set(map(id, found.values()))
        return tuple(effect for effect in self.effects if id(effect) in chosen)

    @property
    def blocked_by(self) -> tuple[Effect, ...]:
        """The relationships that forbid the deletion."""
        return tuple(effect for effect in self.effects if effect.on_delete == "restrict")


def _gravity(effect: Effect) -> int:
    return {"cascade": 2, "restrict": 1}.get(effect.on_delete, 0)


def impact_of(name: str, resources: tuple[Resource, ...], by_name: Mapping[str, Resource]) -> Impact:
    """Return the effects of deleting a row of `name`, transitively; linear in the relationships of the document."""
    return follow_deletion(name, DeletionLinks(resources, by_name))


def follow_deletion(name: str, links: DeletionLinks) -> Impact:
    """Return the effects of deleting a row of `name`, given the links of its document, which serve many resources."""
    start = links.stored(name)
    by_mapper = links.deleted_by_mapper(start)
    effects: list[Effect] = []
    followed = {start}
    listed: set[Link] = set()
    level: list[tuple[str, tuple[Link, ...]]] = [(start, ())]
    while level:
        following: list[tuple[str, tuple[Link, ...]]] = []
        for target, chain in level:
            touching = links.touching if target in by_mapper else links.touching_in_database
            for link in touching.get(target, ()):
                if link in listed or (link in links.of_parents and link.resource in followed):
                    continue
                listed.add(link)
                longer = (*chain, link)
                effects.append(Effect(link.resource, link.relationship, link.on_delete, len(longer), longer))
                if (
                    link.on_delete == "cascade"
                    and link.resource not in followed
                    and link not in links.of_parents
                ):
                    followed.add(link.resource)
                    following.append((link.resource, longer))
        level = following
    return Impact(name, tuple(effects))


def changed_deletions(before: DeletionLinks, after: DeletionLinks, names: Iterable[str]) -> list[str]:
    """Return those of `names` whose deletion may have other effects: it goes through a resource whose links differ.

    Linear in the links; only these need to be followed again.
    """
    targets = {*before.touching, *after.touching, *before.touching_in_database, *after.touching_in_database}
    changed = {one for one in targets if before.links_from(one) != after.links_from(one)}
    leading: dict[str, list[str]] = {}
    for links in (before, after):
        for touching in (links.touching, links.touching_in_database):
            for target, those in touching.items():
                for link in those:
                    leading.setdefault(link.resource, []).append(target)
    waiting = list(changed)
    while waiting:
        for target in leading.get(waiting.pop(), ()):
            if target not in changed:
                changed.add(target)
                waiting.append(target)
    return [
        name for name in names if before.stored(name) in changed or before.stored(name) != after.stored(name)
    ]


def _names_of_link(link: Link) -> tuple[str, str, str, str]:
    return link.resource, link.relationship, link.target, link.on_delete


_NO_ROWS = frozenset(("proxies", "serializes"))
"""Relationships that hold no key."""


class LinkTable(Record, frozen=True):
    """The links of a document as they are stored: what `DeletionLinks` has computed, without the resources."""

    is_mapped: bool
    proxied: dict[str, str]
    touching: dict[str, list[Link]]
    in_database: dict[str, list[Link]]
    """Empty where no mapper acts."""
    followed: tuple[Link, ...]
    of_parents: tuple[Link, ...]


class DeletionLinks:
    """The links that deletions go through, for all resources of a document.

    `proxied`: proxy → the resource whose rows it shows. `touching`: resource → the links that a deletion of its rows
    goes through, in document order. `touching_in_database`: the same for rows that the database deletes without
    SQLAlchemy's mapper; the same object where no mapper acts. `followed_by_mapper`: the links of `touching` where the
    mapper deletes the rows itself. `of_parents`: the links from a child to its parent, whose row goes without the
    parent's other children.
    """

    def __init__(self, resources: tuple[Resource, ...], by_name: Mapping[str, Resource]) -> None:
        self._resources = resources
        self._by_name = by_name
        self._mapped = any(
            relationship.details is not None and relationship.details.cascade
            for resource in resources
            for relationship in resource.relationships
        )
        self.proxied: dict[str, str] = _proxied(resources)
        self._parents = _joined_parents(resources)
        self.touching: dict[str, list[Link]] = {}
        self.touching_in_database: dict[str, list[Link]] = {} if self._mapped else self.touching
        self.followed_by_mapper: set[Link] = set()
        self.of_parents: set[Link] = set()
        self._add_keys()
        self._add_parents()

    @classmethod
    def of_table(cls, table: LinkTable) -> DeletionLinks:
        """Return links that follow deletions as those do whose `table()` is given."""
        links = cls((), {})
        links._mapped = table.is_mapped
        links.proxied = table.proxied
        links.touching = table.touching
        links.touching_in_database = table.in_database if table.is_mapped else table.touching
        links.followed_by_mapper = set(table.followed)
        links.of_parents = set(table.of_parents)
        return links

    def table(self) -> LinkTable:
        """Return the links as they are stored; equal documents have equal tables."""
        followed, of_parents = (
            tuple(sorted(links, key=_names_of_link)) for links in (self.followed_by_mapper, self.of_parents)
        )
        in_database = self.touching_in_database if self._mapped else {}
        return LinkTable(self._mapped, self.proxied, self.touching, in_database, followed, of_parents)

    def links_from(self, target: str) -> tuple[object, ...]:
        """Return all that a deletion of a row of `target` goes by before it reaches another resource."""
        by_mapper = self.touching.get(target, ())
        in_database = self.touching_in_database.get(target, ())
        return (
            [(one, one in self.followed_by_mapper, one in self.of_parents) for one in by_mapper],
            [(one, one in self.of_parents) for one in in_database],
        )

    def deleted_by_mapper(self, start: str) -> Collection[str]:
        """Return the resources whose rows the mapper itself deletes with a row of `start`; all where none acts."""
        if not self._mapped:
            return self.touching.keys()
        found = {start}
        waiting = [start]
        while waiting:
            for link in self.touching.get(waiting.pop(), ()):
                if link in self.followed_by_mapper and link.resource not in found:
                    found.add(link.resource)
                    waiting.append(link.resource)
        return found

    def stored(self, name: str) -> str:
        """Return the resource whose rows a proxy shows; any other name as it is."""
        seen: set[str] = set()
        while name in self.proxied and name not in seen:
            seen.add(name)
            name = self.proxied[name]
        return name

    def _add(
        self,
        resource: str,
        relationship: str,
        target: str,
        on_delete: str,
        *,
        in_database: str | None = "",
        followed: bool = False,
    ) -> None:
        """Add a link.

        `in_database` is the database's action, or None where it does nothing to these rows. With `followed`,
        the mapper deletes the rows itself.
        """
        target = self.stored(target)
        link = Link(resource, relationship, target, normal_on_delete(on_delete))
        self.touching.setdefault(target, []).append(link)
        if followed:
            self.followed_by_mapper.add(link)
        if self._mapped and in_database is not None:
            link = Link(resource, relationship, target, normal_on_delete(in_database))
            self.touching_in_database.setdefault(target, []).append(link)

    def _add_keys(self) -> None:
        owned = {
            (resource.name, relationship.target_resource)
            for resource in self._resources
            for relationship in resource.relationships
            if is_owning(relationship)
        }
        for resource in self._resources:
            for relationship in resource.relationships:
                if relationship.type not in _NO_ROWS and not self._is_repeated(resource.name, relationship):
                    self._add_relationship(resource.name, relationship, owned)

    def _is_repeated(self, name: str, relationship: Relationship) -> bool:
        """Return whether an ancestor with rows of its own declares the relationship, and so has its column."""
        home = relationship.details.inherited_from if relationship.details else ""
        return bool(home) and home != name and home in self._ancestors(name)

    def _ancestors(self, name: str) -> list[str]:
        found: dict[str, None] = {}
        waiting = [name]
        while waiting:
            one = waiting.pop(0)
            above = [*self._parents.get(one, ()), *([self.proxied[one]] if one in self.proxied else [])]
            for parent in above:
                if parent not in found and parent != name:
                    found[parent] = None
                    waiting.append(parent)
        return list(found)

    def _add_relationship(self, name: str, relationship: Relationship, owned: set[tuple[str, str]]) -> None:
        details = relationship.details
        target = relationship.target_resource
        if details is not None and details.view_only and not is_owning(relationship):
            return
        if details is not None and relationship.type == "has_many_through" and details.through:
            self._add_table_between(name, relationship, details.through)
        elif is_owning(relationship):
            self._add_key(name, relationship)
        elif details is not None and details.cascade:
            self._add_mapped_end(name, relationship)
        elif (details is not None and details.generic and relationship.on_delete) or _is_only_end(
            name, relationship, owned
        ):
            on_delete = relationship.on_delete
            self._add(target, relationship.name, name, on_delete, in_database=on_delete)

    def _add_key(self, name: str, relationship: Relationship) -> None:
        details = relationship.details
        target = relationship.target_resource
        self._add(
            name,
            relationship.name,
            target,
            declared_on_delete(name, relationship, self._by_name),
            in_database=relationship.on_delete,
            followed=_is_deleted_by_mapper(name, relationship, self._by_name),
        )
        if relationship.type != "inherits" and details is not None and "delete" in details.cascade:
            self._add(target, relationship.name, name, "cascade", in_database=None, followed=True)

    def _add_mapped_end(self, name: str, relationship: Relationship) -> None:
        """Add a has_many or has_one of SQLAlchemy whose other end has no such key, as where `primaryjoin` joins."""
        target = self._by_name.get(relationship.target_resource)
        if target is None or any(
            is_owning(one) and one.target_resource == name and _is_same_key(one, relationship)
            for one in target.relationships
        ):
            return
        keys = relationship.foreign_key.split(", ")
        nullable = all(field.nullable for field in target.fields if field.name in keys)
        on_delete = _by_object_mapper([relationship], nullable, "")
        self._add(
            target.name,
            relationship.name,
            name,
            on_delete,
            in_database=None,
            followed=on_delete == "cascade",
        )

    def _add_table_between(self, name: str, relationship: Relationship, between: str) -> None:
        details = relationship.details
        assert details is not None
        if between in self._by_name:  # its own keys decide, unless the object mapper deletes its rows
            if details.cascade and not details.passive_deletes:
                self._add(between, relationship.name, name, "cascade", in_database=None)
        elif not details.inverse:
            for end in dict.fromkeys((name, relationship.target_resource)):
                self._add(between, relationship.name, end, "cascade", in_database="cascade")
        if "delete" in details.cascade:
            target = relationship.target_resource
            self._add(target, relationship.name, name, "cascade", in_database=None, followed=True)

    def _add_parents(self) -> None:
        """Add to every child of joined tables what points at its parents, and its parents' rows."""
        children = {
            (resource.name, relationship.name)
            for resource in self._resources
            for relationship in resource.relationships
            if relationship.type == "inherits"
        }
        for touching in (self.touching, self.touching_in_database):
            pointing = {
                target: [link for link in links if (link.resource, link.relationship) not in children]
                for target, links in touching.items()
            }
            for name in self._parents:
                for parent in self._ancestors(name):
                    if touching is self.touching:
                        row = Link(parent, "(parent)", name, "cascade")
                        self.of_parents.add(row)
                        touching.setdefault(name, []).append(row)
                    touching.setdefault(name, []).extend(pointing.get(parent, ()))
            if not self._mapped:
                return


def _proxied(resources: tuple[Resource, ...]) -> dict[str, str]:
    return {
        resource.name: relationship.target_resource
        for resource in resources
        for relationship in resource.relationships
        if relationship.type == "proxies"
    }


def _joined_parents(resources: tuple[Resource, ...]) -> dict[str, list[str]]:
    parents: dict[str, list[str]] = {}
    for resource in resources:
        for relationship in resource.relationships:
            if relationship.type == "inherits" and _is_cascade(relationship):
                parents.setdefault(resource.name, []).append(relationship.target_resource)
    return parents


def _is_cascade(relationship: Relationship) -> bool:
    details = relationship.details
    return normal_on_delete(relationship.on_delete) == "cascade" or (
        details is not None and "delete" in details.cascade
    )


def _is_only_end(name: str, relationship: Relationship, owned: set[tuple[str, str]]) -> bool:
    """Return whether a has_many or has_one declares what the side with the key, which declares nothing, leaves out."""
    return (
        relationship.type in ("has_many", "has_one")
        and bool(relationship.on_delete)
        and (relationship.target_resource, name) not in owned
    )


def declared_on_delete(holder: str, relationship: Relationship, by_name: Mapping[str, Resource]) -> str:
    """Return the `on_delete` of a relationship with a key, declared here or at the other end; not normalised.

    With SQLAlchemy, for a row of the target that its mapper deletes.
    """
    if relationship.type == "inherits" and _is_cascade(relationship):
        return "cascade"
    mapped = _mapped_ends(holder, relationship, by_name)
    if mapped:
        nullable = relationship.details is not None and relationship.details.nullable
        return _by_object_mapper(mapped, nullable, relationship.on_delete)
    if relationship.on_delete:
        return relationship.on_delete
    others = _other_ends(holder, relationship, by_name)
    return next((other.on_delete for other in others if other.on_delete), "")


def _is_deleted_by_mapper(holder: str, relationship: Relationship, by_name: Mapping[str, Resource]) -> bool:
    """Return whether SQLAlchemy's mapper deletes the rows that hold the key, rather than the database."""
    if relationship.type == "inherits":
        return relationship.details is not None and "delete" in relationship.details.cascade
    mapped = _mapped_ends(holder, relationship, by_name)
    return any(
        "delete" in one.details.cascade and not one.details.passive_deletes for one in mapped if one.details
    )


def _by_object_mapper(ends: Sequence[Relationship], nullable: bool, in_database: str) -> str:
    """Return what SQLAlchemy's mapper does by the relationships at a key's other end, else the database's action."""
    active = [
        one.details.cascade for one in ends if one.details is not None and not one.details.passive_deletes
    ]
    if any("delete" in cascade for cascade in active):
        return "cascade"
    if active:
        return "set_null" if nullable else "restrict"
    return in_database


def _mapped_ends(
    holder: str, relationship: Relationship, by_name: Mapping[str, Resource]
) -> list[Relationship]:
    """Return the relationships of SQLAlchemy at the other end that act on the rows that hold the key."""
    return [
        other
        for other in _other_ends(holder, relationship, by_name)
        if other.details is not None and other.details.cascade and not other.details.view_only
    ]


def _other_ends(
    holder: str, relationship: Relationship, by_name: Mapping[str, Resource]
) -> Iterator[Relationship]:
    target = by_name.get(relationship.target_resource)
    for other in target.relationships if target is not None else ():
        if (
            other.type in ("has_many", "has_one")
            and other.target_resource == holder
            and _is_same_key(other, relationship)
        ):
            yield other


def _is_same_key(one: Relationship, other: Relationship) -> bool:
    return one.foreign_key == other.foreign_key or not (one.foreign_key and other.foreign_key)
