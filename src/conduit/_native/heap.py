"""The heap profiler of the C extension: where memory was allocated, and which of it is still in use.

`heap.c` beside this file says which memory it sees, and how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit._native import available, reason
from conduit._native.self_check import require_frames

if TYPE_CHECKING:
    from types import CodeType

if available():
    from conduit._native import _core
    from conduit._native._core import heap_pause as pause
    from conduit._native._core import heap_read as read
    from conduit._native._core import heap_stop as stop
    from conduit._native._core import line_of

    def start(rate: int, /) -> str:
        """Start to record a sample for each `rate` bytes on average (1: all). Raises `RuntimeError` if not possible."""
        require_frames()
        return _core.heap_start(rate)


class HeapEntry(NamedTuple):
    """The sampled blocks of one size from one stack under the same labels: blocks and bytes, allocated and in use.

    The values are not scaled.
    `size` is in bytes: exact in exact mode, else the upper end of a size class (within an eighth). `stack` is code,
    instruction, code, instruction, …, leaf first.
    """

    size: int
    alloc_objects: int
    alloc_space: int
    inuse_objects: int
    inuse_space: int
    stack: tuple[CodeType | int, ...]
    labels: tuple[tuple[str, str], ...] = ()


__all__ = ["HeapEntry", "available", "line_of", "pause", "read", "reason", "start", "stop"]
