"""Names of the files that one process of a run writes."""

from __future__ import annotations

import os

_COMPRESSED = (".gz", ".zst")


def path_of_process(path: str, process: str) -> str:
    """Return `path` with the process before its ending: `cpu.1234.prof`, `heap.1234.pb.gz`."""
    folder, name = os.path.split(path)
    stem, ending = os.path.splitext(name)  # noqa: PTH122
    if ending in _COMPRESSED:
        stem, inner = os.path.splitext(stem)  # noqa: PTH122
        ending = inner + ending
    return os.path.join(folder, f"{stem}.{process}{ending}")  # noqa: PTH118
