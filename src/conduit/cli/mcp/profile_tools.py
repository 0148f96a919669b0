"""The tools that read profiles, from the top down: the heaviest functions, one function's callers, its lines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conduit.cli.mcp.answers import ToolError, fitted, lines_answer, paged
from conduit.cli.mcp.commands import run_conduit
from conduit.fetch.download import without_password

if TYPE_CHECKING:
    from conduit.cli.mcp.commands import Output, Scope

Answer = dict[str, Any]


class ProfileTools:
    """Reports on pprof files inside of the project's folder, and on the sources that were named at the start."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def sources(self, offset: int = 0) -> Answer:
        """List the profiles that can be read: files of the project that are named like one, and what was allowed."""
        names = [str(path.relative_to(self._scope.root)) for path in _profile_files(self._scope)]
        allowed = [without_password(source) for source in self._scope.profiles]
        return paged({}, "items", [*allowed, *names], offset, self._scope.budget_bytes)

    async def top(
        self,
        source: str,
        sample_type: str = "",
        cumulative: bool = False,
        focus: str = "",
        ignore: str = "",
        count: int = 20,
        offset: int = 0,
    ) -> Answer:
        """List the heaviest functions of a profile: flat (in the function itself) and cum (with what it calls).

        `focus` and `ignore` are regular expressions on function names and files; values are in `unit`.
        """
        chosen = _flags(sample_index=sample_type, focus=focus, ignore=ignore, nodecount=_count(count))
        order = ["-cum"] if cumulative else []
        output = await self._report(source, "-json", *chosen, *order)
        return self._rows(output, offset)

    async def difference(
        self, base: str, source: str, sample_type: str = "", count: int = 20, offset: int = 0
    ) -> Answer:
        """Compare two profiles: what each function took more (or less) in `source` than in `base`."""
        flags = _flags(diff_base=self._scope.source(base), sample_index=sample_type, nodecount=_count(count))
        return self._rows(await self._report(source, "-json", *flags), offset)

    async def callers_and_callees(
        self, source: str, function: str, sample_type: str = "", offset: int = 0
    ) -> Answer:
        """Show the functions that match a regular expression between their callers and callees."""
        return await self._text(
            source, offset, f"-peek={_pattern(function)}", *_flags(sample_index=sample_type)
        )

    async def lines(self, source: str, function: str, sample_type: str = "", offset: int = 0) -> Answer:
        """Show the source of the functions that match a regular expression, with what each line took (flat, cum)."""
        return await self._text(
            source, offset, f"-list={_pattern(function)}", *_flags(sample_index=sample_type)
        )

    async def labels(self, source: str, sample_type: str = "", offset: int = 0) -> Answer:
        """Show how much of a profile carries each label: thread, task, route, process, and the program's own."""
        return await self._text(source, offset, "-tags", *_flags(sample_index=sample_type))

    async def advice(self, source: str, offset: int = 0) -> Answer:
        """Say in words what stands out in a profile, and which question to ask next."""
        return await self._text(source, offset, "-advice")

    async def _report(self, source: str, *flags: str) -> Output:
        return await run_conduit(self._scope, "pprof", *flags, "--", self._scope.source(source))

    async def _text(self, source: str, offset: int, *flags: str) -> Answer:
        output = await self._report(source, *flags)
        return lines_answer({"command": output.command}, output.text, offset, self._scope.budget_bytes)

    def _rows(self, output: Output, offset: int) -> Answer:
        value = output.json()
        rows = value.pop("rows", [])
        rest = {"command": output.command, **fitted(value, self._scope.budget_bytes // 2)}
        return paged(rest, "rows", rows, offset, self._scope.budget_bytes)


def _flags(**values: str) -> list[str]:
    return [f"-{name}={value}" for name, value in values.items() if value]


def _pattern(function: str) -> str:
    if not function:
        raise ToolError("function is empty: expected a regular expression, such as `total$`")
    return function


def _count(count: int) -> str:
    if not 1 <= count <= 1000:
        raise ToolError(f"count is {count}: expected 1 to 1000")
    return str(count)


_ENDINGS = (".prof", ".pprof", ".pb.gz", ".pb")
_MAX_FILES = 2_000


def _profile_files(scope: Scope) -> list[Path]:
    found: list[Path] = []
    for folder, folders, files in os.walk(scope.root):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        found += [Path(folder, name) for name in files if name.endswith(_ENDINGS)]
        if len(found) > _MAX_FILES:
            break
    return sorted(found)
