"""Writing the compiled form of a large document after a question for which it was read whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.cli.introspect.patterns import all_patterns
from conduit.cli.introspect.records import stored_records
from conduit.cli.introspect.routes import open_routes
from conduit.cli.introspect.stats import stored_stats
from conduit.metadata.compiled import write_compiled
from conduit.metadata.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable


def compile_document(path: str, stamp: tuple[int, ...], whole: Registry) -> None:
    """Write the compiled form of a document that had `stamp` when it was read.

    It has the answers of `patterns` and `stats`, which routes are open, and resources and routes as they are printed.
    """
    fresh = Registry(whole.schema())
    texts: dict[str, bytes] = {}
    ends: dict[str, list[int]] = {}
    for kind, records in (("resources", whole.resources()), ("routes", whole.routes())):
        texts[kind], ends[kind] = stored_records(records)
    answers: dict[str, Callable[[], object]] = {
        "patterns": lambda: all_patterns(fresh),
        "rare patterns": lambda: all_patterns(fresh, 1),
        "stats": lambda: stored_stats(whole),
        "open routes": lambda: open_routes(whole),
        "ends": lambda: ends,
        "warnings": lambda: [str(warning) for warning in whole.warnings],
    }
    write_compiled(path, stamp, whole.schema(), answers, texts)
