"""The tools that run the project's benchmarks, and those that read what was measured before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from conduit.bench.against.worktree import resolve_revision
from conduit.cli.mcp.answers import ToolError, fitted, lines_answer, paged, value_answer
from conduit.cli.mcp.commands import check_argument, run_conduit
from conduit.errors import UsageError

if TYPE_CHECKING:
    from conduit.cli.mcp.commands import Output, Scope

Answer = dict[str, Any]


class BenchmarkTools:
    """Benchmarks of the project: `run` and `compare` execute its code."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def names(self, pattern: str = ".", offset: int = 0) -> Answer:
        """List the benchmarks whose names match a regular expression; loads the benchmark files."""
        return self._lines(await run_conduit(self._scope, "bench", f"-list={pattern}"), offset)

    async def run(self, pattern: str = ".", count: int = 3, benchtime: str = "200ms") -> Answer:
        """Run benchmarks and return their results as Go's benchmark text: ns/op, B/op and allocs/op."""
        flags = [f"-bench={pattern}", f"-count={_count(count)}", f"-benchtime={benchtime}", "-benchmem"]
        return self._lines(await run_conduit(self._scope, "bench", *flags, accepts=(0, 1)), 0)

    async def compare(self, revision: str, pattern: str = ".", budget: str = "30s") -> Answer:
        """Compare the working copy with a git revision, measured in turn, and say what got slower or faster."""
        commit = await self._commit(revision)
        flags = [f"-against={commit}", f"-bench={pattern}", f"-budget={budget}", "-format=json"]
        output = await run_conduit(self._scope, "bench", *flags, accepts=(0, 1))
        return value_answer({"command": output.command}, output.json(), "", 0, self._scope.budget_bytes)

    async def history(self, pattern: str = "", store: str = ".conduit/bench", offset: int = 0) -> Answer:
        """Say where benchmarks moved in the past: each step with its commits, its size and how sure it is."""
        if store != "notes" and not (self._scope.root / store).resolve().is_relative_to(self._scope.root):
            raise ToolError(f"{store} is outside of {self._scope.root}")
        words = [pattern] if pattern else []
        output = await run_conduit(
            self._scope, "history", "show", "-format=json", f"-store={store}", "--", *words
        )
        value = output.json()
        rest = {"command": output.command, "series": len(value["series"])}
        return paged(rest, "steps", value["steps"], offset, self._scope.budget_bytes)

    async def _commit(self, revision: str) -> str:
        """Return the commit that is meant. A folder is no revision: it may be anywhere, and its code would be run."""
        check_argument(revision)
        try:
            return await asyncio.to_thread(resolve_revision, self._scope.root, revision)
        except UsageError:
            raise ToolError(
                f"there is no revision {revision!r} in the git checkout of this project"
            ) from None

    def _lines(self, output: Output, offset: int) -> Answer:
        notes = {"notes": fitted(output.notes, self._scope.budget_bytes // 4)} if output.notes else {}
        return lines_answer(
            {"command": output.command, **notes}, output.text, offset, self._scope.budget_bytes
        )


def _count(count: int) -> str:
    if not 1 <= count <= 100:
        raise ToolError(f"count is {count}: expected 1 to 100")
    return str(count)
