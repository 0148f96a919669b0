"""Servers of the Model Context Protocol (the official SDK, and FastMCP): tools, resources and prompts as routes.

The method is TOOL, RESOURCE or PROMPT, the path is the tool's name or the resource's URI. The server's own tools,
resources and prompts are listed. Mounted and proxied servers are not queried.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from ..document import put
from ..handlers import decorator_steps
from ..route_records import route_record
from ..static_access import is_a, modules, static

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..document import Document

_SERVERS = (
    ("mcp", "mcp.server.mcpserver.server", "MCPServer"),
    ("mcp", "mcp.server.mcpserver", "MCPServer"),
    ("mcp", "mcp.server.fastmcp.server", "FastMCP"),  # its name in version 1
    ("fastmcp", "fastmcp.server.server", "FastMCP"),
)


def is_server(thing: Any) -> bool:
    """Return whether the object is a server of one of the two packages."""
    return any(is_a(thing, cls) for _, cls in _classes())


def _classes() -> list[tuple[str, type]]:
    found = []
    for package, module, name in _SERVERS:
        cls = getattr(sys.modules.get(module), name, None)
        if isinstance(cls, type):
            found.append((package, cls))
    return found


def collect_servers(document: Document) -> None:
    """Add the tools, resources and prompts of every server in a loaded module."""
    classes = _classes()
    if not classes:
        return
    kinds = tuple(cls for _, cls in classes)
    found = {id(value): value for _, members in modules() for value in members.values() if is_a(value, kinds)}
    packages: dict[str, None] = {}
    for server in found.values():
        with document.attempt(f"mcp server {getattr(server, 'name', '')}"):
            packages[next(package for package, cls in classes if is_a(server, cls))] = None
            for method, path, component in _components(server):
                document.routes.append(_route(document, method, path, component))
    for package in packages:
        from importlib import metadata

        document.sources.append({"kind": package, "version": metadata.version(package)})


def _components(server: Any) -> Iterator[tuple[str, str, Any]]:
    tools = static(server, "_tool_manager")
    if tools is not None:
        resources, prompts = static(server, "_resource_manager"), static(server, "_prompt_manager")
        listed = (
            tools.list_tools(),
            resources.list_resources(),
            resources.list_templates(),
            prompts.list_prompts(),
        )
    else:
        listed = asyncio.run(_list_all(static(server, "_local_provider") or server))
    for tool in listed[0]:
        yield "TOOL", tool.name, tool
    for one in listed[1]:
        yield "RESOURCE", str(one.uri), one
    for template in listed[2]:
        yield "RESOURCE", str(template.uri_template), template
    for prompt in listed[3]:
        yield "PROMPT", prompt.name, prompt


async def _list_all(server: Any) -> tuple[Any, Any, Any, Any]:
    return (
        await server.list_tools(),
        await server.list_resources(),
        await server.list_resource_templates(),
        await server.list_prompts(),
    )


def _route(document: Document, method: str, path: str, component: Any) -> dict[str, Any]:
    function = getattr(component, "fn", None) or type(component)
    record = route_record(
        document,
        method,
        path,
        function,
        [] if isinstance(function, type) else _own_decorators(document, function),
        operation=component.name,
        name=component.name,
        kind="mcp",
        documentation=_first_line(component.description),
        tags=sorted(map(str, getattr(component, "tags", None) or ())),
        parameters=_parameters(component),
    )
    output = getattr(component, "output_schema", None)
    if output is None:
        output = getattr(getattr(component, "fn_metadata", None), "output_schema", None)
    return put(record, response_body=str((output or {}).get("title") or ""))


def _own_decorators(document: Document, function: Any) -> list[dict[str, Any]]:
    """Return the decorators that the project put around a function, without those of the two packages."""
    return [found for found in decorator_steps(document, function) if found.get("origin") != "framework"]


def _parameters(component: Any) -> list[dict[str, Any]]:
    schema = getattr(component, "parameters", None)
    if isinstance(schema, dict):
        required = schema.get("required", ())
        return [
            put(
                {"name": name, "location": "argument", "type": _type_text(one)},
                required=name in required,
                default_value=repr(one["default"]) if one.get("default") is not None else "",
                documentation=one.get("description") or "",
            )
            for name, one in schema.get("properties", {}).items()
        ]
    return [
        put(
            {"name": one.name, "location": "argument"},
            required=bool(one.required),
            documentation=one.description or "",
        )
        for one in getattr(component, "arguments", None) or ()
    ]


def _type_text(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    choices = [_type_text(one) for key in ("anyOf", "oneOf") for one in schema.get(key, ())]
    if choices:
        return " | ".join(choices)
    kind = schema.get("type", "any")
    if kind == "array":
        return f"[]{_type_text(schema.get('items') or {})}"
    return " | ".join(kind) if isinstance(kind, list) else str(kind)


def _first_line(text: Any) -> str:
    return text.strip().partition("\n")[0].strip() if isinstance(text, str) else ""
