"""The cost of each route, from profiles whose samples have the labels of `conduit.middleware`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit.errors import ConduitError
from conduit.profile.measurement import label, percentage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.schema import Route
    from conduit.profile.model import Profile

LABEL = "route"
NO_ROUTE = "(no route)"
OUTSIDE = "(outside of requests)"

# The columns that say something about a route: the sample type's name, how the column is called, and a label whose
# samples alone tell kinds of profiles with the same type apart.
_COLUMNS = (
    ("cpu", "CPU", ""),
    ("wall", "WALL", ""),
    ("alloc_space", "ALLOCATED", ""),
    ("inuse_space", "IN USE", ""),
    ("delay", "LOCKS HELD", "lock"),
    ("delay", "WAITED", "wait"),
    ("delay", "DELAY", ""),
)


class Cost(NamedTuple):
    """One column: a sample type of one profile, summed by route."""

    title: str
    file: str
    type: str
    unit: str
    total: int
    by_route: dict[str, int]

    def cell(self, route: str) -> str:
        """Return the amount and its share of the whole profile; empty if there is none."""
        amount = self.by_route.get(route, 0)
        return f"{label(amount, self.unit)} {percentage(amount, self.total).strip()}" if amount else ""

    def as_data(self, route: str) -> dict[str, Any]:
        """Return the amount in `unit`, and its share of the whole profile in percent."""
        amount = self.by_route.get(route, 0)
        percent = round(100 * amount / self.total, 4) if self.total else 0.0
        return {"file": self.file, "type": self.type, "unit": self.unit, "value": amount, "percent": percent}


def read_costs(sources: Sequence[str]) -> list[Cost]:
    """Return the columns of profiles, files or URLs, in their order.

    Raises `ConduitError` for one that cannot be read or whose samples have no route.
    """
    costs: list[Cost] = []
    for source in sources:
        profile, shown = read_profile(source), shown_source(source)
        found = _costs_of(profile, shown)
        if not any(route != OUTSIDE for cost in found for route in cost.by_route):
            raise ConduitError(
                f"{shown}: no sample has the label {LABEL!r}; expected a profile of an application with route labels"
                " (conduit.middleware)"
            )
        costs += found
    return _told_apart(costs)


def shown_source(source: str) -> str:
    """Return a file or a URL as tables and pages show it: without its password."""
    from conduit.fetch.download import without_password

    return without_password(source)


def read_profile(source: str) -> Profile:
    """Read a profile from a file or a URL. Raises `ConduitError`."""
    from conduit.fetch.inputs import Request, fetch_profile

    return fetch_profile(Request(sources=[source]), lambda text: print(text, file=sys.stderr))


def _costs_of(profile: Profile, source: str) -> list[Cost]:
    keys = {key for sample in profile.samples for key in sample.labels}
    costs = []
    for position, kind in enumerate(profile.sample_types):
        title = next((t for name, t, key in _COLUMNS if name == kind.type and (not key or key in keys)), "")
        if title:
            costs.append(_sum(profile, position, title, source))
    last = len(profile.sample_types) - 1
    return costs or [_sum(profile, last, profile.sample_types[last].type.upper(), source)]


def _sum(profile: Profile, position: int, title: str, source: str) -> Cost:
    by_route: dict[str, int] = {}
    for sample in profile.samples:
        route = sample.labels.get(LABEL, [OUTSIDE])[0]
        by_route[route] = by_route.get(route, 0) + sample.values[position]
    kind = profile.sample_types[position]
    return Cost(title, source, kind.type, kind.unit, sum(by_route.values()), by_route)


def _told_apart(costs: list[Cost]) -> list[Cost]:
    """Add their file's name to columns with the same title."""
    titles = [cost.title for cost in costs]
    return [
        cost if titles.count(cost.title) == 1 else cost._replace(title=f"{cost.title} {cost.file}")
        for cost in costs
    ]


def name_of(route: Route) -> str:
    """Return the route as its label names it."""
    return f"{route.method.upper()} {route.path}"


def join(routes: Sequence[Route], costs: Sequence[Cost]) -> list[str]:
    """Give each route what its requests cost, and return the labels that are of none of them.

    A route for GET answers HEAD, and one for ANY every method that no other route of its path has.
    """
    seen = dict.fromkeys(text for cost in costs for text in cost.by_route)
    exact = {name_of(route) for route in routes}
    answering = {(route.method.upper(), route.path): name_of(route) for route in routes}
    others = []
    for text in seen:
        method, _, path = text.partition(" ")
        if text in exact:
            continue
        served = (answering.get(("GET", path)) if method == "HEAD" else None) or answering.get(("ANY", path))
        if served is None or not path:
            others.append(text)
            continue
        for cost in costs:
            amount = cost.by_route.pop(text, 0)
            cost.by_route[served] = cost.by_route.get(served, 0) + amount
    return sorted(others, key=lambda text: (text == OUTSIDE, text == NO_ROUTE, text))


def answer(question: Question, routes: Sequence[Route], *, whole: bool) -> int:
    """Print the routes with what they cost, the most expensive first unless a sort is asked for.

    With `whole`, a row for each label that no route has follows, so that the columns add up to their profiles.
    """
    costs = read_costs(question.flags["profile"])
    others = join(routes, costs)
    if not question.flags["sort"]:
        routes = sorted(routes, key=lambda route: [-cost.by_route.get(name_of(route), 0) for cost in costs])
    shown = others if whole else []
    data = {
        "routes": [
            {**_as_dict(route), "costs": [cost.as_data(name_of(route)) for cost in costs]} for route in routes
        ],
        "others": [{"route": text, "costs": [cost.as_data(text) for cost in costs]} for text in shown],
    }
    return question.answer(data, lambda page: _print(page, routes, costs, shown))


def _as_dict(route: Route) -> dict[str, Any]:
    import msgspec

    builtins: dict[str, Any] = msgspec.to_builtins(route)
    return builtins


def _print(page: Page, routes: Sequence[Route], costs: Sequence[Cost], others: Sequence[str]) -> None:
    from conduit.cli.tables import Layout

    header = ["METHOD", "PATH", "RESOURCE", *(cost.title for cost in costs)]
    rows = [
        [route.method, route.path, route.resource, *(cost.cell(name_of(route)) for cost in costs)]
        for route in routes
    ]
    for text in others:
        method, _, path = text.partition(" ") if "/" in text else ("", "", text)
        rows.append([method, path, "", *(cost.cell(text) for cost in costs)])
    titles = tuple(cost.title for cost in costs)
    page.table(header, rows, layout=Layout("PATH", whole=("METHOD", *titles), optional=("RESOURCE",)))
    page.line()
    for cost in costs:
        page.paragraph(f"{cost.title}: {cost.type} of {cost.file}, {label(cost.total, cost.unit)} in all")
