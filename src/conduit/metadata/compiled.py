"""The parts of the compiled form of a large document, from which a question reads only its own.

A document of thirteen megabytes takes longer to decode than any question to it. The compiled form holds smaller
documents, each with what a family of questions needs: the relationships, the routes without their chains, the counts of
each resource, every resource with its routes; answers that depend on nothing else, such as the statistics; and the
facts by which two documents are compared. It has the families that were asked: making all of them takes many times as
long as reading the document, and one is a small part of that.

`compiled_file` keeps them and checks one before it is read. They are MessagePack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from conduit.metadata.codec import freeze
from conduit.metadata.schema import EMPTY, Field, Hook, Metadata, Relationship, Resource, Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.metadata.compiled_file import CompiledForm

_encode = msgspec.msgpack.Encoder().encode
_decode_metadata = msgspec.msgpack.Decoder(Metadata).decode


def read_part(form: CompiledForm, name: str) -> Metadata | None:
    """Return a smaller document; `None` where the form has no such part or it is damaged."""
    data = form.bytes_of(name)
    try:
        return None if data is None else freeze(_decode_metadata(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return None


def document_parts(metadata: Metadata, family: str) -> dict[str, bytes]:
    """Return the parts of a family: `compared`, `resource` (each with its routes), or one smaller document."""
    if family == "compared":
        from conduit.metadata.compared_form import comparison_parts

        return comparison_parts(metadata)
    if family == "resource":
        return _each_resource(metadata)
    return {family: _encode(_SMALLER[family](metadata))}


def _each_resource(metadata: Metadata) -> dict[str, bytes]:
    parts: dict[str, bytes] = {}
    routes: dict[str, list[Route]] = {}
    for route in metadata.routes:
        routes.setdefault(route.resource, []).append(_short(route))
    pointing = _pointing(metadata)
    for resource in metadata.resources:  # the last one of a name is the one that is found
        referring = pointing.get(resource.name, {})
        resources = [
            resource if name == resource.name else Resource(name=name, relationships=tuple(relationships))
            for name, relationships in referring.items()
        ]
        if resource.name not in referring:
            resources.append(resource)
        own = tuple(routes.get(resource.name, ()))
        parts[f"resource:{resource.name}"] = _encode(Metadata(resources=tuple(resources), routes=own))
    return parts


def _tasks(metadata: Metadata) -> Metadata:
    return Metadata(tasks=metadata.tasks)


def _names(metadata: Metadata) -> Metadata:
    return Metadata(resources=tuple(Resource(name=one.name, id=one.id) for one in metadata.resources))


def _relations(metadata: Metadata) -> Metadata:
    """Return what dependencies, cycles and effects of a deletion follow from."""
    return Metadata(
        resources=tuple(
            Resource(
                name=one.name,
                id=one.id,
                file_path=one.file_path,
                kind=one.kind,
                origin=one.origin,
                relationships=one.relationships,
                hooks=tuple(Hook(type="", source_code=h.source_code) for h in one.hooks if h.source_code),
                middleware=one.middleware or EMPTY,
            )
            for one in metadata.resources
        )
    )


def _routes(metadata: Metadata) -> Metadata:
    """Return the routes as tables show them, and what their filters ask of resources."""
    return Metadata(
        resources=tuple(
            Resource(name=one.name, id=one.id, kind=one.kind, details=one.details)
            for one in metadata.resources
        ),
        routes=tuple(map(_short, metadata.routes)),
        middleware=metadata.middleware,
        mounts=metadata.mounts,
    )


def _short(route: Route) -> Route:
    """Return a route without its chain, parameters and answers, which no table shows."""
    details = route.details
    if details is None:
        return route
    return replace(
        route,
        details=replace(
            details, id="", chain=(), parameters=(), responses=(), resources=(), documentation=""
        ),
    )


def _resources(metadata: Metadata) -> Metadata:
    """Return the resources with as many empty fields, relationships and hooks as they have; the table counts them."""
    field, relationship, hook = Field("", ""), Relationship("", "", ""), Hook("")
    return Metadata(
        resources=tuple(
            replace(
                one,
                fields=(field,) * len(one.fields),
                relationships=(relationship,) * len(one.relationships),
                hooks=(hook,) * len(one.hooks),
                validations=(),
                constraints=(),
                middleware=EMPTY,
                scopes=(),
                computed_fields=(),
            )
            for one in metadata.resources
        ),
        routes=_modules(metadata),
    )


def _drawn(metadata: Metadata) -> Metadata:
    """Return what a picture shows: resources with their fields, relationships and constraints."""
    return Metadata(
        resources=tuple(
            replace(
                one,
                documentation="",
                fields=tuple(replace(field, documentation="") for field in one.fields),
                hooks=(),
                validations=(),
                middleware=EMPTY,
                scopes=(),
                computed_fields=(),
            )
            for one in metadata.resources
        ),
        routes=_modules(metadata),
    )


def _modules(metadata: Metadata) -> tuple[Route, ...]:
    """Return the routes with nothing but the module of their handler and their resource."""
    return tuple(
        Route("", "", handler=route.handler.partition(":")[0] + ":", resource=route.resource)
        for route in metadata.routes
    )


def _pointing(metadata: Metadata) -> dict[str, dict[str, list[Relationship]]]:
    """Return target → name of the resource that refers to it → its relationships, in document order."""
    pointing: dict[str, dict[str, list[Relationship]]] = {}
    for resource in metadata.resources:
        for relationship in resource.relationships:
            target = pointing.setdefault(relationship.target_resource, {})
            target.setdefault(resource.name, []).append(relationship)
    return pointing


_SMALLER: dict[str, Callable[[Metadata], Metadata]] = {
    "relations": _relations,
    "routes": _routes,
    "resources": _resources,
    "diagram": _drawn,
    "tasks": _tasks,
    "names": _names,
}
"""Family → what makes its document."""

FAMILIES = frozenset((*_SMALLER, "compared", "resource"))
