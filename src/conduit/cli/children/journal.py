"""What the processes of a run did, as lines of JSON in a file that all of them append to.

A line is written by one system call, so that lines of several processes do not mix. Once the run is over the file is
gone, and what a process notes then is not kept.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any, NamedTuple

OPEN_JOURNAL = "CONDUIT_RUN_JOURNAL"
"""The variable that names the descriptor of the journal for a program of another user, as `OpenJournal.text`."""

_NAME = "journal"

Entry = dict[str, Any]


class OpenJournal(NamedTuple):
    """A descriptor that is open for appending, and which file it must be: the program may have reused its number."""

    descriptor: int
    device: int
    inode: int

    def is_open(self) -> bool:
        """Return whether the descriptor is still the journal's."""
        try:
            status = os.fstat(self.descriptor)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == (self.device, self.inode)

    def text(self) -> str:
        """Return the value of the variable `OPEN_JOURNAL`."""
        return ":".join(map(str, self))


def inherited_journal() -> OpenJournal | None:
    """Return the descriptor that the process that started this one has left open for it, or None."""
    parts = os.environ.get(OPEN_JOURNAL, "").split(":")
    if len(parts) != len(OpenJournal._fields) or not all(part.isdecimal() for part in parts):
        return None
    found = OpenJournal(*map(int, parts))
    return found if found.is_open() else None


class Journal:
    """The journal in the folder of a run.

    A process that has been root, or was started by one, appends by a descriptor that root opened: its user may not be
    allowed to open the file.
    """

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, _NAME)  # noqa: PTH118
        self.kept = inherited_journal()
        self.is_forbidden = False
        """Whether an entry was lost because this process's user may not write to the journal."""

    def create(self) -> None:
        """Make the empty file."""
        os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def note(self, event: str, **facts: object) -> None:
        """Append an entry of this process."""
        line = json.dumps({"event": event, "pid": os.getpid(), **facts}) + "\n"
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        except PermissionError:
            self._append_as_another_user(line.encode())
            return
        except OSError:  # the run is over: the program goes on in any case
            return
        with suppress(OSError):  # the disk is full
            os.write(descriptor, line.encode())
        if self.kept is None and os.geteuid() == 0:
            status = os.fstat(descriptor)
            self.kept = OpenJournal(descriptor, status.st_dev, status.st_ino)
        else:
            os.close(descriptor)

    def _append_as_another_user(self, line: bytes) -> None:
        if self.kept is None or not self.kept.is_open():
            self.is_forbidden = True
            return
        with suppress(OSError):  # the disk is full
            os.write(self.kept.descriptor, line)

    def entries(self) -> list[Entry]:
        """Return all entries in their order; none where the file is gone."""
        try:
            with open(self._path, encoding="utf-8") as file:  # noqa: PTH123
                lines = file.read().split("\n")
        except OSError:
            return []
        return [json.loads(line) for line in lines if line]

    def remove(self) -> None:
        """Remove the file and the folder of the run, with all files in it."""
        import shutil

        shutil.rmtree(os.path.dirname(self._path), ignore_errors=True)  # noqa: PTH120
