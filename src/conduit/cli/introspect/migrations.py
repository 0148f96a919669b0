"""`conduit introspect diff --migrations`: the operations that an application's migrations lack."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from conduit.errors import UsageError

if TYPE_CHECKING:
    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.sources.application import MissingOperation


def run_migrations(question: Question) -> int:
    """Print one row per operation; return 1 if a tool could not compare, or with --gate if anything is missing."""
    from conduit.cli.collect_application import application_of, time_limit_s
    from conduit.sources.application import compare_migrations

    if question.arguments:
        raise UsageError(
            "diff --migrations takes no documents; name the application with --django, --app or --sqlalchemy"
        )
    if question.flags["format"] == "markdown":
        raise UsageError("diff --migrations: expected --format table, json or yaml")
    missing, errors = compare_migrations(application_of(question.flags), time_limit_s(question.flags))
    for error in errors:
        print(f"conduit: warning: {error.source}: {error.message}", file=sys.stderr)
    if missing or not errors:
        question.answer(missing, lambda page: _print(page, missing))
    sys.stdout.flush()
    if errors:
        return 1
    if missing and question.flags["gate"]:
        print("conduit: gate closed: the migrations do not lead to the models", file=sys.stderr)
        return 1
    return 0


def _print(page: Page, missing: list[MissingOperation]) -> None:
    if not missing:
        page.line("the migrations lead to the models")
        return
    rows = [[one.application, one.operation, one.name, one.description] for one in missing]
    page.table(["APP", "OPERATION", "NAME", "DESCRIPTION"], rows, keep="NAME")
