"""The difference between two documents: resources, their fields and relationships, routes and their chains.

A resource is identified by its id (by name if it has none), a route by method, host and path, a field or
relationship by its name within its resource; a renamed one is therefore removed and added. Routes that write and
are less guarded than before are listed apart, for gates; `guards` decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.metadata.guards import GuardVerdict, compare_guards
from conduit.metadata.impact import DeletionLinks, follow_deletion
from conduit.metadata.patterns import READ_METHODS
from conduit.metadata.schema import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conduit.metadata.schema import Field, Metadata, Relationship, Resource, Route


class Change(Record, frozen=True):
    """One difference."""

    action: str
    """added, removed or changed."""
    kind: str
    """resource, field, relationship, route or middleware (of the whole application)."""
    name: str
    """`Book`, `Book.title`, `POST /books`."""
    attribute: str = ""
    """The attribute that changed: type, nullable, on_delete, middleware, …; empty if added or removed."""
    before: str = ""
    after: str = ""


class LostGuard(Record, frozen=True):
    """A route that writes and is less guarded than before."""

    route: str
    guard: str
    """The guard that is gone, or the exemption that is new."""
    is_exemption: bool = False

    def __str__(self) -> str:
        return f"{self.route} {'gained' if self.is_exemption else 'lost'} {self.guard}"


class DeletionChange(Record, frozen=True):
    """A resource of both documents whose deletion reaches other resources than before."""

    resource: str
    more: tuple[str, ...] = ()
    """Resources whose rows are deleted with it now, and were not before."""
    less: tuple[str, ...] = ()
    newly_forbidden_by: tuple[str, ...] = ()
    no_longer_forbidden_by: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [
            f"{words} {', '.join(names)}"
            for words, names in (
                ("now also deletes rows of", self.more),
                ("no longer deletes rows of", self.less),
                ("is now forbidden by", self.newly_forbidden_by),
                ("is no longer forbidden by", self.no_longer_forbidden_by),
            )
            if names
        ]
        return f"deleting a row of {self.resource} {', '.join(parts)}"


class Difference(Record, frozen=True):
    """All changes: by kind, in the order of the newer document, then removed ones."""

    changes: tuple[Change, ...]
    lost_guards: tuple[LostGuard, ...]
    unclear_guards: tuple[GuardVerdict, ...] = ()
    """Routes that write and whose guards were exchanged for others, stronger or weaker."""
    deletions: tuple[DeletionChange, ...] = ()
    """Resources whose deletion reaches more, less or others, in the order of the newer document."""


def difference(old: Metadata, new: Metadata) -> Difference:
    """Return everything that differs; two equal documents give no changes. Linear in the size of the documents."""
    changes = [*_resources(old, new), *_routes(old, new), *_middleware(old, new)]
    verdicts = list(_verdicts(old, new))
    lost = [guard for verdict in verdicts if verdict.verdict == "loosened" for guard in _lost_guards(verdict)]
    unclear = [verdict for verdict in verdicts if verdict.verdict == "changed"]
    return Difference(tuple(changes), tuple(lost), tuple(unclear), tuple(_deletions(old, new)))


def _deletions(old: Metadata, new: Metadata) -> Iterable[DeletionChange]:
    earlier, later = _reaches(old), _reaches(new)
    for name, (deleted, forbidding) in later.items():
        if name not in earlier:
            continue
        deleted_before, forbidding_before = earlier[name]
        change = DeletionChange(
            name,
            more=_only_in(deleted, deleted_before),
            less=_only_in(deleted_before, deleted),
            newly_forbidden_by=_only_in(forbidding, forbidding_before),
            no_longer_forbidden_by=_only_in(forbidding_before, forbidding),
        )
        if change != DeletionChange(name):
            yield change


def _reaches(document: Metadata) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return for each resource the resources deleted with it, and the relationships that forbid its deletion."""
    links = DeletionLinks(document.resources, {one.name: one for one in document.resources})
    found = {}
    for resource in document.resources:
        impact = follow_deletion(resource.name, links)
        forbidding = tuple(f"{one.resource}.{one.relationship}" for one in impact.blocked_by)
        found[resource.name] = impact.deleted, forbidding
    return found


