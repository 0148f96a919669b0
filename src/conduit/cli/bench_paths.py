"""The PATH arguments of `conduit bench`: `./...` as in Go, and the search if there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DEFAULT_FOLDER = "benchmarks"


def read_paths(arguments: Sequence[str], here: Path) -> list[str]:
    """Return the paths to search for benchmark files, relative to `here` as given.

    `DIR/...` is the folder and all below it, as every folder is. Without arguments: `benchmarks`, or else this
    folder if a `bench_*.py` file is in it or below. Raises `UsageError` if there is nothing to run.
    """
    if arguments:
        return [_existing(argument, here) for argument in arguments]
    if (here / DEFAULT_FOLDER).is_dir():
        return [DEFAULT_FOLDER]
    from conduit.bench.run.discover import PATTERN, find_files

    if find_files([here]):
        return ["."]
    raise UsageError(
        f"no benchmarks found: looked for a ./{DEFAULT_FOLDER} folder, then for {PATTERN} files in {here} "
        "and all folders below it; name a file or a folder, or write a benchmark: def bench_x(b) in bench_x.py"
    )


def _existing(argument: str, here: Path) -> str:
    path = argument
    if argument == "..." or argument.endswith("/..."):
        path = argument.removesuffix("...").rstrip("/") or ("/" if argument.startswith("/") else ".")
    if not (here / path).exists():
        raise UsageError(
            f"{argument}: no such file or folder; give a bench_*.py file or a folder that has some"
        )
    return path
