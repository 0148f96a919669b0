"""What the registry's page is drawn from: a metadata document as compact JSON, keys and values of the default left out.

Routes are columns, each a list of distinct texts and one number a route, since thousands of routes share handlers'
modules, chains and files. Files are numbered in one list, which is also the list of files that the served page may
show. The order is the document's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.metadata.diagram import application_of
from conduit.metadata.guards import possible_guards, route_guards
from conduit.metadata.impact import DeletionLinks, Link
from conduit.web.registry.graph_data import graph_data

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from conduit.metadata.schema import (
        Constraint,
        Field,
        Hook,
        Metadata,
        Relationship,
        Resource,
        Route,
        Task,
        Validation,
    )

Row = dict[str, Any]


class Files:
    """The files that a document names, numbered as they are met."""

    def __init__(self) -> None:
        self.paths: dict[str, int] = {}

    def number(self, path: str) -> int | None:
        """Return the file's number; None for no file."""
        return self.paths.setdefault(path, len(self.paths)) if path else None

    def location(self, path: str, line: int, default: str = "") -> Row:
        """Return `file` and `line` as far as they are known; `default` is the file where a record names none."""
        return _filled(file=self.number(path or (default if line else "")), line=line)


def page_data(
    document: Metadata,
    title: str,
    *,
    is_served: bool = False,
    difference: Row | None = None,
    costs: Row | None = None,
) -> Row:
    """Return what the page's scripts read, linear in the size of the document.

    `difference` and `costs` are those of `difference_data` and `cost_data`.
    """
    files = Files()
    labels = {application_of(one) for one in document.resources if one.kind.startswith("django")} - {""}
    return {
        "title": title,
        "served": is_served,
        "generated": document.generated,
        "version": document.version,
        "sources": [_filled(kind=one.kind, name=one.name, version=one.version) for one in document.sources],
        "middleware": list(document.middleware),
        "possible_guards": list(possible_guards(document)),
        "errors": [
            _filled(source=one.source, message=one.message, location=one.location) for one in document.errors
        ],
        "resources": [_resource(one, files) for one in document.resources],
        "deletion": _deletion(document),
        "graph": graph_data(document.resources),
        "routes": _routes(document, files, labels),
        "tasks": [_task(one, files) for one in document.tasks],
        "files": list(files.paths),
        **_filled(difference=difference, costs=costs),
    }


def _filled(**values: Any) -> Row:
    """Return the values that are not the default of their type; a file's number may be 0."""
    return {name: value for name, value in values.items() if value or (name == "file" and value is not None)}


def _resource(resource: Resource, files: Files) -> Row:
    details = resource.details
    home = resource.file_path
    return _filled(
        name=resource.name,
        id=resource.id if resource.id != resource.name else "",
        kind=resource.kind,
        app=application_of(resource),
        documentation=resource.documentation,
        origin=resource.origin,
        **files.location(home, resource.line_number),
        **(
            _filled(
                table=details.table, role=details.role, abstract=details.abstract, bases=list(details.bases)
            )
            if details
            else {}
        ),
        fields=[_field(one, home, files) for one in resource.fields],
        relations=[_relation(one, home, files) for one in resource.relationships],
        hooks=[_hook(one, home, files) for one in resource.hooks],
        validations=[_validation(one, home, files) for one in resource.validations],
        constraints=[_constraint(one) for one in resource.constraints],
        scopes=[
            _filled(name=one.name, query=one.query, parameters=list(one.parameters), **_line(one.line_number))
            for one in resource.scopes
        ],
        computed=[
            _filled(name=one.name, type=one.type, expression=one.expression, handler=one.handler)
            for one in resource.computed_fields
        ],
        indexes=[
            _filled(name=one.name, fields=list(one.fields), unique=one.unique, condition=one.condition)
            for one in (details.indexes if details else ())
        ],
        middleware={operation: list(chain) for operation, chain in resource.middleware.items()},
    )


def _line(number: int) -> Row:
    return {"line": number} if number else {}


def _field(field: Field, home: str, files: Files) -> Row:
    details = field.details
    more: Row = {}
    if details is not None:
        more = _filled(
            primary_key=details.primary_key,
            unique=details.unique,
            indexed=details.indexed,
            choices=list(details.choices),
            column=details.column,
            alias=details.alias,
            references=details.references,
            on_delete=details.on_delete,
            expression=details.expression,
            server_default=details.server_default,
            inherited_from=details.inherited_from,
            deprecated=details.deprecated,
        )
    return _filled(
        name=field.name,
        type=field.type,
        nullable=field.nullable,
        required=field.required,
        default=field.default_value,
        constraints=list(field.constraints),
        documentation=field.documentation,
        tags=list(field.tags),
        **files.location(details.file_path if details else "", field.line_number, home),
        **more,
    )


def _relation(relation: Relationship, home: str, files: Files) -> Row:
    details = relation.details
    more: Row = {}
    if details is not None:
        more = _filled(
            inverse=details.inverse,
            inverse_name=details.inverse_name,
            generic=details.generic,
            nullable=details.nullable,
            unique=details.unique,
            inherited_from=details.inherited_from,
        )
    return _filled(
        name=relation.name,
        type=relation.type,
        target=relation.target_resource,
        key=relation.foreign_key,
        through=(details.through if details else "") or relation.through_table,
        on_delete=relation.on_delete,
        on_update=relation.on_update,
        **files.location(details.file_path if details else "", relation.line_number, home),
        **more,
    )


