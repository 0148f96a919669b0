"""What the processes of a run did, as lines of JSON in a file that all of them append to.

A line is written by one system call, so that lines of several processes do not mix. Once the run is over the file is
gone, and what a process notes then is not kept.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any

_NAME = "journal"

Entry = dict[str, Any]


class Journal:
    """The journal in the folder of a run."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, _NAME)  # noqa: PTH118
        self._kept: tuple[int, tuple[int, int]] | None = None

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
        if self._kept is None and os.geteuid() == 0:
            status = os.fstat(descriptor)
            self._kept = descriptor, (status.st_dev, status.st_ino)
        else:
            os.close(descriptor)

    def _append_as_another_user(self, line: bytes) -> None:
        """Append by the descriptor that this process, or the one that it was forked from, opened as root.

        The program may have closed it and opened another file by its number.
        """
        if self._kept is None:
            return
        descriptor, file = self._kept
        with suppress(OSError):
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) == file:
                os.write(descriptor, line)

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
