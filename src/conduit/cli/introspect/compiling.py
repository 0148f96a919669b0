"""Adding to the compiled form of a large document the parts that a question would have read, had they been there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from conduit.cli.introspect.records import ALL_ROUTES, OWN_ROUTES
from conduit.metadata.compiled import FAMILIES, document_parts, write_compiled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conduit.metadata.registry import Registry


def compile_document(path: str, stamp: tuple[int, ...], whole: Registry, wanted: Iterable[str]) -> None:
    """Write the wanted parts of the compiled form of a document that had `stamp` when it was read.

    The names are those by which `Question` reads: `answer:stats`, `text:routes`, `resource:Book`, `relations`.
    """
    parts: dict[str, bytes] = {}
    for name in wanted:
        if name not in parts:
            parts.update(_parts(name, whole))
    if parts:
        write_compiled(path, stamp, parts)


def _parts(name: str, whole: Registry) -> dict[str, bytes]:
    """Return the parts that are made together with the wanted one; none where the document has nothing of its name."""
    kind, _, rest = name.partition(":")
    if kind == "answer":
        return {name: msgspec.msgpack.encode(_answer(rest, whole))}
    if kind in ("text", "ends"):
        from conduit.cli.introspect.records import stored_records

        text, ends = stored_records(whole.resources() if rest == "resources" else whole.routes())
        return {f"text:{rest}": text, f"ends:{rest}": msgspec.msgpack.encode(ends)}
    if kind not in FAMILIES or (kind == "resource" and whole.get(rest) is None):
        return {}
    parts = document_parts(whole.schema(), kind)
    if kind == "routes":  # a form with routes has their tables: from it alone they would never be made
        for table in (OWN_ROUTES, ALL_ROUTES):
            parts |= _parts(f"answer:{table}", whole)
    return parts


def _answer(name: str, whole: Registry) -> object:
    """Return an answer that follows from the document alone; most of it is in the registry's tables already."""
    if name == "warnings":
        return [str(warning) for warning in whole.warnings]
    if name == "own routes":
        routes = whole.routes()
        return len(routes), [at for at, route in enumerate(routes) if route.origin != "framework"]
    if name == "stats":
        from conduit.cli.introspect.stats import stored_stats

        return stored_stats(whole)
    if name == "open routes":
        from conduit.cli.introspect.routes import open_routes

        return open_routes(whole)
    if name in (OWN_ROUTES, ALL_ROUTES):
        from conduit.cli.introspect.routes import stored_table

        return stored_table(whole, everything=name == ALL_ROUTES)
    from conduit.cli.introspect.patterns import all_patterns

    return all_patterns(whole, 1 if name == "rare patterns" else None)
