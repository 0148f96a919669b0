"""The working copy's benchmark files on the old side: one set of benchmarks, two versions of the code.

A benchmark file is copied to its own relative path. A folder with a usual name for benchmarks (`benchmarks`, `perf`,
…) is copied as a whole, with its helper modules and data; anywhere else only the benchmark files are, so that the
code under test stays the old one.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.against.environments import CheckoutError
from conduit.bench.against.worktree import git, source_folders
from conduit.bench.run.discover import find_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from conduit.bench.against.worktree import Checkout

BENCHMARK_FOLDERS = frozenset(
    {"benchmarks", "benchmark", "bench", "benches", "perf", "performance", "asv_bench"}
)
_SKIPPED = {"__pycache__", ".git", ".hg", ".venv", "node_modules"}


class FileDifference(NamedTuple):
    """A benchmark file that is not the same on both sides; `old_exists` is False if only the new side has it."""

    path: str
    old_exists: bool


def benchmark_files(root: Path, paths: Sequence[str]) -> list[Path]:
    """Return the relative paths of the files that benchmarks under `paths` consist of, sorted."""
    found: set[Path] = set()
    for file in find_files([root / path for path in paths if (root / path).exists()]):
        relative = file.path.relative_to(root.resolve())
        found.add(relative)
        folder = _benchmark_folder(relative)
        if folder is not None:
            found.update(_files_below(root, folder))
    return sorted(found)


def _benchmark_folder(file: Path) -> Path | None:
    """Return the outermost folder of a file that has a usual name for benchmarks."""
    for folder in reversed(file.parents):
        if folder.name.lower() in BENCHMARK_FOLDERS:
            return folder
    return None


def _files_below(root: Path, folder: Path) -> Iterable[Path]:
    try:
        # Files that git ignores (results, environments) are not part of the benchmarks.
        listed = git(root / folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names: Iterable[Path] = (folder / name for name in listed.split("\0") if name)
    except CheckoutError:
        names = (path.relative_to(root) for path in (root / folder).rglob("*"))
    return [name for name in names if (root / name).is_file() and not _SKIPPED.intersection(name.parts)]


def differing_files(old_root: Path, new_root: Path, files: Iterable[Path]) -> list[FileDifference]:
    """Return the Python files among `files` whose text is not the same in both roots."""
    differing = []
    for file in files:
        if file.suffix != ".py":
            continue
        old = old_root / file
        if not old.is_file():
            differing.append(FileDifference(str(file), False))
        elif old.read_bytes() != (new_root / file).read_bytes():
            differing.append(FileDifference(str(file), True))
    return differing


def copy_into_worktree(new_root: Path, tree: Path, files: Iterable[Path]) -> None:
    """Copy benchmark files over those of a temporary worktree."""
    for file in files:
        target = tree / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink():
            target.unlink()
        shutil.copyfile(new_root / file, target)


def mirror_with_benchmarks(new_root: Path, old: Checkout, mirror: Path, files: Sequence[Path]) -> Checkout:
    """Return a checkout in the new folder `mirror`: links to the old folder's content, and the benchmark files.

    The old folder itself is not changed.
    """
    _link(old.root, mirror, [file.parts for file in files])
    copy_into_worktree(new_root, mirror, files)
    import_from = source_folders(mirror) if old.import_from == source_folders(old.root) else old.import_from
    return old._replace(root=mirror, import_from=import_from)


def _link(source: Path, target: Path, replaced: Sequence[tuple[str, ...]]) -> None:
    target.mkdir(parents=True)
    own = {parts[0] for parts in replaced if len(parts) > 1}
    copied = {parts[0] for parts in replaced if len(parts) == 1}
    for entry in sorted(source.iterdir()):
        if entry.name in copied:
            continue
        if entry.name in own and entry.is_dir():
            _link(entry, target / entry.name, [parts[1:] for parts in replaced if parts[0] == entry.name])
        else:
            (target / entry.name).symlink_to(entry)
