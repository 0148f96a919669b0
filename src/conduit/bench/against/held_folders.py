"""Temporary folders that tell whether their maker is still there: while it lives, it holds a lock on the folder.

A killed process cannot remove its folder, and its process id says nothing to a process in another container.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def held_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Lend a new folder, held until the block is left, and then removed unless it was renamed."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(descriptor)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def is_abandoned(folder: Path) -> bool:
    """Return whether a folder that `held_folder` made is held no more, or is gone; False where that cannot be told."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        return _lock(descriptor)
    except OSError:  # held, or on a file system without locks
        return False
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock a folder; return False where the system has no such locks. Raises `OSError` for one that is held."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True
