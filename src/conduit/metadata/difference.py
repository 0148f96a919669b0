"""What changed between two documents: resources, their fields and relationships, routes and what runs before them.

A resource is the same one when its id is (its name, where it has none), a route when method, host and path are, a field
or relationship when its name is within its resource. What was renamed is therefore removed and added. A route's guards
are the steps of its chain that decide who may use it; a route that writes and has lost one is told apart, for gates.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from conduit.metadata.patterns import READ_METHODS
from conduit.metadata.schema import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conduit.metadata.schema import Field, Metadata, Relationship, Resource, Route

_GUARDING_KINDS = frozenset(("permission", "authentication", "security"))
_GUARDING_WORDS = frozenset(
    "auth authenticated authentication authenticate authorize authorized authorization authorise oauth oauth2 login "  # noqa: SIM905
    "permission permissions permitted staff admin superuser role roles scope scopes signed require required requires "
    "token bearer jwt csrf member membership owner user".split()
)
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


class Change(Record, frozen=True):
    """One thing that is not as it was."""

    action: str
    """added, removed or changed."""
    kind: str
    """resource, field, relationship, route or middleware (of the whole application)."""
    name: str
    """`Book`, `Book.title`, `POST /books`."""
    attribute: str = ""
    """What changed of it: type, nullable, on_delete, middleware, …; empty when it was added or removed."""
    before: str = ""
    after: str = ""


class LostGuard(Record, frozen=True):
    """A route that writes and is no longer guarded by something that guarded it."""

    route: str
    guard: str


class Difference(Record, frozen=True):
    """All changes: by kind, in the order of the newer document, removed ones after them."""

    changes: tuple[Change, ...]
    lost_guards: tuple[LostGuard, ...]


def difference(old: Metadata, new: Metadata) -> Difference:
    """Everything that differs; two equal documents give none. Linear in what the documents hold."""
    changes = [*_resources(old, new), *_routes(old, new), *_middleware(old, new)]
    return Difference(tuple(changes), tuple(_lost_guards(old, new)))


def is_guard(name: str, kind: str) -> bool:
    """Whether a step of a chain decides who may use the route: by its kind, else by the words of its name."""
    words = {word.lower() for word in _WORD.findall(name.partition("(")[0])}
    return kind in _GUARDING_KINDS or not words.isdisjoint(_GUARDING_WORDS)


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


def _lost_guards(old: Metadata, new: Metadata) -> Iterable[LostGuard]:
    before = _by_id(old)
    for key, route in _by_id(new).items():
        if key in before and route.method.upper() not in READ_METHODS:
            kept = {name for name, _ in _guards(route)} | set(new.middleware)
            gone = [name for name, _ in _guards(before[key]) if name not in kept]
            yield from (LostGuard(key, name) for name in dict.fromkeys(gone))


def _guards(route: Route) -> list[tuple[str, str]]:
    chain = route.details.chain if route.details else ()
    kinds = {step.name: step.kind for step in chain}
    named = [(name, kinds.get(name, kinds.get(name.partition("(")[0], ""))) for name in route.middleware]
    return [(name, kind) for name, kind in named if is_guard(name, kind)]
