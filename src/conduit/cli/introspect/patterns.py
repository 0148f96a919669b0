"""`conduit introspect patterns [CATEGORY]`: conventions, how many items follow them, and which do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.cli.introspect.question import require_known
from conduit.cli.introspect.shown_paths import shown_path
from conduit.cli.tables import Layout

if TYPE_CHECKING:
    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.registry import Registry
    from conduit.metadata.schema import Pattern, PatternExample

SHOWN_OUTLIERS = 5

PART = "patterns*"


def declare(flags: FlagSet) -> None:
    """How often a pattern has to occur."""
    flags.option(
        "min-frequency", "only what occurs at least N times (default 3)", parse=_frequency, metavar="N"
    )


def run(question: Question) -> int:
    """Print the document's own patterns and the conventions found in it, the most frequent first."""
    patterns = _patterns(question)
    if question.arguments:
        category = question.arguments[0]
        require_known(category, (pattern.category for pattern in patterns), "category of patterns")
        patterns = [pattern for pattern in patterns if pattern.category == category]
    return question.answer(patterns, lambda page: _print(page, patterns, question.verbose))


def _patterns(question: Question) -> list[Pattern]:
    minimum: int | None = question.flags["min-frequency"]
    stored = question.stored_answer("patterns" if minimum is None else "rare patterns")
    if stored is None:
        return all_patterns(question.registry, minimum)
    import msgspec

    from conduit.metadata.schema import Pattern

    found = msgspec.msgpack.decode(stored, type=list[Pattern])
    return [pattern for pattern in found if pattern.frequency >= (minimum or 0)]


def all_patterns(registry: Registry, minimum_frequency: int | None = None) -> list[Pattern]:
    """Return the document's own patterns and the conventions found in it, each id once.

    A lower minimum finds rarer ones.
    """
    from conduit.metadata.patterns import PatternOptions

    if minimum_frequency is None:
        found = registry.conventions()
    else:
        # An explicit minimum decides alone: the default confidence would drop everything below three occurrences.
        confidence = min(PatternOptions().minimum_confidence, minimum_frequency / 10)
        found = registry.conventions(
            PatternOptions(minimum_frequency=minimum_frequency, minimum_confidence=confidence)
        )
    own = [one for one in registry.patterns() if one.frequency >= (minimum_frequency or 0)]
    known = {pattern.id for pattern in own}
    return sorted(
        [*own, *(pattern for pattern in found if pattern.id not in known)],
        key=lambda pattern: -pattern.frequency,
    )


def _frequency(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError("expected a number from 1")
    return int(text)


def _print(page: Page, patterns: list[Pattern], verbose: bool) -> None:
    if not patterns:
        page.line("no patterns")
        return
    header = ["PATTERN", "CATEGORY", "TIMES", "OF", "CONFIDENCE", "TEMPLATE"]
    rows = [
        [
            one.name,
            one.category,
            str(one.frequency),
            str(one.population or ""),
            f"{one.confidence:.0%}",
            one.template,
        ]
        for one in patterns
    ]
    layout = Layout(
        "PATTERN",
        wrap=("PATTERN", "TEMPLATE"),
        whole=("CATEGORY", "CONFIDENCE"),
        optional=() if verbose else ("TEMPLATE",),
    )
    left_out = page.table(header, rows, layout=layout)
    for pattern in patterns:
        _print_details(page, pattern, verbose)
    page.tell_left_out(left_out)


def _print_details(page: Page, pattern: Pattern, verbose: bool) -> None:
    if not pattern.outliers and not verbose:
        return
    page.line()
    page.heading(pattern.name)
    if pattern.description:
        page.paragraph(pattern.description, "  ")
    if verbose and pattern.examples:
        page.paragraph("for example:", "  ")
        _print_examples(page, pattern.examples, len(pattern.examples))
    if pattern.outliers:
        page.paragraph("but not:", "  ")
        _print_examples(page, pattern.outliers, len(pattern.outliers) if verbose else SHOWN_OUTLIERS)


def _print_examples(page: Page, examples: tuple[PatternExample, ...], count: int) -> None:
    for example in examples[:count]:
        at = shown_path(example.file_path, example.line_number)
        page.paragraph("  ".join(part for part in (example.resource, example.code, at) if part), "    ")
    if len(examples) > count:
        page.paragraph(f"and {len(examples) - count} more; --verbose shows them", "    ")
