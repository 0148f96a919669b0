"""`conduit introspect impact NAME`: the effects of deleting a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.cli.tables import Layout
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.impact import Effect, Impact

# on_delete → the effect in words; `undeclared` stands for itself.
_EFFECTS = {
    "cascade": "deleted",
    "restrict": "forbids the deletion",
    "set_null": "key set to null",
    "set_default": "key set to the default",
    "none": "left to the database",
}

PART = "relations*"


def declare(flags: FlagSet) -> None:
    """Declare how much is listed."""
    flags.switch("all", "every relationship, not one row per resource")


def run(question: Question) -> int:
    """Print one row per resource with its shortest chain, or with --all one per relationship; nearest first."""
    impact = question.registry.impact(question.arguments[0])
    effects = impact.effects if question.flags["all"] else impact.nearest
    answer = {
        "resource": impact.resource,
        "deleted": impact.deleted,
        "blocked_by": [effect.resource for effect in impact.blocked_by],
        "effects": effects,
    }
    return question.answer(answer, lambda page: _print(page, impact, effects))


def _print(page: Page, impact: Impact, effects: Sequence[Effect]) -> None:
    if not impact.effects:
        page.heading(f"nothing refers to {impact.resource}")
        return
    page.paragraph(f"deleting a row of {impact.resource} {_summary(impact)}", strong=True)
    rows = [
        [
            effect.resource,
            effect.relationship,
            _EFFECTS.get(effect.on_delete, effect.on_delete),
            _chain(effect),
        ]
        for effect in effects
    ]
    layout = Layout("RESOURCE", share=0.3, whole=("EFFECT",), wrap=("RESOURCE", "RELATIONSHIP", "CHAIN"))
    page.table(["RESOURCE", "RELATIONSHIP", "EFFECT", "CHAIN"], rows, "  ", layout=layout)
    hidden = len(impact.effects) - len(effects)
    if hidden:
        page.line(f"  {counted(hidden, 'more relationship')}; --all lists them")


def _summary(impact: Impact) -> str:
    affected = len({effect.resource for effect in impact.effects})
    parts = [f"affects {counted(affected, 'resource')}"]
    if impact.deleted:
        depths = " + ".join(str(count) for count in impact.deleted_by_depth)
        parts.append(f"deletes rows of {len(impact.deleted)}" + (f" ({depths})" if "+" in depths else ""))
    if impact.blocked_by:
        parts.append(f"is forbidden by {counted(len(impact.blocked_by), 'relationship')}")
    return ", ".join(parts)


def _chain(effect: Effect) -> str:
    """Return the resources deleted on the way here, from the first one; empty for a direct relationship."""
    return " → ".join(link.target for link in effect.chain) if len(effect.chain) > 1 else ""
