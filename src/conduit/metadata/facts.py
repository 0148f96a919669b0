"""The facts of a document that a comparison goes by, and a document as one side of it.

`difference` compares two sides. A side is a whole document (`ComparedDocument`) or its compiled form
(`compared_form.ComparedForm`), which reads the facts of a resource or route only where its digest differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from conduit.metadata.guards import guard_steps
from conduit.metadata.impact import DeletionLinks
from conduit.metadata.schema import READ_METHODS, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conduit.metadata.guards import Steps
    from conduit.metadata.schema import Field, Metadata, Relationship, Resource, Route

Facts = tuple[str, ...]
"""The values of the attributes of a kind."""

ATTRIBUTES = {
    "resource": ("constraints", "hooks"),
    "field": ("type", "nullable", "required", "default", "constraints", "choices"),
    "relationship": ("type", "target", "on_delete", "through"),
    "route": ("handler", "middleware", "request", "response"),
}


class ResourceFacts(Record, frozen=True):
    """The facts of a resource that a comparison goes by."""

    own: Facts
    fields: dict[str, Facts]
    """Name → facts; the last field of a repeated name."""
    relationships: dict[str, Facts]


class Side(Protocol):
    """One side of a comparison."""

    @property
    def middleware(self) -> tuple[str, ...]:
        """That of the whole application."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the resources, in document order."""

    @property
    def resources(self) -> Mapping[str, object]:
        """Key → a value; two sides of the same class have equal values only where the facts are equal, too."""

    @property
    def routes(self) -> Mapping[str, object]:
        """The same for routes."""

    @property
    def deletions(self) -> object:
        """The same for the effects of all deletions."""

    @property
    def chains(self) -> Sequence[Steps]:
        """The distinct chains of steps of the routes."""

    @property
    def chain_of(self) -> Mapping[str, int]:
        """Key → the position of the route's chain in `chains`."""

    @property
    def writing(self) -> Sequence[str]:
        """The keys of the routes that write."""

    def resource(self, key: str) -> ResourceFacts:
        """Return the facts of a resource."""

    def route(self, key: str) -> Facts:
        """Return the facts of a route."""

    def links(self) -> DeletionLinks:
        """Return the links that deletions go through."""


class ComparedDocument:
    """A document as one side of a comparison."""

    def __init__(self, document: Metadata) -> None:
        self.middleware = document.middleware
        self.names = tuple(dict.fromkeys(one.name for one in document.resources))
        self.resources = {one.id or one.name: one for one in document.resources}
        self.routes = {_route_key(one): one for one in document.routes}
        steps = {key: guard_steps(one) for key, one in self.routes.items()}
        self.chains = tuple(dict.fromkeys(steps.values()))
        positions = {chain: at for at, chain in enumerate(self.chains)}
        self.chain_of = {key: positions[chain] for key, chain in steps.items()}
        self.writing = [key for key, one in self.routes.items() if one.method.upper() not in READ_METHODS]
        self.deletions = document.resources

    def resource(self, key: str) -> ResourceFacts:
        """Return the facts of a resource."""
        return _facts_of_resource(self.resources[key])

    def route(self, key: str) -> Facts:
        """Return the facts of a route."""
        return _facts_of_route(self.routes[key])

    def links(self) -> DeletionLinks:
        """Return the links that deletions go through."""
        return DeletionLinks(self.deletions, {one.name: one for one in self.deletions})


def _route_key(route: Route) -> str:
    return (route.details.id if route.details else "") or f"{route.method} {route.path}"


def _facts_of_resource(resource: Resource) -> ResourceFacts:
    constraints = sorted(f"{one.name or one.kind}: {one.condition}" for one in resource.constraints)
    hooks = [f"{one.type} {one.handler or one.source_code}".strip() for one in resource.hooks]
    return ResourceFacts(
        ("; ".join(constraints), listed(hooks)),
        {one.name: _facts_of_field(one) for one in resource.fields},
        {one.name: _facts_of_relationship(one) for one in resource.relationships},
    )


def _facts_of_field(field: Field) -> Facts:
    return (
        field.type,
        _yes(field.nullable),
        _yes(field.required),
        field.default_value,
        listed(field.constraints),
        listed(field.details.choices if field.details else ()),
    )


def _facts_of_relationship(relationship: Relationship) -> Facts:
    return (
        relationship.type,
        relationship.target_resource,
        relationship.on_delete,
        relationship.through_table,
    )


def _facts_of_route(route: Route) -> Facts:
    return route.handler, listed(route.middleware), route.request_body, route.response_body


def listed(values: Iterable[str]) -> str:
    """Return names as changes show them."""
    return ", ".join(values)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
