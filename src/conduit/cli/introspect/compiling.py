"""Writing the compiled form of a large document after a question for which it was read whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.cli.introspect.patterns import all_patterns
from conduit.cli.introspect.stats import stored_stats
from conduit.metadata.compiled import write_compiled
from conduit.metadata.registry import Registry

if TYPE_CHECKING:
    from conduit.cli.introspect.question import Question


def compile_document(question: Question) -> None:
    """Write the compiled form, with the answers of `patterns` and `stats`; `question.to_compile` names the document."""
    if question.to_compile is None:
        return
    whole = question.registry
    fresh = Registry(whole.schema())
    answers = {"patterns": lambda: all_patterns(fresh), "stats": lambda: stored_stats(whole)}
    write_compiled(*question.to_compile, whole.schema(), answers)
