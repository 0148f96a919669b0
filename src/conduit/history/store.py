"""Where runs are kept: one file a run in a folder, or notes on commits in the repository.

A run is Go's benchmark text under configuration lines of ours: `commit`, `commit-date`, `run-date`, `dependencies`
(a digest of the installed packages), `load` (the processor's, when the run began) and, for a working copy with changes,
`modified: true`. In a folder each file has a name of its own, so that two writers and two branches never write the same
file, and a copied file joins the history. As notes (`refs/notes/conduit-bench`), the runs of a commit follow each other
in its note, and travel with a repository that fetches the ref.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from conduit.bench.against.environments import CheckoutError
from conduit.bench.against.worktree import git, git_environment
from conduit.errors import ConduitError
from conduit.files import write_file_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_FOLDER = ".conduit/bench"
NOTES_REF = "refs/notes/conduit-bench"
NOTES = "notes"
"""The name of the store that is git notes, where a folder could be given."""

MAX_RUN_BYTES = 64 << 20
_SUFFIX = ".txt"


class StoreError(ConduitError):
    """A run could not be kept or read: the folder, the repository or git is not as expected."""


class StoredRun(NamedTuple):
    """One run as it is kept. `name` is a path, or `note of <commit>, run 2`."""

    name: str
    text: str


class Store(Protocol):
    """A place for runs."""

    def save(self, text: str, commit: str) -> str:
        """Keep the text of a run; return the name under which it is listed. Raises `StoreError`."""

    def runs(self) -> Iterator[StoredRun | StoreError]:
        """Yield every run; one that cannot be read is an error in its place."""

    def remove(self, names: list[str]) -> None:
        """Remove runs by the names under which `runs` yields them. Raises `StoreError`."""

    def stamp(self) -> str:
        """Return a text that is another one after a run was added, changed or removed. Raises `StoreError`."""


def open_store(where: str, folder: Path) -> Store:
    """Return the store that a command line names: `notes`, or a folder, relative to `folder`."""
    if where == NOTES:
        return NotesStore(folder)
    return FolderStore(Path(where) if folder == Path.cwd() else folder / where)


class FolderStore:
    """One file a run, `<date>-<commit>-<random>.txt`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, text: str, commit: str) -> str:
        """Write a new file; missing folders are made."""
        now = time.time()  # in milliseconds: the files of one second are in the order of their runs, too
        moment = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}.{int(now * 1000) % 1000:03}Z"
        path = self.folder / f"{moment}-{commit[:10] or 'uncommitted'}-{secrets.token_hex(4)}{_SUFFIX}"
        try:
            write_file_whole(str(path), text.encode("utf-8", "surrogateescape"))
        except ConduitError as error:
            raise StoreError(str(error)) from None
        return str(path)

    def runs(self) -> Iterator[StoredRun | StoreError]:
        """Yield the files `*.txt` below the folder, in the order of their names."""
        for path in self._paths():
            yield _read_run(path)

    def stamp(self) -> str:
        """Return a digest of the files' names, times and sizes."""
        digest = hashlib.sha256()
        for path in self._paths():
            with suppress(OSError):  # it was removed just now
                found = path.stat()
                digest.update(
                    f"{path}\0{found.st_mtime_ns}\0{found.st_size}\0".encode(errors="surrogateescape")
                )
        return digest.hexdigest()

    def _paths(self) -> list[Path]:
        try:
            return sorted(path for path in self.folder.rglob(f"*{_SUFFIX}") if path.is_file())
        except OSError as error:
            raise StoreError(f"cannot read {self.folder}: {error.strerror}") from None

    def remove(self, names: list[str]) -> None:
        """Remove files."""
        for name in names:
            try:
                Path(name).unlink()
            except OSError as error:
                raise StoreError(f"cannot remove {name}: {error.strerror}") from None


def _read_run(path: Path) -> StoredRun | StoreError:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RUN_BYTES + 1)
    except OSError as error:
        return StoreError(f"cannot read {path}: {error.strerror}")
    if len(data) > MAX_RUN_BYTES:
        return StoreError(f"{path}: larger than {MAX_RUN_BYTES >> 20} MB: expected the results of one run")
    if b"\0" in data:
        return StoreError(f"{path}: binary data: expected benchmark text")
    return StoredRun(str(path), data.decode("utf-8", "surrogateescape"))


_RUN_BEGINS = "conduit-run: "


