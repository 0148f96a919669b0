"""The tools that run the project's benchmarks, and those that read what was measured before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.cli.mcp.answers import fitted, page_of
from conduit.cli.mcp.commands import ToolError, run_conduit

if TYPE_CHECKING:
    from conduit.cli.mcp.commands import Output, Scope

Answer = dict[str, Any]


class BenchmarkTools:
    """Benchmarks of the project: `run` and `compare` execute its code."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def names(self, pattern: str = ".") -> Answer:
        """List the benchmarks whose names match a regular expression; loads the benchmark files."""
        return self._lines(await run_conduit(self._scope, "bench", f"-list={pattern}"))

    async def run(self, pattern: str = ".", count: int = 3, benchtime: str = "200ms") -> Answer:
        """Run benchmarks and return their results as Go's benchmark text: ns/op, B/op and allocs/op."""
        flags = [f"-bench={pattern}", f"-count={_count(count)}", f"-benchtime={benchtime}", "-benchmem"]
        return self._lines(await run_conduit(self._scope, "bench", *flags, accepts=(0, 1)))

    async def compare(self, revision: str, pattern: str = ".", budget: str = "30s") -> Answer:
        """Compare the working copy with a git revision, measured in turn, and say what got slower or faster."""
        if revision.startswith("-") or "/" in revision[:1]:
            raise ToolError(f"{revision!r} is no git revision")
        flags = [f"-against={revision}", f"-bench={pattern}", f"-budget={budget}", "-format=json"]
        output = await run_conduit(self._scope, "bench", *flags, accepts=(0, 1))
        return {"command": output.command, "value": fitted(output.json(), self._scope.budget_bytes)}

    async def history(self, pattern: str = "", store: str = ".conduit/bench") -> Answer:
        """Say where benchmarks moved in the past: each step with its commits, its size and how sure it is."""
        if store != "notes" and not (self._scope.root / store).resolve().is_relative_to(self._scope.root):
            raise ToolError(f"{store} is outside of {self._scope.root}")
        words = [pattern] if pattern else []
        output = await run_conduit(
            self._scope, "history", "show", "-format=json", f"-store={store}", "--", *words
        )
        value = output.json()
        page = page_of(value["steps"], 0, self._scope.budget_bytes)
        return {
            "command": output.command,
            "series": len(value["series"]),
            "steps": page.items,
            "left_out": page.left_out,
        }

    def _lines(self, output: Output) -> Answer:
        page = page_of(output.text.splitlines(), 0, self._scope.budget_bytes)
        answer: Answer = {
            "command": output.command,
            "text": "\n".join(page.items),
            "left_out_lines": page.left_out,
        }
        return {**answer, "notes": fitted(output.notes, 2_000)} if output.notes else answer


def _count(count: int) -> str:
    if not 1 <= count <= 100:
        raise ToolError(f"count is {count}: expected 1 to 100")
    return str(count)
