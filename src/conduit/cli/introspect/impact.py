"""`conduit introspect impact NAME`: what breaks when a resource is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.impact import Effect, Impact

# on_delete → what it means for whoever reads the table; `undeclared` speaks for itself.
_MEANING = {
    "cascade": "deleted too",
    "restrict": "forbids the deletion",
    "set_null": "its key becomes null",
    "set_default": "its key becomes the default",
    "none": "left to the database",
}


def run(question: Question) -> int:
    """Prints every relationship that a deletion touches, nearest first, each with the way to it."""
    impact = question.registry.impact(question.arguments[0])
    answer = {
        "resource": impact.resource,
        "deleted": impact.deleted,
        "blocked_by": [effect.resource for effect in impact.blocked_by],
        "effects": impact.effects,
    }
    return question.answer(answer, lambda page: _print(page, impact))


def _print(page: Page, impact: Impact) -> None:
    if not impact.effects:
        page.heading(f"nothing refers to {impact.resource}")
        return
    page.heading(f"deleting {impact.resource} {_summary(impact)}")
    rows = [
        [
            effect.resource,
            effect.relationship,
            effect.on_delete,
            _MEANING.get(effect.on_delete, ""),
            _way(effect),
        ]
        for effect in impact.effects
    ]
    page.table(["RESOURCE", "RELATIONSHIP", "ON DELETE", "WHICH IS", "BY WAY OF"], rows, "  ")


def _summary(impact: Impact) -> str:
    touched = len({effect.resource for effect in impact.effects})
    parts = [f"touches {_counted(touched, 'resource')}"]
    if impact.deleted:
        depths = " + ".join(str(count) for count in impact.deleted_by_depth)
        parts.append(f"deletes rows of {len(impact.deleted)}" + (f" ({depths})" if "+" in depths else ""))
    if impact.blocked_by:
        parts.append(f"is forbidden by {_counted(len(impact.blocked_by), 'relationship')}")
    return ", ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _way(effect: Effect) -> str:
    """The resources that go first, from the deleted one on; nothing where the relationship is a direct one."""
    return " → ".join(link.target for link in effect.chain) if len(effect.chain) > 1 else ""