class NotesStore:
    """Runs as git notes: one note a commit, in which each run begins with a line `conduit-run: <id>`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, text: str, commit: str) -> str:
        """Add the run to the commit's note."""
        if not commit:
            raise StoreError("notes belong to commits, and there is none here; use a folder: -save=DIR")
        name = secrets.token_hex(8)
        with self._locked():
            self._write_note(commit, f"{self._note(commit)}{_RUN_BEGINS}{name}\n{text.rstrip()}\n\n")
        return _note_name(commit, name)

    def runs(self) -> Iterator[StoredRun | StoreError]:
        """Yield the runs in all notes; every note is read whole."""
        for line in self._git("notes", f"--ref={NOTES_REF}", "list").splitlines():
            commit = line.split()[-1]
            for name, text in _split_note(self._note(commit)):
                yield StoredRun(_note_name(commit, name), text)

    def stamp(self) -> str:
        """Return the commit of the notes, an empty text without any."""
        return self._run("rev-parse", "--verify", "--quiet", NOTES_REF).stdout.strip()

    def remove(self, names: list[str]) -> None:
        """Write the notes anew without these runs; a note that is left empty goes."""
        wanted = set(names)
        with self._locked():
            for commit in {name.split()[2].rstrip(",") for name in names}:
                runs = _split_note(self._note(commit))
                kept = [run for run in runs if _note_name(commit, run[0]) not in wanted]
                text = "".join(f"{_RUN_BEGINS}{name}\n{text}" for name, text in kept)
                if text:
                    self._write_note(commit, text)
                else:
                    self._git("notes", f"--ref={NOTES_REF}", "remove", commit)

    def _note(self, commit: str) -> str:
        run = self._run("notes", f"--ref={NOTES_REF}", "show", commit)
        return run.stdout if run.returncode == 0 else ""

    def _write_note(self, commit: str, text: str) -> None:
        # Through a blob: `notes add` would strip lines that look like comments.
        blob = self._git("hash-object", "-w", "--stdin", data=text).strip()
        self._git("notes", f"--ref={NOTES_REF}", "add", "--force", "-C", blob, commit)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Exclude other writers of notes: git reads the old note and writes the new one without looking again."""
        import fcntl

        folder = self._git("rev-parse", "--git-common-dir").strip()
        with (self.folder / folder / "conduit-bench.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _git(self, *arguments: str, data: str | None = None) -> str:
        run = self._run(*arguments, data=data)
        if run.returncode:
            words = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
            raise StoreError(f"git {arguments[0]} in {self.folder}: {words[-1]}")
        return run.stdout

    def _run(self, *arguments: str, data: str | None = None) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                ["git", "-C", str(self.folder), *arguments],
                input=data,
                env=git_environment(),
                capture_output=True,
                text=True,
                errors="surrogateescape",
                check=False,
            )
        except FileNotFoundError:
            raise StoreError("git is not installed, and notes need it; use a folder: -save=DIR") from None


def _note_name(commit: str, run: str) -> str:
    return f"note of {commit}, run {run}"


def _split_note(note: str) -> list[tuple[str, str]]:
    parts = re.split(rf"^{re.escape(_RUN_BEGINS)}(\S+)\n", note, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def context_lines(folder: Path) -> tuple[str, list[str]]:
    """Return the commit of a folder and the configuration lines that describe a run now.

    The commit is empty outside of a repository.
    """
    commit, lines = "", []
    found = git_line(folder, "log", "-1", "--format=%H %ct")
    if found:
        commit, seconds = found.split()
        lines += [f"commit: {commit}", f"commit-date: {format_utc(int(seconds))}"]
        if git_line(folder, "status", "--porcelain", "--untracked-files=no"):
            lines.append("modified: true")
    lines.append(f"run-date: {format_utc(time.time())}")
    lines.append(f"dependencies: {dependency_digest()}")
    lines.append(f"load: {os.getloadavg()[0]:.2f}")
    return commit, lines


def format_utc(seconds: float) -> str:
    """Return a time as it stands in a run: ISO 8601 in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def git_line(folder: Path, *arguments: str) -> str:
    """Return git's output about a folder, without its last line end; empty if git fails or is not installed."""
    try:
        return git(folder, *arguments).strip()
    except CheckoutError:
        return ""


def dependency_digest() -> str:
    """Twelve hexadecimal digits that change when an installed distribution or its version does."""
    from importlib.metadata import distributions

    installed = {
        f"{str(distribution.metadata['Name']).lower()}=={distribution.version}"
        for distribution in distributions()
    }
    return hashlib.sha256("\n".join(sorted(installed)).encode()).hexdigest()[:12]
