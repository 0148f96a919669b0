"""`conduit introspect stats`: counts of everything, with the document's warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.cli.introspect.patterns import all_patterns
from conduit.cli.introspect.question import metadata_path, print_warnings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.registry import Registry

PART = "stats*"


def run(question: Question) -> int:
    """Print the counts, and the document's own warnings on standard error."""
    stored = question.stored_answer("stats")
    if stored is None:
        question.print_warnings()
        answer = _answer(question.registry)
    else:
        answer, warnings = _read(stored)
        if not question.verbose:  # else the question itself has printed all of them
            print_warnings(metadata_path(question.flags["metadata"]), warnings, False)
    return question.answer(answer, lambda page: _print(page, answer))


def stored_stats(registry: Registry) -> dict[str, object]:
    """Return the answer with the document's warnings, as a compiled form keeps it."""
    from conduit.metadata.registry import Registry

    fresh = Registry(registry.schema())  # so that its own statistics are those of this question alone
    own = len(fresh.warnings)
    answer = _answer(fresh)
    counts: Any = answer["counts"]
    counts["warnings"] += len(registry.warnings) - own  # of repeated keys, which only the text shows
    return {"answer": answer, "warnings": [str(warning) for warning in registry.warnings]}


def _read(stored: bytes) -> tuple[dict[str, Any], list[str]]:
    import msgspec

    from conduit.metadata.schema import Source

    found = msgspec.msgpack.decode(stored)
    answer = found["answer"]
    answer["sources"] = msgspec.convert(answer["sources"], tuple[Source, ...])
    return answer, found["warnings"]


def _answer(registry: Registry) -> dict[str, object]:
    schema, resources = registry.schema(), registry.resources()
    graph = registry.graph()
    edges = [edge.relationship for edge in graph.edges]
    return {
        "version": schema.version,
        "generated": "" if schema.generated.startswith("0001-") else schema.generated,
        "source_hash": schema.source_hash,
        "sources": schema.sources,
        "counts": {
            "resources": len(resources),
            "fields": sum(len(one.fields) for one in resources),
            "relationships": sum(len(one.relationships) for one in resources),
            "hooks": sum(len(one.hooks) for one in resources),
            "validations": sum(len(one.validations) for one in resources),
            "constraints": sum(len(one.constraints) for one in resources),
            "scopes": sum(len(one.scopes) for one in resources),
            "computed_fields": sum(len(one.computed_fields) for one in resources),
            "routes": len(schema.routes),
            "routes_without_resource": sum(not route.resource for route in schema.routes),
            "routes_without_middleware": sum(not route.middleware for route in schema.routes),
            "patterns": len(all_patterns(registry)),
            "cycles": len(registry.cycles()),
            "graph_nodes": len(graph.nodes),
            "graph_edges": len(edges),
            "errors": len(schema.errors),
            "warnings": len(registry.warnings),
        },
        "methods": _tally(route.method.upper() for route in schema.routes),
        "relationship_types": _tally(one.type for each in resources for one in each.relationships),
        "middleware": _tally(name for route in schema.routes for name in route.middleware),
        "cache": registry.cache_stats(),
    }


def _tally(names: Iterable[str]) -> dict[str, int]:
    """Return how often each name occurs, the most frequent first, then by name."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _print(page: Page, answer: Mapping[str, Any]) -> None:
    about = [[key.replace("_", " "), str(answer[key])] for key in ("version", "generated", "source_hash")]
    about += [["source", " ".join((one.kind, one.version, one.name, one.title))] for one in answer["sources"]]
    page.table(["DOCUMENT", ""], [row for row in about if row[1]])
    for title in ("counts", "methods", "relationship_types", "middleware"):
        counts = answer[title]
        if counts:
            page.line()
            rows = [
                [name.replace("_", " ") if title == "counts" else name, str(number)]
                for name, number in counts.items()
            ]
            page.table([title.replace("_", " ").upper(), "NUMBER"], rows)
