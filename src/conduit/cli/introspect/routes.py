"""`conduit introspect routes`: the routes, all or those that the flags describe."""

from __future__ import annotations

import sys

from conduit.cli.introspect.question import require_known, tell_hidden
from conduit.cli.introspect.route_filters import SORTS, chosen
from conduit.cli.introspect.routes_table import RoutesTable

TYPE_CHECKING = False  # `typing` would slow the answer; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.metadata.registry import Registry
    from conduit.metadata.schema import Route

_FILTERS = ("resource", "middleware", "match", "without", "path", "handler")

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
    flags.option("sort", f"{_either(SORTS)} (default: document order)", parse=_sort_key, metavar="KEY")
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
    candidates: Sequence[int] = range(len(everything))
    if flags["open"]:
        stored, guards = _stored_open_routes(question)
        candidates = open_routes(question.whole_registry) if stored is None else stored
        _tell_possible_guards(possible_guards(registry) if guards is None else guards)
    table = RoutesTable.of(everything, None, verbose=False)
    routes: Sequence[Route] = [everything[at] for at in chosen(table, flags, candidates)]
    if question.part:
        from conduit.cli.introspect.application_parts import routes_of_part

        routes = routes_of_part(routes, registry.schema(), question.part)
    if not _is_filtered(question):
        routes = question.without_framework(routes, "routes")
    if flags["profile"]:
        from conduit.cli.introspect.route_costs import answer

        return answer(question, routes, whole=_is_whole(question))
    schema = registry.schema() if _is_whole(question) else None
    shown = RoutesTable.of(routes, schema, verbose=question.verbose)
    return question.answer_records("routes", routes, everything, shown.print)


def answer_stored(question: Question) -> bool:
    """Print the routes as the compiled form keeps them; return False where it cannot answer."""
    flags = question.flags
    if question.part or flags["resource"] == "" or flags["profile"]:
        return False
    is_whole = _is_whole(question)
    if flags["format"] != "table" and is_whole and not flags["sort"]:
        return question.answer_stored_records("routes")
    own, cells = question.stored_positions("own routes"), question.stored("columns:routes")
    stored, guards = _stored_open_routes(question) if flags["open"] else ((), ())
    if own is None or cells is None or stored is None or guards is None:
        return False
    table = RoutesTable.unpacked(cells, verbose=question.verbose)
    if not table.is_exact and (flags["sort"] or not is_whole):
        return False
    if flags["resource"] and flags["resource"] not in table.column("RESOURCE"):
        return False  # it may be unknown
    count, *positions = own
    found = chosen(table, flags, stored if flags["open"] else range(count))
    hidden = 0
    if not flags["all"] and not _is_filtered(question):
        kept = frozenset(positions)
        everything, found = len(found), [at for at in found if at in kept]
        hidden = everything - len(found)
    records = None if flags["format"] == "table" else question.stored_records("routes", found)
    if records is None and flags["format"] != "table":
        return False
    _tell_possible_guards(guards)
    tell_hidden(hidden, "routes")
    if records is not None:
        question.answer_arrays(records)
        return True
    shown = table.only(found)
    if not is_whole:
        shown.passed = shown.mounts = ()
    question.answer(None, shown.print)
    return True


def _is_filtered(question: Question) -> bool:
    """Return whether a filter is given that may ask for the framework's own routes, too."""
    return bool(question.part) or any(question.flags[name] for name in _FILTERS)


def _is_whole(question: Question) -> bool:
    """Return whether all routes are asked for, so that what the document says of all of them is shown."""
    return not (_is_filtered(question) or question.flags["method"] or question.flags["open"])


def _stored_open_routes(question: Question) -> tuple[Sequence[int] | None, Sequence[str] | None]:
    """Return the positions of the open routes, and the middleware that may guard every route, where they are kept."""
    return question.stored_positions("open routes"), question.stored_texts("possible guards")


def open_routes(registry: Registry) -> list[int]:
    """Return the positions of the routes that declare no login, permission or role."""
    from conduit.metadata.guards import route_guards

    schema = registry.schema()
    return [at for at, route in enumerate(registry.routes()) if route_guards(route, schema).is_open]


def possible_guards(registry: Registry) -> Sequence[str]:
    """Return the middleware of the application that may guard every route."""
    from conduit.metadata.guards import possible_guards as guards_of

    return guards_of(registry.schema())


def _tell_possible_guards(names: Sequence[str]) -> None:
    if names:
        print(
            f"conduit: {', '.join(names)} may guard every route; checks inside of it are not seen",
            file=sys.stderr,
        )


def _sort_key(text: str) -> str:
    if text not in SORTS:
        raise ValueError(f"expected {_either(SORTS)}")
    return text
