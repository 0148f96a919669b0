"""`conduit introspect diff OLD NEW`: the difference of two documents; --gate fails if a write route is less guarded.

With --migrations, no documents: what the migrations of an application lack to lead to its models.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from conduit.cli.introspect.question import compiled_form
from conduit.errors import UsageError
from conduit.units import counted

if TYPE_CHECKING:
    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.difference import Difference
    from conduit.metadata.guards import GuardVerdict

_COMPARED = "compared"
"""The part of a compiled form by which documents are compared."""
FORMATS = ("table", "json", "yaml", "markdown")
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def declare(flags: FlagSet) -> None:
    """The forms, and the gate."""
    flags.option("format", ", ".join(FORMATS), default="table", parse=_format, metavar="FORMAT")
    flags.switch(
        "gate", "exit with 1 if a route that writes is less guarded (permissions, authentication, CSRF)"
    )
    flags.switch("migrations", "compare an application's models with its migrations (Django, Alembic)")


def _format(text: str) -> str:
    if text not in FORMATS:
        raise ValueError(f"expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    return text


def run(question: Question) -> int:
    """Print the changes; return 1 if --gate is given and closed."""
    if question.flags["migrations"]:
        from conduit.cli.introspect.migrations import run_migrations

        return run_migrations(question)
    if len(question.arguments) != 2:
        given = counted(len(question.arguments), "argument")
        raise UsageError(f"diff: expected OLD NEW, got {given}; `conduit introspect diff --help`")
    found = _found(question)
    if question.flags["format"] == "markdown":
        sys.stdout.write(markdown(found))
    else:
        question.answer(found, lambda page: _print(page, found))
    if not question.flags["gate"]:
        return 0
    sys.stdout.flush()  # the changes stand above the verdict
    for one in found.unclear_guards:
        print(f"conduit: gate: no verdict on {one.route}: {exchange(one)}; review it", file=sys.stderr)
    for lost in found.lost_guards:
        print(f"conduit: gate closed: {lost}", file=sys.stderr)
    return 1 if found.lost_guards else 0


def _found(question: Question) -> Difference:
    """Compare the documents by their compiled forms if both have one, else whole."""
    from conduit.metadata.difference import compare_sides, difference

    forms = [compiled_form(path) for path in question.arguments]
    earlier, later = (form if form is None or _COMPARED in form.names() else None for form in forms)
    if earlier is not None and later is not None:
        from conduit.metadata.compared_form import ComparedForm, DamagedFormError

        try:
            return compare_sides(ComparedForm(earlier.bytes_of), ComparedForm(later.bytes_of))
        except DamagedFormError:
            earlier = later = None
    from conduit.metadata.registry import load

    question.wanted[_COMPARED] = None
    old, new = (
        (question.load_document(path) if form is None else load(path)).schema()
        for path, form in zip(question.arguments, (earlier, later), strict=True)
    )
    return difference(old, new)


def exchange(verdict: GuardVerdict) -> str:
    """Return the guards before and after: `optional_auth → require_admin`."""
    return _arrow(", ".join(verdict.lost), ", ".join(verdict.gained))


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
        page.line(f"less guarded: {lost}")
    for one in found.unclear_guards:
        page.line(f"guards changed: {one.route}: {exchange(one)}")
    for reach in found.deletions:
        page.line(str(reach))


def _arrow(before: str, after: str) -> str:
    return f"{before or '(none)'} → {after or '(none)'}"


def markdown(found: Difference) -> str:
    """Return the difference as Markdown, for a comment on a change."""
    if not found.changes:
        return "Nothing changed.\n"
    lines = []
    if found.lost_guards:
        lines += ["**Routes that write and are less guarded**", ""]
        lines += [
            f"- `{_cell(lost.route)}` {'gained' if lost.is_exemption else 'lost'} `{_cell(lost.guard)}`"
            for lost in found.lost_guards
        ]
        lines.append("")
    if found.deletions:
        lines += ["**Deletions that reach others than before**", ""]
        lines += [f"- {_cell(str(reach))}" for reach in found.deletions]
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
