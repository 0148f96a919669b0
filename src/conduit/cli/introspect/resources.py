"""`conduit introspect resources`: a row for each resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.cli.introspect.shown_paths import shown_path
from conduit.cli.tables import Layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.registry import Registry
    from conduit.metadata.schema import Resource

PART = "resources+"


def declare(flags: FlagSet) -> None:
    """Declare the filters."""
    flags.option("kind", "only resources of this kind, such as django_model", metavar="KIND")
    flags.option(
        "sort",
        "name, kind, fields, relationships or routes (default: document order)",
        parse=_sort_key,
        metavar="KEY",
    )
    flags.switch("all", "the framework's own resources too")


def run(question: Question) -> int:
    """Print every resource in document order."""
    registry = question.registry
    resources: Sequence[Resource] = registry.resources()
    if question.flags["kind"] is not None:
        from conduit.cli.introspect.question import require_known

        require_known(question.flags["kind"], (one.kind for one in resources if one.kind), "kind of resource")
        resources = [one for one in resources if one.kind == question.flags["kind"]]
    if question.part:
        from conduit.cli.introspect.application_parts import resources_of_part

        resources = resources_of_part(resources, registry.schema(), question.part)
    else:
        resources = question.without_framework(resources, "resources")
    if question.flags["sort"]:
        resources = _sorted(resources, question.flags["sort"], registry)

    def table(page: Page) -> None:
        if not resources:
            page.line("no resources")
            return
        header = ["RESOURCE", "FIELDS", "RELATIONSHIPS", "HOOKS", "ROUTES", "KIND", "FILE"]
        rows = [_row(resource, len(registry.routes(resource=resource.name))) for resource in resources]
        if question.verbose:
            header.append("DOCUMENTATION")
            rows = [[*row, one.documentation] for row, one in zip(rows, resources, strict=True)]
        layout = Layout(
            "RESOURCE", share=0.4, ends=("FILE",), optional=() if question.verbose else ("KIND", "HOOKS")
        )
        left_out = page.table(header, rows, layout=layout)
        kinds = {resource.kind for resource in resources}
        if left_out == ["KIND"] and len(kinds) == 1:
            page.paragraph(f"\nall are of the kind {kinds.pop()}")
        else:
            page.tell_left_out(left_out)

    return question.answer_records("resources", resources, registry.resources(), table)


def _sort_key(text: str) -> str:
    if text not in ("name", "kind", "fields", "relationships", "routes"):
        raise ValueError("expected name, kind, fields, relationships or routes")
    return text


def _sorted(resources: Sequence[Resource], key: str, registry: Registry) -> list[Resource]:
    """Return the resources by name or kind, or those with the most of something first."""
    if key in ("name", "kind"):
        return sorted(resources, key=lambda one: (str(getattr(one, key)), one.name))
    if key == "routes":
        return sorted(resources, key=lambda one: (-len(registry.routes(resource=one.name)), one.name))
    return sorted(resources, key=lambda one: (-len(getattr(one, key)), one.name))


def _row(resource: Resource, routes: int) -> list[str]:
    counts = (len(resource.fields), len(resource.relationships), len(resource.hooks), routes)
    shown = [str(count) if count else "" for count in counts]
    # The first count is always written, so that a row never looks unfinished.
    return [resource.name, str(counts[0]), *shown[1:], resource.kind, shown_path(resource.file_path)]
