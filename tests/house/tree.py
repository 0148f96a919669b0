"""The project's files, as the tests of its laws read them."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parent.parent.parent
PACKAGE = PROJECT / "src" / "conduit"


@cache
def tracked_files(*patterns: str) -> tuple[Path, ...]:
    """Return the files that git knows or would add, below the patterns; relative to the project."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    return tuple(sorted(Path(name) for name in names.split("\0") if name and (PROJECT / name).is_file()))


@cache
def modules() -> dict[str, ast.Module]:
    """Return the package's modules, by their path below `src/conduit`."""
    return {
        path.relative_to("src/conduit").as_posix(): ast.parse((PROJECT / path).read_bytes())
        for path in tracked_files("src/conduit/*.py")
    }


@cache
def imports(module: ast.Module) -> frozenset[str]:
    """Return the dotted names that a module imports when it runs, at its top or in functions."""
    found: set[str] = set()
    for node in _running(module):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return frozenset(found)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs: everything but `if TYPE_CHECKING:`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (
            isinstance(child, ast.If)
            and isinstance(child.test, ast.Name)
            and child.test.id == "TYPE_CHECKING"
        ):
            yield from _running(child)
