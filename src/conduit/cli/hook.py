"""`conduit hook`: runs the project's performance regression tests before every commit."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.cli.flags import FlagSet
from conduit.errors import ConduitError, UsageError
from conduit.files import write_file_whole

if TYPE_CHECKING:
    from conduit.cli.flags import Parsed

_USAGE = """usage: conduit hook [flags] install|uninstall|run

install    make a git hook that runs the regression tests before a commit
uninstall  remove it
run        run them now, as the hook does: pytest -k TestPerformance
"""
_MARK = "# Made by `conduit hook install`; `conduit hook uninstall` removes it."
_NO_TESTS = 5  # pytest's status where no test was selected


def run(arguments: list[str]) -> int:
    """Run the command."""
    flags = FlagSet(_USAGE)
    flags.option("timeout", "run: abort after this time", default="30s", metavar="TIME")
    flags.option("k", "run: the tests to select", default="TestPerformance", metavar="EXPRESSION")
    parsed = flags.parse(arguments, positionals="mixed")
    actions = {"install": _install, "uninstall": _uninstall, "run": _run}
    if len(parsed.positionals) != 1 or parsed.positionals[0] not in actions:
        raise UsageError(f"expected one of {', '.join(actions)}\n\n{flags.help()}")
    return actions[parsed.positionals[0]](parsed)


def _install(parsed: Parsed) -> int:
    path = _hook_path()
    if path.exists() and not _is_ours(path):
        raise ConduitError(
            f"{path} was not made by Conduit and is left unchanged; add this line to it: {_command()}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file_whole(str(path), f"#!/bin/sh\n{_MARK}\nexec {_command()}\n".encode(), 0o777)
    path.chmod(0o755)  # one of ours that was there keeps its permissions
    print(f"installed {path}")
    return 0


def _uninstall(parsed: Parsed) -> int:
    path = _hook_path()
    if not path.exists():
        print(f"there is no hook at {path}")
        return 0
    if not _is_ours(path):
        raise ConduitError(f"{path} was not made by Conduit and is left unchanged")
    path.unlink()
    print(f"removed {path}")
    return 0


def _command() -> str:
    return f"{shlex.quote(sys.executable)} -m conduit hook run"


def _is_ours(path: Path) -> bool:
    return path.is_file() and _MARK in path.read_text(encoding="utf-8", errors="replace").splitlines()


def _hook_path() -> Path:
    """Return where git looks for the hook of the repository around the current folder, `core.hooksPath` included."""
    from conduit.bench.against.environments import CheckoutError

    command = ["git", "rev-parse", "--git-path", "hooks/pre-commit"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CheckoutError("git is not installed") from None
    if said.returncode:
        raise UsageError(f"{Path.cwd()} is not inside a git repository")
    return Path(said.stdout.rstrip("\n")).absolute()


def _run(parsed: Parsed) -> int:
    from conduit.units import parse_duration_ns

    try:
        limit = parse_duration_ns(parsed["timeout"]) / 1e9
    except ValueError as error:
        raise UsageError(str(error)) from None
    print("Running performance regression tests...", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-k", parsed["k"]]
    # A hook's git variables are of no use to the tests, and harm those that use git themselves.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        status = subprocess.run(command, env=environment, timeout=limit, check=False).returncode
    except subprocess.TimeoutExpired:
        raise ConduitError(
            f"the performance tests took longer than {parsed['timeout']} and were ended"
        ) from None
    if status == _NO_TESTS:
        print(f"no test matches {parsed['k']}: nothing was checked")
        return 0
    if status:
        print(
            f"Performance regression detected: run 'pytest -v -k {parsed['k']}' for details", file=sys.stderr
        )
        return 1
    print("Performance tests passed")
    return 0
