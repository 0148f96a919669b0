"""`conduit introspect diff OLD NEW`: what changed between two documents; with --gate, whether a write route lost a guard."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.difference import Difference

FORMATS = ("table", "json", "yaml", "markdown")
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def declare(flags: FlagSet) -> None:
    """The forms, and the gate."""
    flags.option("format", ", ".join(FORMATS), default="table", parse=_format, metavar="FORMAT")
    flags.switch(
        "gate", "exit with 1 where a route that writes lost a permission, authentication or the like"
    )


def _format(text: str) -> str:
    if text not in FORMATS:
        raise ValueError(f"expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    return text


def run(question: Question) -> int:
    """Prints the changes; returns 1 when the gate was asked for and is closed."""
    from conduit.metadata.difference import difference
    from conduit.metadata.registry import load

    old, new = (load(path).schema() for path in question.arguments)
    found = difference(old, new)
    if question.flags["format"] == "markdown":
        sys.stdout.write(markdown(found))
    else:
        question.answer(found, lambda page: _print(page, found))
    if not question.flags["gate"] or not found.lost_guards:
        return 0
    for lost in found.lost_guards:
        sys.stdout.flush()  # what was found stands above what follows from it
        print(f"conduit: gate closed: {lost.route} lost {lost.guard}", file=sys.stderr)
    return 1


def _print(page: Page, found: Difference) -> None:
    if not found.changes:
        page.line("nothing changed")
        return
    rows = [
        [
            _SIGNS[one.action],
            one.kind,
            one.name,
            one.attribute,
            _arrow(one.before, one.after) if one.attribute else "",
        ]
        for one in found.changes
    ]
    page.table(["", "KIND", "NAME", "WHAT", "BEFORE → AFTER"], rows, keep="NAME")
    for lost in found.lost_guards:
        page.line(f"lost guard: {lost.route}: {lost.guard}")


def _arrow(before: str, after: str) -> str:
    return f"{before or '(none)'} → {after or '(none)'}"


def markdown(found: Difference) -> str:
    """The difference as Markdown, for a comment on a change."""
    if not found.changes:
        return "Nothing changed.\n"
    lines = []
    if found.lost_guards:
        lines += ["**Routes that write and lost a guard**", ""]
        lines += [f"- `{_cell(lost.route)}` lost `{_cell(lost.guard)}`" for lost in found.lost_guards]
        lines.append("")
    lines += ["| | kind | name | what | before | after |", "|---|---|---|---|---|---|"]
    for one in found.changes:
        cells = [
            _SIGNS[one.action],
            one.kind,
            f"`{_cell(one.name)}`",
            one.attribute,
            _cell(one.before),
            _cell(one.after),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return (
        text.replace("\\", "\\\\")
        .replace("|", "\\|")
        .replace("\n", " ")
        .replace("`", "'")
        .replace("<", "&lt;")
    )
