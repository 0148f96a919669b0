"""The descendants and the command lines of processes, as reported by the kernel at the time of the call. Linux only."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def descendants(pid: int, *, without: int = 0) -> list[int]:
    """Return the process ids of a process's children, their children and so on, parents first, lowest id first.

    `without` and its descendants are omitted. A process whose parent has ended is no longer a descendant.
    """
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            children.setdefault(_parent(folder), []).append(int(folder.name))
    found = []
    waiting = [pid]
    while waiting:
        below = sorted(child for child in children.get(waiting.pop(0), []) if child != without)
        found += below
        waiting += below
    return found


def command_of(pid: int) -> str:
    """Return the command line of a process, its words separated by spaces; empty for one that has ended."""
    words = _command_line(str(pid)).decode("utf-8", "replace").split("\0")
    return " ".join(words).strip()


def own_command_line() -> list[str]:
    """Return the words that started this process; an interpreter that another program embeds is not told them."""
    return sys.orig_argv or os.fsdecode(_command_line("self")).split("\0")[:-1]


def _command_line(process: str) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def _parent(folder: Path) -> int:
    """Return the id of a process's parent; 0 for a process that has ended or is ending."""
    try:
        state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return 0
    return 0 if state in "ZX" else int(parent)