def _only_in(names: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    known = set(others)
    return tuple(name for name in dict.fromkeys(names) if name not in known)


def _resources(old: Metadata, new: Metadata) -> Iterable[Change]:
    before, after = ({one.id or one.name: one for one in document.resources} for document in (old, new))
    yield from _added_and_removed("resource", before, after)
    for key in after:
        if key in before:
            yield from _members(key, before[key], after[key])


def _members(key: str, before: Resource, after: Resource) -> Iterable[Change]:
    yield from _compared("resource", {key: _facts_of_resource(before)}, {key: _facts_of_resource(after)})
    fields = [
        {f"{key}.{one.name}": _facts_of_field(one) for one in resource.fields} for resource in (before, after)
    ]
    yield from _added_and_removed("field", *fields)
    yield from _compared("field", *fields)
    links = [
        {f"{key}.{one.name}": _facts_of_relationship(one) for one in resource.relationships}
        for resource in (before, after)
    ]
    yield from _added_and_removed("relationship", *links)
    yield from _compared("relationship", *links)


def _routes(old: Metadata, new: Metadata) -> Iterable[Change]:
    routes = [
        {key: _facts_of_route(route) for key, route in _by_id(document).items()} for document in (old, new)
    ]
    yield from _added_and_removed("route", *routes)
    yield from _compared("route", *routes)


def _by_id(document: Metadata) -> dict[str, Route]:
    return {_route_id(route): route for route in document.routes}


def _route_id(route: Route) -> str:
    return (route.details.id if route.details else "") or f"{route.method} {route.path}"


def _middleware(old: Metadata, new: Metadata) -> Iterable[Change]:
    if old.middleware != new.middleware:
        yield Change(
            "changed", "middleware", "application", "middleware", _list(old.middleware), _list(new.middleware)
        )


def _added_and_removed(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[Change]:
    yield from (Change("added", kind, key) for key in after if key not in before)
    yield from (Change("removed", kind, key) for key in before if key not in after)


def _compared(
    kind: str, before: Mapping[str, dict[str, str]], after: Mapping[str, dict[str, str]]
) -> Iterable[Change]:
    for key, facts in after.items():
        earlier = before.get(key, facts)
        for attribute, value in facts.items():
            if earlier[attribute] != value:
                yield Change("changed", kind, key, attribute, earlier[attribute], value)


def _facts_of_resource(resource: Resource) -> dict[str, str]:
    constraints = sorted(f"{one.name or one.kind}: {one.condition}" for one in resource.constraints)
    hooks = [f"{one.type} {one.handler or one.source_code}".strip() for one in resource.hooks]
    return {"constraints": "; ".join(constraints), "hooks": _list(hooks)}


def _facts_of_field(field: Field) -> dict[str, str]:
    return {
        "type": field.type,
        "nullable": _yes(field.nullable),
        "required": _yes(field.required),
        "default": field.default_value,
        "constraints": _list(field.constraints),
        "choices": _list(field.details.choices if field.details else ()),
    }


def _facts_of_relationship(relationship: Relationship) -> dict[str, str]:
    return {
        "type": relationship.type,
        "target": relationship.target_resource,
        "on_delete": relationship.on_delete,
        "through": relationship.through_table,
    }


def _facts_of_route(route: Route) -> dict[str, str]:
    return {
        "handler": route.handler,
        "middleware": _list(route.middleware),
        "request": route.request_body,
        "response": route.response_body,
    }


def _list(values: Iterable[str]) -> str:
    return ", ".join(values)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _verdicts(old: Metadata, new: Metadata) -> Iterable[GuardVerdict]:
    """Yield how the guards of each route that writes changed."""
    before = _by_id(old)
    for key, route in _by_id(new).items():
        if key in before and route.method.upper() not in READ_METHODS:
            verdict = compare_guards(key, before[key], route, old, new)
            if verdict is not None:
                yield verdict


def _lost_guards(verdict: GuardVerdict) -> Iterable[LostGuard]:
    if not verdict.lost:  # the same steps ask for less, as where one of them offers another alternative
        yield LostGuard(verdict.route, f"a requirement of {_list(verdict.gained)}")
    for name in verdict.lost:
        yield LostGuard(verdict.route, name.removeprefix("+"), name.startswith("+"))
