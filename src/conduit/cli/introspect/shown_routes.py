"""What many routes have in common, which tables say once."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` would slow the answer; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Sequence

_SEVERAL = 3
"""What all routes carry is said once from this number of routes on."""


def carried_by_all(chains: Sequence[Sequence[str]], routes: int) -> list[str]:
    """Return the middleware in all chains, those of so many routes; none for one or two routes."""
    if routes < _SEVERAL:
        return []
    common = list(dict.fromkeys(chains[0]))
    for chain in chains:
        if not common:
            break
        common = [name for name in common if name in chain]
    return common
