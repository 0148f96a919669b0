"""`conduit introspect routes`: the routes, all or those that the flags describe."""

from __future__ import annotations

import sys

from conduit.cli.introspect.question import require_known, tell_hidden
from conduit.cli.introspect.routes_table import RoutesTable
from conduit.errors import ConduitError, UsageError

TYPE_CHECKING = False  # `typing` would slow the answer; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.metadata.registry import Registry
    from conduit.metadata.schema import Route

_FILTERS = ("resource", "middleware", "match", "without", "path", "handler")

_SORTS: dict[str, Callable[[Route], Any]] = {
    "path": lambda route: (route.path, route.method),
    "handler": lambda route: route.handler,
    "name": lambda route: route.details.name if route.details else "",
    "resource": lambda route: route.resource,
    "method": lambda route: (route.method, route.path),
}

PART = "routes+"


def _either(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}"


def declare(flags: FlagSet) -> None:
    """Declare the filters; a route must pass all of them."""
    flags.option("method", "only this HTTP method, in any case", metavar="METHOD")
    flags.option("middleware", "only routes that carry this middleware", metavar="NAME")
    flags.option("without", "only routes that do not carry this middleware", metavar="NAME")
    flags.switch(
        "open",
        "only routes that declare no login, permission or role; checks inside of handlers are not seen",
    )
    flags.option("resource", "only routes of this resource", metavar="NAME")
    flags.option("path", "only paths that match this glob", metavar="GLOB")
    flags.option("handler", "only handlers that match this glob, such as *OrderView*", metavar="GLOB")
    flags.option("sort", f"{_either(_SORTS)} (default: document order)", parse=_sort_key, metavar="KEY")
    flags.switch("all", "the framework's own routes too")
    flags.option(
        "match", 'only routes that serve a request such as "GET /orders/5", closest first', metavar="REQUEST"
    )
    flags.option(
        "profile",
        "a profile with route labels (conduit.middleware), to show the cost of each route; may be repeated",
        repeatable=True,
        metavar="FILE",
    )


def run(question: Question) -> int:
    """Print the routes in document order; with --match those with the fewest variable parts first."""
    flags = question.flags
    if flags["profile"] and flags["format"] != "table":
        question.read_whole()
    registry = question.registry
    everything = registry.routes()
    if flags["resource"] is not None:
        known = [
            *(one.name for one in registry.resources()),
            *(route.resource for route in everything if route.resource),
        ]
        require_known(flags["resource"], known, "resource")
    routes: Sequence[Route] = registry.routes(method=flags["method"], resource=flags["resource"])
    if flags["middleware"] is not None:
        routes = _with_middleware(routes, everything, flags["middleware"])
    if flags["without"] is not None:
        _require_middleware(flags["without"], everything)
        routes = [route for route in routes if not _carries(route, flags["without"])]
    if flags["open"]:
        stored = question.stored_positions("open routes")
        found = open_routes(question.whole_registry) if stored is None else stored
        are_open = {id(everything[position]) for position in found}
        routes = [route for route in routes if id(route) in are_open]
        _tell_possible_guards(registry)
    for name in ("path", "handler"):
        if flags[name] is not None:
            from conduit.metadata.loaded_document import matcher

            fits = matcher(flags[name])
            routes = [route for route in routes if fits(getattr(route, name))]
    if flags["match"] is not None:
        routes = _matching(routes, flags["match"])
    if question.part:
        from conduit.cli.introspect.application_parts import routes_of_part

        routes = routes_of_part(routes, registry.schema(), question.part)
    is_filtered = bool(question.part) or any(flags[name] for name in _FILTERS)
    if not is_filtered:
        routes = question.without_framework(routes, "routes")
    if flags["sort"]:
        routes = sorted(routes, key=_SORTS[flags["sort"]])
    if flags["profile"]:
        from conduit.cli.introspect.route_costs import answer

        return answer(question, routes, whole=not is_filtered and not flags["method"] and not flags["open"])
    schema = None if is_filtered or flags["method"] or flags["open"] else registry.schema()
    table = RoutesTable.of(routes, schema, verbose=question.verbose)
    return question.answer_records("routes", routes, everything, table.print)


def answer_stored(question: Question) -> bool:
    """Print the routes, all or of a resource or a method, as the compiled form keeps them; False if it does not."""
    flags = question.flags
    others = {*_FILTERS, "open", "sort", "profile"} - {"resource"}
    if question.part or flags["resource"] == "" or any(flags[name] for name in others):
        return False
    narrowed = bool(flags["method"] or flags["resource"])
    if flags["format"] != "table":
        return not narrowed and question.answer_stored_records("routes")
    own, cells = question.stored_positions("own routes"), question.stored("columns:routes")
    if own is None or cells is None:
        return False
    count, *positions = own
    table = RoutesTable.unpacked(cells, verbose=question.verbose)
    chosen = table.positions(flags["method"], flags["resource"]) if narrowed else range(count)
    if flags["resource"] and not chosen:
        return False  # it may be unknown
    if not flags["resource"] and not flags["all"]:
        kept = frozenset(positions)
        found, chosen = len(chosen), [at for at in chosen if at in kept]
        tell_hidden(found - len(chosen), "routes")
    table = table.only(chosen)
    if narrowed:
        table.passed = table.mounts = ()
    question.answer(None, table.print)
    return True


def open_routes(registry: Registry) -> list[int]:
    """Return the positions of the routes that declare no login, permission or role."""
    from conduit.metadata.guards import route_guards

    schema = registry.schema()
    return [at for at, route in enumerate(registry.routes()) if route_guards(route, schema).is_open]


def _tell_possible_guards(registry: Registry) -> None:
    from conduit.metadata.guards import possible_guards

    names = possible_guards(registry.schema())
    if names:
        print(
            f"conduit: {', '.join(names)} may guard every route; checks inside of it are not seen",
            file=sys.stderr,
        )


def _with_middleware(routes: Sequence[Route], everything: Sequence[Route], name: str) -> list[Route]:
    _require_middleware(name, everything)
    return [route for route in routes if _carries(route, name)]


def _require_middleware(name: str, everything: Sequence[Route]) -> None:
    known = (part for route in everything for entry in route.middleware for part in _names_in(entry))
    require_known(name, known, "middleware")


def _carries(route: Route, name: str) -> bool:
    return any(name in _names_in(entry) for entry in route.middleware)


def _sort_key(text: str) -> str:
    if text not in _SORTS:
        raise ValueError(f"expected {_either(_SORTS)}")
    return text


def _names_in(entry: str) -> list[str]:
    """Return the names by which a middleware entry is found.

    They are the entry itself, its name without parameters, and each of its alternatives.
    """
    parts = [part for choice in entry.split(" or ") for part in choice.split(" and ")]
    names = [part.partition("(")[0] for part in parts if part != "none"]
    return list(dict.fromkeys([*names, *parts, entry]))


def _matching(routes: Sequence[Route], request: str) -> list[Route]:
    from conduit.cli.introspect.matching import match_routes, parse_request

    try:
        method, path = parse_request(request)
    except ValueError as error:
        raise UsageError(f"routes: {error}") from None
    found = match_routes(routes, method, path)
    if not found:
        others = sorted({route.method for route in match_routes(routes, "", path)})
        hint = f"; it is served for {', '.join(others)}" if others else ""
        raise ConduitError(f"no route serves {request}{hint}")
    return found
