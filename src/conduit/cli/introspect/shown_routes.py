"""What many routes have in common, which tables say once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.metadata.schema import Route

_SEVERAL = 3
"""What all routes carry is said once from this number of routes on."""


def carried_by_all(routes: Sequence[Route]) -> list[str]:
    """Return the middleware that every one of several routes has; none for one or two routes."""
    if len(routes) < _SEVERAL:
        return []
    common = list(dict.fromkeys(routes[0].middleware))
    for route in routes:
        if not common:
            break
        common = [name for name in common if name in route.middleware]
    return common