def _hook(hook: Hook, home: str, files: Files) -> Row:
    return _filled(
        type=hook.type,
        handler=hook.handler,
        source=hook.source_code,
        transaction=hook.transaction,
        asynchronous=hook.async_,
        sender=hook.sender,
        **files.location(hook.file_path, hook.line_number, home),
    )


def _validation(validation: Validation, home: str, files: Files) -> Row:
    return _filled(
        field=validation.field,
        type=validation.type,
        value=validation.value,
        message=validation.message,
        handler=validation.handler,
        **files.location(validation.file_path, validation.line_number, home),
    )


def _constraint(constraint: Constraint) -> Row:
    return _filled(
        name=constraint.name,
        kind=constraint.kind,
        operations=list(constraint.operations),
        condition=constraint.condition,
        when=constraint.when,
        error=constraint.error,
        fields=list(constraint.fields),
    )


def _task(task: Task, files: Files) -> Row:
    return _filled(
        name=task.name,
        kind=task.kind,
        handler=task.handler,
        queue=task.queue,
        schedule=task.schedule,
        retries=task.retries,
        trigger=task.trigger,
        origin=task.origin,
        documentation=task.documentation,
        **files.location(task.file_path, task.line_number),
    )


def _deletion(document: Metadata) -> Row:
    links = DeletionLinks(document.resources, {one.name: one for one in document.resources})

    def rows(touching: dict[str, list[Link]]) -> dict[str, list[list[Any]]]:
        return {target: [row(link) for link in found] for target, found in touching.items()}

    def row(link: Link) -> list[Any]:
        flags = [int(link in links.of_parents), int(link in links.followed_by_mapper)]
        return [link.resource, link.relationship, link.on_delete, *flags]

    found = {"stored": links.proxied, "links": rows(links.touching)}
    if links.touching_in_database is not links.touching:
        found["linksInDatabase"] = rows(links.touching_in_database)
    return found


# --- routes


class _Column:
    """Values of all routes, each distinct one kept once."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}
        self.values: list[Any] = []
        self.at: list[int] = []

    def add(self, key: Hashable, make: Callable[[], Any]) -> None:
        """Append one route's value, whose identity is `key`; `make` returns it as JSON where it is new."""
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = len(self.values)
            self.values.append(make())
        self.at.append(number)


def _routes(document: Metadata, files: Files, labels: set[str]) -> Row:
    columns: dict[str, _Column] = {}
    lines = []
    for route in document.routes:
        for name, (key, make) in _values(route, document, files, labels).items():
            columns.setdefault(name, _Column()).add(key, make)
        lines.append(route.line_number)
    found: Row = {
        name: {"values": column.values, "at": column.at}
        for name, column in columns.items()
        if any(column.values)
    }
    return {"count": len(document.routes), "line": lines, **found}


def _values(
    route: Route, document: Metadata, files: Files, labels: set[str]
) -> Mapping[str, tuple[Hashable, Callable[[], Any]]]:
    details = route.details
    chain = details.chain if details else ()
    guards_key = (route.middleware, tuple((step.name, step.kind) for step in chain))
    texts = {
        "method": route.method.upper(),
        "path": route.path,
        "handler": route.handler,
        "resource": route.resource,
        "operation": route.operation,
        "request": route.request_body,
        "response": route.response_body,
        "name": details.name if details else "",
        "kind": details.kind if details else "",
        "origin": route.origin,
        "documentation": details.documentation if details else "",
        "app": _app_of_route(route, labels),
        "host": details.host if details else "",
    }
    found: dict[str, tuple[Hashable, Callable[[], Any]]] = {
        name: (text, lambda text=text: text)  # type: ignore[misc]
        for name, text in texts.items()
    }
    file_path = details.file_path if details else ""
    found["file"] = (file_path, lambda: [files.number(file_path)] if file_path else [])
    found["chain"] = (guards_key, lambda: _chain(route, files))
    found["guards"] = (guards_key, lambda: _guards(route, document))
    found["touches"] = (
        details.resources if details else (),
        lambda: list(details.resources if details else ()),
    )
    return found


def _chain(route: Route, files: Files) -> list[Row]:
    """Return the steps by name, with what the source knows about each."""
    known = {step.name: step for step in (route.details.chain if route.details else ())}
    steps = []
    for name in route.middleware:
        step = known.get(name) or known.get(name.partition("(")[0])
        steps.append(
            _filled(name=name, kind=step.kind, **files.location(step.file_path, step.line_number))
            if step
            else {"name": name}
        )
    return steps


def _guards(route: Route, document: Metadata) -> Row:
    guards = route_guards(route, document)
    return _filled(
        names=list(guards.names),
        exemptions=list(guards.exemptions),
        open=guards.is_open,
        csrf=guards.checks_csrf,
    )


def _app_of_route(route: Route, labels: set[str]) -> str:
    """Return the Django label among the names of the handler's module, else the module's package."""
    module = (route.details.module if route.details else "") or (
        route.handler.partition(":")[0] if ":" in route.handler else ""
    )
    names = module.split(".")
    label = next((name for name in reversed(names) if name in labels), "")
    return label or ".".join(names[:-1]) or module
