"""The filters of `conduit introspect routes` and its order, on the cells of a table.

They need no records: those of a large application take longer to decode than an answer.
"""

from __future__ import annotations

from conduit.cli.introspect.question import require_known
from conduit.errors import ConduitError, UsageError
from conduit.metadata.name_matching import matcher, upper_method

TYPE_CHECKING = False  # `typing` would slow the answer; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from conduit.cli.flags import Parsed
    from conduit.cli.introspect.routes_table import RoutesTable

SORTS: dict[str, tuple[str, ...]] = {
    "path": ("PATH", "METHOD"),
    "handler": ("HANDLER",),
    "name": ("NAME",),
    "resource": ("RESOURCE",),
    "method": ("METHOD", "PATH"),
}
"""The keys of `-sort`, each with the columns that decide."""


def chosen(table: RoutesTable, flags: Parsed, candidates: Iterable[int]) -> list[int]:
    """Return those of the candidates, positions in the table, that pass all filters, in the order of -sort.

    Without -sort they stay in their order; with -match the closest come first.
    Raises `UnknownNameError` for middleware that no route of the table carries, `UsageError` for a request that is
    none, and `ConduitError` for one that no route serves.
    """
    found = list(candidates)
    if flags["method"]:
        method = upper_method(flags["method"])
        found = _where(found, table.column("METHOD"), lambda cell: upper_method(cell) == method)
    if flags["resource"]:
        found = _where(found, table.column("RESOURCE"), flags["resource"].__eq__)
    for name, is_wanted in (("middleware", True), ("without", False)):
        if flags[name] is not None:
            carry = _chains_with(table.chains, flags[name])
            found = [at for at in found if (table.chain_of[at] in carry) is is_wanted]
    for name in ("path", "handler"):
        if flags[name] is not None:
            found = _where(found, table.column(name.upper()), matcher(flags[name]))
    if flags["match"] is not None:
        found = _serving(table, found, flags["match"])
    return _in_order(table, found, flags["sort"]) if flags["sort"] else found


def _in_order(table: RoutesTable, positions: list[int], key: str) -> list[int]:
    """Return the positions in the order of a key of `SORTS`; equals stay in their order."""
    first, *rest = map(table.column, SORTS[key])
    return sorted(positions, key=lambda at: (first[at], *(column[at] for column in rest)))


def _where(positions: Iterable[int], cells: Sequence[str], fits: Callable[[str], object]) -> list[int]:
    return [at for at in positions if fits(cells[at])]


def _chains_with(chains: Sequence[Sequence[str]], name: str) -> Collection[int]:
    """Return the numbers of the chains that carry some middleware; raise `UnknownNameError` where none does."""
    names = [[each for entry in chain for each in _names_in(entry)] for chain in chains]
    require_known(name, (each for chain in names for each in chain), "middleware")
    return {number for number, chain in enumerate(names) if name in chain}


def _names_in(entry: str) -> list[str]:
    """Return the names by which a middleware entry is found.

    They are the entry itself, its name without parameters, and each of its alternatives.
    """
    parts = [part for choice in entry.split(" or ") for part in choice.split(" and ")]
    names = [part.partition("(")[0] for part in parts if part != "none"]
    return list(dict.fromkeys([*names, *parts, entry]))


def _serving(table: RoutesTable, positions: Sequence[int], request: str) -> list[int]:
    from conduit.cli.introspect.matching import parse_request, positions_that_serve

    try:
        method, path = parse_request(request)
    except ValueError as error:
        raise UsageError(f"routes: {error}") from None
    methods, paths = table.column("METHOD"), table.column("PATH")
    found = positions_that_serve(methods, paths, positions, method, path)
    if not found:
        others = sorted({methods[at] for at in positions_that_serve(methods, paths, positions, "", path)})
        hint = f"; it is served for {', '.join(others)}" if others else ""
        raise ConduitError(f"no route serves {request}{hint}")
    return found
