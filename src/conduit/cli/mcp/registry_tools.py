"""The tools that say what the application is made of."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from conduit.cli.mcp.answers import ToolError, fitted, paged, value_answer
from conduit.cli.mcp.commands import run_conduit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.cli.mcp.commands import Output, Scope

Answer = dict[str, Any]


class RegistryTools:
    """Questions to the metadata document or the application that was named at the start."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def overview(self, part: str = "", offset: int = 0) -> Answer:
        """Say how many resources, routes, fields, relationships, … there are, and where they were collected from."""
        output = await self._ask("stats")
        return self._value(output, part, offset)

    async def search(self, text: str, offset: int = 0) -> Answer:
        """Find resources, fields, routes and handlers, the framework's too, whose name contains a text in any case."""
        if not text.strip():
            raise ToolError("text is empty: expected a part of a name")
        resources, routes = (
            await self._ask("resources", flags=["-all"]),
            await self._ask("routes", flags=["-all"]),
        )
        found = [
            *_named_in_resources(resources.json(), text.lower()),
            *_named_in_routes(routes.json(), text.lower()),
        ]
        return self._paged(resources, found, offset)

    async def resources(self, pattern: str = "*", framework: bool = False, offset: int = 0) -> Answer:
        """List resources whose name matches a glob, each with its file and how many fields and relationships it has."""
        output = await self._ask("resources", flags=["-all"] if framework else [])
        rows = [_resource_row(one) for one in output.json() if fnmatchcase(one["name"], pattern)]
        return self._paged(output, rows, offset)

    async def resource(self, name: str, part: str = "", offset: int = 0) -> Answer:
        """Tell all about one resource: fields, relationships, hooks, validations, constraints, file and line.

        Its routes are `app_routes` with `resource`. Where `next` says that more is left, `part` asks for one of the
        lists alone.
        """
        output = await self._ask("resource", name)
        return self._value(output, part, offset)

    async def routes(
        self,
        method: str = "",
        path: str = "*",
        handler: str = "*",
        resource: str = "",
        guard: str = "",
        without_guards: bool = False,
        without_authentication: bool = False,
        framework: bool = False,
        offset: int = 0,
    ) -> Answer:
        """List routes by method, globs of path and handler, resource, a part of a guard's name, or a missing guard.

        Guards are what runs before the handler: permissions, decorators, dependencies. Routes without authentication
        declare no login, permission or role (AllowAny is none); a handler may still check. A method also finds ANY.
        `framework` adds routes whose handler is the framework's own, such as redirects and Django's admin.
        """
        flags = [f"-resource={resource}"] if resource else []
        flags += ["-open"] if without_authentication else []
        output = await self._ask("routes", flags=[*flags, "-all"] if framework else flags)
        methods = {method.upper(), "ANY", "*"}
        rows = [_route_row(route) for route in output.json() if not method or route["method"] in methods]
        rows = [
            row for row in rows if fnmatchcase(row["path"], path) and fnmatchcase(row["handler"], handler)
        ]
        if guard:
            rows = [row for row in rows if any(guard.lower() in name.lower() for name in row["guards"])]
        if without_guards:
            rows = [row for row in rows if not row["guards"]]
        return self._paged(output, rows, offset)

    async def dependencies(self, name: str, part: str = "", offset: int = 0) -> Answer:
        """Say what a resource depends on, and what depends on it, with the kind of each dependency."""
        output = await self._ask("deps", name)
        return self._value(output, part, offset)

    async def path(self, start: str, end: str, depth: int = 0, part: str = "", offset: int = 0) -> Answer:
        """Find the shortest ways between two resources along their relationships, or all of up to `depth` steps."""
        output = await self._ask("path", start, end, flags=[f"-depth={depth}"] if depth else [])
        return self._value(output, part, offset)

    async def impact(self, name: str, part: str = "", offset: int = 0) -> Answer:
        """Say what happens when a row of a resource is deleted: what goes with it, what blocks it, by which chain."""
        output = await self._ask("impact", name)
        return self._value(output, part, offset)

    async def patterns(self, category: str = "", offset: int = 0) -> Answer:
        """List the conventions that repeat in the application, with examples, and where they are not followed."""
        output = await self._ask("patterns", *([category] if category else []))
        return self._paged(output, output.json(), offset)

    async def difference(self, old: str, new: str, offset: int = 0) -> Answer:
        """Compare two metadata documents of the project: what changed, and which guards were lost."""
        paths = [str(self._scope.file(given)) for given in (old, new)]
        output = await run_conduit(self._scope, "introspect", "diff", "-format=json", "--", *paths)
        value = output.json()
        changes = value.pop("changes", [])
        summary = fitted(value, self._scope.budget_bytes // 2)
        return paged(_answer(output, summary=summary), "items", changes, offset, self._scope.budget_bytes)

    def _value(self, output: Output, part: str, offset: int) -> Answer:
        return value_answer(_answer(output), output.json(), part, offset, self._scope.budget_bytes)

    def _paged(self, output: Output, items: list[Any], offset: int) -> Answer:
        return paged(_answer(output), "items", items, offset, self._scope.budget_bytes)

    async def _ask(self, verb: str, *arguments: str, flags: Sequence[str] = ()) -> Output:
        for argument in arguments:
            if argument.startswith("-"):
                raise ToolError(f"{argument!r} is no name: it begins with a dash")
        common = ["-format=json", *self._scope.registry]
        return await run_conduit(self._scope, "introspect", verb, *arguments, *flags, *common, accepts=(0, 1))


def _answer(output: Output, **content: Any) -> Answer:
    notes = {"notes": fitted(output.notes, 400)} if output.notes else {}
    return {"command": output.command, **notes, **content}


def _resource_row(resource: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": resource["name"],
        "file": resource.get("file_path", ""),
        "fields": len(resource.get("fields", [])),
        "relationships": len(resource.get("relationships", [])),
    }


def _route_row(route: dict[str, Any]) -> dict[str, Any]:
    details = route.get("details") or {}
    resource = {"resource": route["resource"]} if route.get("resource") else {}
    return {
        "method": route["method"],
        "path": route["path"],
        "handler": route.get("handler", ""),
        **resource,
        "guards": list(route.get("middleware") or []),
        "file": route.get("file_path", "") or details.get("file_path", ""),
    }


def _named_in_resources(resources: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    found = []
    for resource in resources:
        if text in resource["name"].lower():
            found.append(
                {"kind": "resource", "name": resource["name"], "file": resource.get("file_path", "")}
            )
        found += [
            {"kind": "field", "name": f"{resource['name']}.{field['name']}", "type": field.get("type", "")}
            for field in resource.get("fields", [])
            if text in field["name"].lower()
        ]
    return found


def _named_in_routes(routes: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    return [
        {"kind": "route", **_route_row(route)}
        for route in routes
        if text in route["path"].lower() or text in route.get("handler", "").lower()
    ]
