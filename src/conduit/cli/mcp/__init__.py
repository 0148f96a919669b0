"""`conduit mcp`: an application's metadata, profiles and benchmarks as tools for coding agents.

The tools are the commands of this program. Each runs one in a process of its own, with `--format json` if the command
has it, so an agent and a person get the same answers, a call can be cancelled, and a large document does not use this
process's memory. `commands` maps tools to command lines, `answers` limits the size of answers, and `server` serves both
by the Model Context Protocol's official SDK, which is imported only there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conduit.cli.flags import FlagSet
from conduit.errors import ConduitError, UsageError

if TYPE_CHECKING:
    from conduit.cli.flags import Parsed
    from conduit.cli.mcp.commands import Scope

_USAGE = """usage: conduit mcp [flags]

Serves tools for coding agents on standard input and output (Model Context Protocol). No file is written and no code
is run, except by -app, which loads the application, and by the three tools for benchmarks, which -benchmarks=false
removes."""

DEFAULT_BUDGET_BYTES = 20_000


def flags() -> FlagSet:
    """Return the flags of the command."""
    found = FlagSet(_USAGE)
    found.option("metadata", "the metadata document of the registry tools", metavar="FILE")
    found.option(
        "app", "the application of the registry tools, module:attribute or module:factory()", metavar="APP"
    )
    found.option("django", "or a Django settings module, or the path of a manage.py", metavar="SETTINGS")
    found.option("root", "the project's folder; files outside of it are not read", default=".", metavar="DIR")
    found.option(
        "profile", "a profile outside of the folder, or the URL of a live endpoint, that may be read", repeatable=True,
        metavar="SOURCE",
    )  # fmt: skip
    found.switch("benchmarks", "offer the tools that run benchmarks", default=True)
    found.option(
        "budget",
        "the maximum size of one answer, in bytes",
        default=DEFAULT_BUDGET_BYTES,
        parse=_budget,
        metavar="N",
    )
    return found


def _budget(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) >= 1000):
        raise ValueError("expected a number of bytes from 1000")
    return int(text)


def run(arguments: list[str]) -> int:
    """Serve until standard input ends; return the exit status."""
    parsed = flags().parse(arguments)
    if parsed.positionals:
        raise UsageError(f"takes no arguments, found {parsed.positionals[0]!r}")
    scope = _scope(parsed)
    try:
        from conduit.cli.mcp.server import serve
    except ModuleNotFoundError as error:
        raise ConduitError(
            f"the Model Context Protocol's SDK is not installed (no module {error.name}); "
            "install it with: pip install 'conduit-runtime[mcp]'"
        ) from None
    serve(scope)
    return 0


def _scope(parsed: Parsed) -> Scope:
    from conduit.cli.mcp.commands import Scope

    root = Path(parsed["root"]).resolve()
    if not root.is_dir():
        raise UsageError(f"-root {parsed['root']}: there is no such folder")
    registry = [f"-{name}={parsed[name]}" for name in ("metadata", "app", "django") if parsed[name]]
    return Scope(root, tuple(registry), tuple(parsed["profile"]), parsed["benchmarks"], parsed["budget"])
