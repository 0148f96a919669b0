"""`conduit introspect resource NAME`: one resource with everything declared on it, and the references to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.cli.introspect.shown_paths import shown_path
from conduit.cli.introspect.shown_routes import carried_by_all
from conduit.cli.tables import Layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.registry import Registry
    from conduit.metadata.schema import Resource, Route

_INDENT = "  "


PART = "resource*"


def run(question: Question) -> int:
    """Print one resource; a name that is not there is `NotFoundError` with near names, exit status 1."""
    registry = question.registry
    resource = registry.resource(question.arguments[0])
    return question.answer(resource, lambda page: _print(page, registry, resource, question.verbose))


def _print(page: Page, registry: Registry, resource: Resource, verbose: bool) -> None:
    page.heading(resource.name)
    if resource.documentation:
        page.paragraph(resource.documentation, _INDENT)
    location = shown_path(resource.file_path, resource.line_number)
    page.paragraph("  ".join(part for part in (resource.kind, location) if part), _INDENT)
    _print_fields(page, resource, verbose)
    left_out = _print_relationships(page, registry, resource, verbose)
    _print_rules(page, resource, verbose)
    left_out += _print_routes(page, registry.routes(resource=resource.name), verbose)
    page.tell_left_out(left_out)


def _print_routes(page: Page, routes: Sequence[Route], verbose: bool) -> list[str]:
    common = carried_by_all([route.middleware for route in routes], len(routes))
    left_out = _section(
        page,
        "ROUTES",
        ["METHOD", "PATH", "OPERATION", "MIDDLEWARE"],
        [
            [
                route.method,
                route.path,
                route.operation,
                ", ".join(name for name in route.middleware if name not in common),
            ]
            for route in routes
        ],
        keep="PATH",
        optional=() if verbose else ("MIDDLEWARE",),
    )
    if common:
        page.paragraph(f"all {len(routes)} routes carry: {', '.join(common)}", _INDENT)
    return left_out


def _print_fields(page: Page, resource: Resource, verbose: bool) -> None:
    header = ["NAME", "TYPE", "NULL", "REQUIRED", "DEFAULT", "CONSTRAINTS"]
    rows = [
        [
            field.name,
            field.type,
            "null" if field.nullable else "",
            "required" if field.required else "",
            field.default_value,
            " ".join(field.constraints),
            *([field.documentation] if verbose else []),
        ]
        for field in resource.fields
    ]
    _section(page, "FIELDS", [*header, "DOCUMENTATION"] if verbose else header, rows)


def _print_relationships(page: Page, registry: Registry, resource: Resource, verbose: bool) -> list[str]:
    left_out = _section(
        page,
        "RELATIONSHIPS",
        ["NAME", "TYPE", "TARGET", "KEY", "THROUGH", "ON DELETE"],
        [
            [one.name, one.type, one.target_resource, one.foreign_key, one.through_table, one.on_delete]
            for one in resource.relationships
        ],
        keep="NAME",
        optional=() if verbose else ("THROUGH", "KEY"),
    )
    _section(
        page,
        "REFERRED TO BY",
        ["RESOURCE", "AS", "TYPE", "ON DELETE"],
        [
            [
                reference.source_resource,
                reference.relationship.name,
                reference.relationship.type,
                reference.relationship.on_delete,
            ]
            for reference in registry.relationships_to(resource.name)
        ],
    )
    return left_out


def _print_rules(page: Page, resource: Resource, verbose: bool) -> None:
    """Print hooks, validations, constraints, middleware, scopes and computed fields."""
    _section(
        page,
        "HOOKS",
        ["TYPE", "TRANSACTION", "ASYNC", "LINE", "SOURCE"],
        [
            [
                hook.type,
                "transaction" if hook.transaction else "",
                "async" if hook.async_ else "",
                str(hook.line_number or ""),
                hook.handler or (hook.source_code if verbose else _first_line(hook.source_code)),
            ]
            for hook in resource.hooks
        ],
    )
    _section(
        page,
        "VALIDATIONS",
        ["FIELD", "TYPE", "VALUE", "MESSAGE"],
        [[one.field, one.type, one.value, one.message] for one in resource.validations],
    )
    _section(
        page,
        "CONSTRAINTS",
        ["NAME", "ON", "CONDITION", "WHEN", "ERROR"],
        [
            [one.name, ", ".join(one.operations), one.condition, one.when, one.error]
            for one in resource.constraints
        ],
    )
    _section(
        page,
        "MIDDLEWARE",
        ["OPERATION", "CHAIN"],
        [[operation, ", ".join(chain)] for operation, chain in sorted(resource.middleware.items())],
    )
    _section(
        page,
        "SCOPES",
        ["NAME", "PARAMETERS", "QUERY"],
        [[one.name, ", ".join(one.parameters), one.query] for one in resource.scopes],
    )
    _section(
        page,
        "COMPUTED FIELDS",
        ["NAME", "TYPE", "EXPRESSION"],
        [[one.name, one.type, one.expression] for one in resource.computed_fields],
    )


def _section(
    page: Page,
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    keep: str = "",
    optional: Sequence[str] = (),
) -> list[str]:
    """Print a heading and a table whose cells are never cut; return the columns that the terminal has no room for."""
    if not rows:
        return []
    page.line()
    page.heading(f"{title} ({len(rows)})")
    layout = Layout(keep, share=0.35, optional=optional, wrap=header)
    return page.table(header, rows, _INDENT, layout=layout)


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return "" if not lines else lines[0] + (" …" if len(lines) > 1 else "")
