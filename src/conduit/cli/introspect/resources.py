"""`conduit introspect resources`: one row a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.schema import Resource


def declare(flags: FlagSet) -> None:
    """Declare the filters."""
    flags.option("kind", "only resources of this kind, such as django_model", metavar="KIND")
    flags.switch("all", "the framework's own resources too")


def run(question: Question) -> int:
    """Prints every resource in document order."""
    registry = question.registry
    resources: Sequence[Resource] = registry.resources()
    if question.flags["kind"] is not None:
        from conduit.cli.introspect.question import require_known

        require_known(question.flags["kind"], (one.kind for one in resources if one.kind), "kind of resource")
        resources = [one for one in resources if one.kind == question.flags["kind"]]
    resources = question.without_framework(resources, "resources")

    def table(page: Page) -> None:
        header = ["RESOURCE", "FIELDS", "RELATIONSHIPS", "HOOKS", "ROUTES", "KIND", "FILE"]
        rows = [_row(resource, len(registry.routes(resource=resource.name))) for resource in resources]
        if question.verbose:
            header.append("DOCUMENTATION")
            rows = [[*row, one.documentation] for row, one in zip(rows, resources, strict=True)]
        page.table(header, rows, keep="RESOURCE") if rows else page.line("no resources")

    return question.answer(resources, table)


def _row(resource: Resource, routes: int) -> list[str]:
    counts = (len(resource.fields), len(resource.relationships), len(resource.hooks), routes)
    shown = [str(count) if count else "" for count in counts]
    # The first count is always written, so that a row never looks unfinished.
    return [resource.name, str(counts[0]), *shown[1:], resource.kind, resource.file_path]
