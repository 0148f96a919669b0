"""Adding to the compiled form of a large document the parts that a question would have read, had they been there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from conduit.metadata.compiled import FAMILIES, document_parts
from conduit.metadata.compiled_file import packed_numbers, packed_texts, write_compiled

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
        return {name: _answer(rest, whole)}
    if kind == "columns":
        from conduit.cli.introspect.routes_table import RoutesTable

        return {name: RoutesTable.of(whole.routes(), whole.schema(), verbose=True).packed()}
    if kind in ("text", "ends"):
        from conduit.cli.introspect.records import stored_records

        text, ends = stored_records(whole.resources() if rest == "resources" else whole.routes())
        return {f"text:{rest}": text, f"ends:{rest}": packed_numbers(ends)}
    if kind not in FAMILIES or (kind == "resource" and whole.get(rest) is None):
        return {}
    parts = document_parts(whole.schema(), kind)
    if kind == "routes":  # a form with routes has their tables: from it alone they would never be made
        parts |= {**_parts("columns:routes", whole), **_parts("answer:own routes", whole)}
    return parts


def _answer(name: str, whole: Registry) -> bytes:
    """Return an answer that follows from the document alone; most of it is in the registry's tables already."""
    if name == "warnings":
        return packed_texts(map(str, whole.warnings))
    if name == "own routes":
        routes = whole.routes()
        own = (at for at, route in enumerate(routes) if route.origin != "framework")
        return packed_numbers((len(routes), *own))
    if name == "stats":
        from conduit.cli.introspect.stats import stored_stats

        return msgspec.msgpack.encode(stored_stats(whole))
    if name == "open routes":
        from conduit.cli.introspect.routes import open_routes

        return packed_numbers(open_routes(whole))
    if name == "possible guards":
        from conduit.cli.introspect.routes import possible_guards

        return packed_texts(possible_guards(whole))
    from conduit.cli.introspect.patterns import all_patterns

    return msgspec.msgpack.encode(all_patterns(whole, 1 if name == "rare patterns" else None))
