"""The parts of an application by which a document can be narrowed: a Django app, a package, a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.cli.introspect.question import require_known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.metadata.schema import Metadata, Resource, Route


def routes_of_part(routes: Sequence[Route], document: Metadata, part: str) -> list[Route]:
    """Return the routes whose handler is in the part; raise `UnknownNameError` where the document has no such part."""
    require_part(document, part)
    return [route for route in routes if _is_within(_module_of_route(route), part)]


def resources_of_part(resources: Sequence[Resource], document: Metadata, part: str) -> list[Resource]:
    """Return the resources of the part; raise `UnknownNameError` where the document has no such part."""
    require_part(document, part)
    return [
        resource
        for resource in resources
        if _label(resource) == part or _is_within(_module_of_resource(resource), part)
    ]


def require_part(document: Metadata, part: str) -> None:
    """Raise `UnknownNameError` with near names where neither a resource nor a route belongs to the part."""
    labels = {_label(resource) for resource in document.resources}
    modules = {
        *map(_module_of_resource, document.resources),
        *map(_module_of_route, document.routes),
    }
    if part in labels or any(_is_within(module, part) for module in modules):
        return
    packages = {module.rpartition(".")[0] or module for module in modules}
    require_known(part, sorted({*labels, *packages} - {""}), "app")


def _label(resource: Resource) -> str:
    """Return the Django app's label, `shop` in the id `shop.Order`; empty for resources of other kinds."""
    return resource.id.partition(".")[0] if resource.kind.startswith("django") else ""


def _module_of_resource(resource: Resource) -> str:
    return (resource.details.module if resource.details else "") or _module(resource.id)


def _module_of_route(route: Route) -> str:
    return (route.details.module if route.details else "") or _module(route.handler)


def _module(reference: str) -> str:
    return reference.partition(":")[0] if ":" in reference else ""


def _is_within(module: str, part: str) -> bool:
    """Return whether the names of `part` stand next to each other among those of a module or of its packages."""
    return f".{part}." in f".{module}."
