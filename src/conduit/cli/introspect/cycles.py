"""`conduit introspect cycles`: groups of resources that need each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.dependencies import Cycle

PART = "relations*"


def run(question: Question) -> int:
    """Print each cycle with one path around it; the exit status is 0 also if there is none."""
    cycles = question.registry.cycles()
    return question.answer(cycles, lambda page: _print(page, cycles))


def _print(page: Page, cycles: tuple[Cycle, ...]) -> None:
    if not cycles:
        page.line("no cycles")
        return
    page.table(
        ["RESOURCES", "ONE WAY ROUND"],
        [[str(len(cycle.names)), " → ".join(cycle.path)] for cycle in cycles],
    )
