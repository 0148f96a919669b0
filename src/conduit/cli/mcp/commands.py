"""The commands behind the tools: which may be run on which files, how they are run, and how they are ended."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path  # noqa: TC003 (the fields of a NamedTuple are read at run time)
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from conduit.cli.mcp.answers import ToolError
from conduit.fetch.download import without_password

TIME_LIMIT_S = 120
_MAX_OUTPUT_BYTES = 64 << 20
_MAX_ARGUMENT = 4_000  # characters; also as many as a path may have, in bytes


class Scope(NamedTuple):
    """What the tools may read: the project's folder, the registry's flags, and the profiles named at the start."""

    root: Path
    registry: tuple[str, ...]
    profiles: tuple[str, ...]
    offers_benchmarks: bool
    budget_bytes: int

    def source(self, given: str) -> str:
        """Return the profile that is meant, if it may be read: one named at the start, or a file inside the folder."""
        for allowed in self.profiles:
            if given in (allowed, without_password(allowed)):
                return allowed
        if urlsplit(given).scheme in ("http", "https"):
            raise ToolError(
                f"{without_password(given)} was not named at the start; the person can allow it with -profile=URL"
            )
        return str(self.file(given))

    def file(self, given: str) -> Path:
        """Return a file inside the folder. Raise `ToolError` for any other."""
        check_argument(given)
        path = (self.root / given).resolve()
        if not path.is_relative_to(self.root):
            raise ToolError(
                f"{given} is outside of {self.root}; the person can allow it with -profile={given}"
            )
        if not path.is_file():
            raise ToolError(f"{given}: there is no such file in {self.root}")
        return path


class Output(NamedTuple):
    """What a command gave: the command line to repeat it, its output, and what it said on standard error."""

    command: str
    text: str
    notes: str
    status: int

    def json(self) -> Any:
        """Return the output as a JSON value. Raise `ToolError`, with what the command said, where it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            raise ToolError(self.notes or f"{self.command} printed no JSON") from None


async def run_conduit(scope: Scope, *arguments: str, accepts: tuple[int, ...] = (0,)) -> Output:
    """Run a command in the project's folder; it ends with the call, if that is cancelled. Raises `ToolError`."""
    for argument in arguments:
        check_argument(argument)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "conduit", *arguments, cwd=scope.root,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    shown = " ".join(["conduit", *(_shown(argument, scope) for argument in arguments)])
    try:
        async with asyncio.timeout(TIME_LIMIT_S):
            output, notes = await asyncio.gather(_read(process.stdout), _read(process.stderr))
            status = await process.wait()
    except TimeoutError:
        raise ToolError(f"{shown} took longer than {TIME_LIMIT_S} s and was ended") from None
    finally:
        _end(process)
    said = notes.decode("utf-8", "replace").strip()
    if status not in accepts:
        raise ToolError(said or f"{shown} ended with status {status}")
    return Output(shown, output.decode("utf-8", "replace"), said, status)


def check_argument(text: str) -> None:
    """Raise `ToolError` for a text that the operating system does not take as an argument or a file's name."""
    if "\0" in text:
        raise ToolError("an argument holds a NUL character")
    if len(text) > _MAX_ARGUMENT:
        raise ToolError(f"an argument has {len(text):,} characters: expected at most {_MAX_ARGUMENT:,}")


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    parts = bytearray()
    while stream is not None and (part := await stream.read(1 << 16)):
        parts += part
        if len(parts) > _MAX_OUTPUT_BYTES:
            raise ToolError(f"the answer is larger than {_MAX_OUTPUT_BYTES >> 20} MB; ask for less of it")
    return bytes(parts)


def _end(process: asyncio.subprocess.Process) -> None:
    """End the command and everything it started."""
    import os
    import signal

    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _shown(argument: str, scope: Scope) -> str:
    """Return an argument as it is typed, without the password of an allowed address."""
    import shlex

    for allowed in scope.profiles:
        argument = argument.replace(allowed, without_password(allowed))
    return shlex.quote(argument)
