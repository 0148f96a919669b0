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
    mounted = {id(inner) for server in found.values() for inner in _mounted(server)}
    packages: dict[str, None] = {}
    for server in found.values():
        if id(server) in mounted:
            continue  # listed by the server that it is mounted in, under other names
        with document.attempt(f"mcp server {getattr(server, 'name', '')}"):
            packages[next(package for package, cls in classes if is_a(server, cls))] = None
            for method, path, component in _components(server):
                document.routes.append(_route(document, method, path, component, _function(component)))
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
        listed = asyncio.run(_list_all(server))
    for tool in listed[0]:
        yield "TOOL", tool.name, tool
    for one in listed[1]:
        yield "RESOURCE", str(one.uri), one
    for template in listed[2]:
        yield "RESOURCE", str(template.uri_template), template
    for prompt in listed[3]:
        yield "PROMPT", prompt.name, prompt


async def _list_all(server: Any) -> tuple[Any, Any, Any, Any]:
    """Return the server's own list where nothing but loaded servers is asked for it, else what it holds itself."""
    if hasattr(server, "providers") and all(_is_local(one) for one in server.providers):
        asked, options = server, {"run_middleware": False}
    else:
        asked, options = static(server, "_local_provider") or server, {}
    return (
        await asked.list_tools(**options),
        await asked.list_resources(**options),
        await asked.list_resource_templates(**options),
        await asked.list_prompts(**options),
    )


def _is_local(provider: Any) -> bool:
    """Return whether a provider lists loaded components, without running code of the application."""
    provider = _unwrapped(provider)
    server = static(provider, "server")
    if type(provider).__name__ == "FastMCPProvider" and server is not None:
        return all(_is_local(one) for one in server.providers) and not any(
            type(one).__module__.partition(".")[0] != "fastmcp" for one in server.middleware
        )
    return any(
        base.__name__ == "LocalProvider" and base.__module__.startswith("fastmcp.")
        for base in type(provider).__mro__
    )


def _unwrapped(provider: Any) -> Any:
    while type(provider).__name__ == "_WrappedProvider":
        provider = static(provider, "_inner")
    return provider


def _mounted(server: Any) -> Iterator[Any]:
    """Yield the servers that are mounted in one that is asked for them, and those mounted in these."""
    providers = server.providers if hasattr(server, "providers") else ()
    if not all(_is_local(one) for one in providers):
        return
    for provider in map(_unwrapped, providers):
        inner = static(provider, "server")
        if inner is not None:
            yield inner
            yield from _mounted(inner)


def _function(component: Any) -> Any:
    """Return the function of a component; of one that a mounted server gives, that of the component there."""
    server = getattr(component, "_server", None)
    if server is None:
        return getattr(component, "fn", None) or type(component)
    wanted = {
        getattr(component, name, None)
        for name in ("_original_name", "_original_uri", "_original_uri_template")
    } - {None}
    for _, path, inner in _components(server):
        if path in set(map(str, wanted)):
            return _function(inner)
    return type(component)


def _route(document: Document, method: str, path: str, component: Any, function: Any) -> dict[str, Any]:
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
