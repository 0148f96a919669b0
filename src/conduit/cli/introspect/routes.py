"""`conduit introspect routes`: the routes, all or those that the flags describe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from conduit.cli.introspect.question import require_known, tell_hidden
from conduit.cli.introspect.shown_paths import shown_path
from conduit.cli.introspect.shown_routes import carried_by_all
from conduit.cli.tables import Layout
from conduit.errors import ConduitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.registry import Registry
    from conduit.metadata.schema import Metadata, Route

_FILTERS = ("resource", "middleware", "match", "without", "path", "handler")
_WIDE = 120
"""From this many character cells on, the path may have a smaller share of the line."""

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
    is_narrowed = bool(question.part) or any(
        flags[name] for name in (*_FILTERS, "method", "open", "sort", "profile")
    )
    if not is_narrowed and _answer_as_stored(question):
        return 0
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
    return question.answer_records(
        "routes",
        routes,
        everything,
        lambda page: _print(page, _table(routes, schema, 0), routes if question.verbose else ()),
    )


def _answer_as_stored(question: Question) -> bool:
    """Print all routes as the compiled form keeps them; False if it does not."""
    if question.flags["format"] != "table":
        return question.answer_stored_records("routes")
    if question.verbose:
        return False
    from conduit.cli.introspect.records import ALL_ROUTES, OWN_ROUTES

    stored = question.stored_answer(ALL_ROUTES if question.flags["all"] else OWN_ROUTES)
    if stored is None:
        return False
    import msgspec

    table = msgspec.msgpack.decode(stored, type=RoutesTable)
    tell_hidden(table.hidden, "routes")
    question.answer(None, lambda page: _print(page, table))
    return True


def stored_table(registry: Registry, everything: bool) -> RoutesTable:
    """Return the table of all routes, or of all but the framework's own."""
    routes = registry.routes()
    own = routes if everything else [route for route in routes if route.origin != "framework"]
    return _table(own, registry.schema(), len(routes) - len(own))


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


class RoutesTable(NamedTuple):
    """What the table of some routes says, so that it can be kept: of thousands of routes, their records take longer."""

    columns: list[list[str]]
    """Method, path, handler, name, resource and middleware of each route."""
    common: list[str]
    """The middleware that all of them carry."""
    passed: list[str]
    """The middleware that every request passes."""
    mounts: list[list[str]]
    """The table of the mounts whose routes are not among them."""
    hidden: int
    """How many routes are the framework's own, and left out."""


def _table(routes: Sequence[Route], whole: Metadata | None, hidden: int) -> RoutesTable:
    """Return the table of some routes; with `whole`, of all that a document has."""
    common = carried_by_all(routes)
    # Thousands of routes have the same few lists.
    own = {
        names: ", ".join(name for name in names if name not in common)
        for names in {route.middleware for route in routes}
    }
    columns = [
        [route.method for route in routes],
        [route.path for route in routes],
        [route.handler for route in routes],
        [route.details.name if route.details else "" for route in routes],
        [route.resource for route in routes],
        [own[route.middleware] for route in routes],
    ]
    mounts = [
        [mount.path, mount.host, mount.application, "files" if mount.kind == "static" else "not readable"]
        for mount in (whole.mounts if whole else ())
        if mount.kind != "application"
    ]
    return RoutesTable(columns, common, list(whole.middleware) if whole else [], mounts, hidden)


def _print(page: Page, table: RoutesTable, more: Sequence[Route] = ()) -> None:
    """Print the routes, then what all of them carry, and the mounts; with the routes themselves, all about each."""
    if not table.columns[0]:
        page.line("no routes")
    else:
        _print_routes(page, table, more)
    if table.mounts:
        page.line()
        page.table(["MOUNT", "HOST", "APPLICATION", "KIND"], table.mounts, keep="MOUNT")


def _print_routes(page: Page, table: RoutesTable, more: Sequence[Route]) -> None:
    header = ["METHOD", "PATH", "HANDLER", "NAME", "RESOURCE", "MIDDLEWARE"]
    columns: list[Sequence[str]] = [*table.columns]
    if more:
        header += ["OPERATION", "REQUEST", "RESPONSE", "KIND", "LOCATION"]
        columns += zip(*map(_more, more), strict=True)
    layout = Layout(
        "PATH",
        share=0.4 if (page.width or 0) < _WIDE else 0.3,
        whole=("METHOD",),
        ends=("HANDLER", "LOCATION"),
        middles=("NAME",),
        wrap=("PATH",),
        optional=() if more else ("RESOURCE", "MIDDLEWARE"),
    )
    left_out = page.columns(header, columns, layout=layout)
    if table.common or table.passed:
        page.line()
    if table.common:
        page.paragraph(f"all {len(table.columns[0])} routes carry: {', '.join(table.common)}")
    if table.passed:
        page.paragraph(f"every request passes: {', '.join(table.passed)}")
    page.tell_left_out(left_out)


def _more(route: Route) -> list[str]:
    kind = route.details.kind if route.details else ""
    location = shown_path(route.details.file_path, route.line_number) if route.details else ""
    return [route.operation, route.request_body, route.response_body, kind, location]
