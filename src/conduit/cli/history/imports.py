"""`conduit history import`: stores results of other tools as runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.errors import BenchmarkFileError, ConduitError, UsageError
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.cli.flags import Parsed
    from conduit.history.store import Store

_MAX_BYTES = 256 << 20
_SUFFIXES = (".json", ".js")
# Files that asv keeps beside its results, and that are no results.
_BESIDE = ("machine.json", "benchmarks.json", "asv.conf.json", "package.json")


def import_results(parsed: Parsed, *words: str) -> int:
    """Keep what files and folders hold; return the exit status: 1 if nothing could be read."""
    from conduit.history.store import open_store

    if not words:
        raise UsageError("expected files or folders: conduit history import FILE|DIR…")
    for word in words:
        if not Path(word).exists():
            raise UsageError(f"{word}: no such file or folder")
    store = open_store(parsed["store"], Path.cwd())
    counts = _Counts()
    known = _known_texts(store)
    for path in _files(words):
        _import_file(path, parsed["commit"], store, known, counts)
    print(counts.text())
    if not counts.kept and not counts.known:
        raise ConduitError("nothing was imported: no file had results that could be read")
    return 0


class _Counts:
    def __init__(self) -> None:
        self.kept = self.known = self.files = self.passed = 0

    def text(self) -> str:
        text = f"{counted(self.kept, 'run')} kept from {counted(self.files, 'file')}"
        if self.known:
            text += f", {self.known} kept already"
        if self.passed:
            text += f", {counted(self.passed, 'file')} passed over"
        return text


def _known_texts(store: Store) -> set[str]:
    from conduit.history.store import StoredRun

    return {run.text.strip() for run in store.runs() if isinstance(run, StoredRun)}


def _files(words: tuple[str, ...]) -> Iterator[Path]:
    for word in words:
        path = Path(word)
        if path.is_file():
            yield path
            continue
        found = sorted(child for child in path.rglob("*") if child.suffix in _SUFFIXES and child.is_file())
        yield from (child for child in found if child.name not in _BESIDE)


def _import_file(path: Path, commit: str, store: Store, known: set[str], counts: _Counts) -> None:
    from conduit.history.foreign import read_runs

    counts.files += 1
    try:
        runs = read_runs(str(path), _text_of(path), commit)
    except BenchmarkFileError as error:
        counts.passed += 1
        print(f"conduit history: passed over: {error}", file=sys.stderr)
        return
    for run in runs:
        if run.text.strip() in known:
            counts.known += 1
            continue
        known.add(run.text.strip())
        store.save(run.text, run.commit)
        counts.kept += 1


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise BenchmarkFileError(str(path), f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise BenchmarkFileError(str(path), f"{path}: larger than {_MAX_BYTES >> 20} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BenchmarkFileError(str(path), f"{path}: not UTF-8 text") from None
