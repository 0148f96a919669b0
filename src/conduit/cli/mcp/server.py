"""The one file that imports the SDK of the Model Context Protocol.

It makes Conduit's tools tools of the protocol (https://modelcontextprotocol.io).
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError as SdkToolError
from mcp.types import CallToolResult, TextContent, ToolAnnotations

from conduit._version import __version__
from conduit.cli.mcp.answers import ToolError, fitted
from conduit.cli.mcp.benchmark_tools import BenchmarkTools
from conduit.cli.mcp.profile_tools import ProfileTools
from conduit.cli.mcp.registry_tools import RegistryTools
from conduit.control_characters import printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from conduit.cli.mcp.commands import Scope

_MAX_REFUSAL_BYTES = 4_000
_INSTRUCTIONS = """What this application is made of, where its time and memory go, and what its benchmarks say.
Begin with app_overview or app_search; with profile_top for a profile, then profile_callers_and_callees and
profile_lines.
Every answer names the command that gives the same in a terminal, and says how much was left out: next_offset, or next
for each list of a value (ask with part and offset), leads to the rest."""

_READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_RUNS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)


def serve(scope: Scope) -> None:
    """Serve on standard input and output until the input ends."""
    make_server(scope).run("stdio")


def make_server(scope: Scope) -> MCPServer[Any]:
    """Return the server with the tools that the scope allows."""
    server: MCPServer[Any] = MCPServer(
        "conduit", version=__version__, instructions=_INSTRUCTIONS, log_level="WARNING"
    )
    registry, profiles, benchmarks = RegistryTools(scope), ProfileTools(scope), BenchmarkTools(scope)
    for name in (
        "overview",
        "search",
        "resources",
        "resource",
        "routes",
        "dependencies",
        "path",
        "impact",
        "patterns",
        "difference",
    ):
        _add(server, f"app_{name}", getattr(registry, name), _READS)
    for name in ("sources", "top", "difference", "callers_and_callees", "lines", "labels", "advice"):
        _add(server, f"profile_{name}", getattr(profiles, name), _READS)
    _add(server, "benchmark_history", benchmarks.history, _READS)
    if scope.offers_benchmarks:
        for name in ("names", "run", "compare"):
            _add(server, f"benchmark_{name}", getattr(benchmarks, name), _RUNS)
    return server


def _add(
    server: MCPServer[Any],
    name: str,
    function: Callable[..., Awaitable[dict[str, Any]]],
    annotations: ToolAnnotations,
) -> None:
    @functools.wraps(function)
    async def tool(*arguments: Any, **named: Any) -> CallToolResult:
        try:
            answer = await function(*arguments, **named)
        except ToolError as error:
            raise SdkToolError(fitted(printable(str(error)), _MAX_REFUSAL_BYTES)) from None
        # The SDK would indent the text, and the agent would pay for the spaces.
        text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=answer)

    server.add_tool(tool, name=name, annotations=annotations)
