"""`conduit introspect deps NAME`: what a resource depends on, and what depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.cli.tables import Layout

if TYPE_CHECKING:
    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.registry import Registry
    from conduit.metadata.schema import DependencyGraph

KINDS = ("resource", "middleware", "function")

PART = "relations*"


def declare(flags: FlagSet) -> None:
    """How far, in which direction, and along which edges."""
    flags.option("depth", "how many steps to go; 0: no limit", default=1, parse=_depth, metavar="N")
    flags.switch("reverse", "only what depends on the resource")
    flags.option("type", "only edges to a resource, middleware or function", parse=_kind, metavar="TYPE")


def run(question: Question) -> int:
    """Print the graph of the direction asked for; without --reverse the other direction follows it."""
    registry, name = question.registry, question.arguments[0]
    depth, types = question.flags["depth"], _edge_types(registry, question.flags["type"])
    if question.flags["reverse"]:
        dependents = registry.dependencies(name, depth=depth, reverse=True, types=types)
        return question.answer(dependents, lambda page: _print(page, name, dependents, depth, True))
    graph = registry.dependencies(name, depth=depth, types=types)
    dependents = registry.dependencies(name, depth=depth, reverse=True, types=types)

    def table(page: Page) -> None:
        _print(page, name, graph, depth, False)
        page.line()
        _print(page, name, dependents, depth, True)

    return question.answer({"nodes": graph.nodes, "edges": graph.edges, "dependents": dependents}, table)


def _depth(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("expected a number from 0")
    return int(text)


def _kind(text: str) -> str:
    if text not in KINDS:
        raise ValueError(f"expected {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    return text


def _edge_types(registry: Registry, kind: str | None) -> tuple[str, ...] | None:
    """Return the edges that lead to nodes of a kind; None for all."""
    if kind is None:
        return None
    if kind != "resource":
        return ("uses",) if kind == "middleware" else ("calls",)
    from conduit.metadata.dependencies import RELATIONSHIP_TYPES

    own = {one.type for resource in registry.resources() for one in resource.relationships}
    return tuple(sorted(RELATIONSHIP_TYPES | own))


def _print(page: Page, name: str, graph: DependencyGraph, depth: int, reverse: bool) -> None:
    others = len(graph.nodes) - 1
    within = "" if depth == 0 else f" within {depth} steps" if depth > 1 else " directly"
    if reverse:
        page.heading(f"{_counted(others)} on {name}{within}")
    else:
        page.heading(f"{name} depends on {others or 'nothing'}{within}")
    if graph.edges:
        rows = [
            [edge.from_, edge.relationship, edge.to, graph.nodes[edge.to].type, _times(edge.weight)]
            for edge in graph.edges
        ]
        header = ["FROM", "RELATIONSHIP", "TO", "TYPE", "TIMES"]
        page.table(header, rows, "  ", layout=Layout(wrap=("FROM", "TO")))


def _counted(others: int) -> str:
    if others == 0:
        return "nothing depends"
    return "1 depends" if others == 1 else f"{others} depend"


def _times(weight: int) -> str:
    return str(weight) if weight > 1 else ""
