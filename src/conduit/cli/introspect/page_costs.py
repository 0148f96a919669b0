"""What routes and resources cost, for the page: the columns of `introspect routes -profile`, summed by resource too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.cli.introspect.route_costs import join, name_of, read_costs, shown_source
from conduit.profile.measurement import label, percentage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.cli.introspect.route_costs import Cost
    from conduit.metadata.schema import Metadata


def cost_data(document: Metadata, sources: Sequence[str]) -> dict[str, Any]:
    """Return the columns of profiles, files or URLs, in their order.

    Raises `ConduitError` for a profile that cannot be read or whose samples have no route.
    """
    costs = read_costs(sources)
    others = join(document.routes, costs)
    return {"columns": [_column(cost, document, sources, others) for cost in costs]}


def _column(cost: Cost, document: Metadata, sources: Sequence[str], others: Sequence[str]) -> dict[str, Any]:
    by_resource: dict[str, int] = {}
    for route in {name_of(route): route for route in document.routes}.values():
        amount = cost.by_route.get(name_of(route), 0)
        if amount and route.resource:
            by_resource[route.resource] = by_resource.get(route.resource, 0) + amount
    labels = set(others)
    return {
        "title": cost.title,
        "type": cost.type,
        "file": cost.file,
        "profile": list(map(shown_source, sources)).index(cost.file),
        "total": label(cost.total, cost.unit),
        "routes": {
            text: _amount(value, cost)
            for text, value in cost.by_route.items()
            if value and text not in labels
        },
        "resources": {name: _amount(value, cost) for name, value in by_resource.items()},
        "others": {text: _amount(cost.by_route[text], cost) for text in others if cost.by_route.get(text)},
    }


def _amount(value: int, cost: Cost) -> list[Any]:
    return [value, label(value, cost.unit), percentage(value, cost.total).strip()]
