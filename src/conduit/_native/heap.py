"""The heap profiler of the C extension: where memory was allocated, and which of it is still in use.

`heap.c` beside this file says which memory it sees, and how.
"""

from __future__ import annotations

from typing import NamedTuple

from conduit._native import available, reason
from conduit._native.self_check import require_frames
from conduit._native.stacks import RawStacks

if available():
    from conduit._native import _core
    from conduit._native._core import heap_pause as pause
    from conduit._native._core import heap_stop as stop

    def start(rate: int, /) -> str:
        """Start to record a sample for each `rate` bytes on average (1: all). Raises `RuntimeError` if not possible."""
        require_frames()
        return _core.heap_start(rate)

    def read() -> tuple[HeapSites, int, bool]:
        """Return the sites, how many samples were dropped, and whether reports of numpy and others are received."""
        (stacks, numbers, labels), dropped, receives_reports = _core.heap_read()
        return HeapSites(RawStacks(*stacks), numbers, labels), dropped, receives_reports


class HeapSites(NamedTuple):
    """The sampled blocks by size, stack and labels, as columns; see `RawStacks`.

    `numbers` has one column (int64) after the other, which are the properties below. The sums are not scaled. `labels`
    are those of `conduit.label`, sorted by key; equal sets are the same object.
    """

    stacks: RawStacks
    numbers: bytes
    labels: list[tuple[tuple[str, str], ...]]

    @property
    def sizes(self) -> memoryview[int]:
        """Bytes of one block: exact in exact mode, else the upper end of a size class (within an eighth)."""
        return memoryview(self.numbers).cast("q")[: len(self.labels)]

    @property
    def sums(self) -> list[memoryview[int]]:
        """Columns of blocks and bytes allocated, and blocks and bytes in use."""
        numbers, count = memoryview(self.numbers).cast("q"), len(self.labels)
        return [numbers[column * count : (column + 1) * count] for column in range(1, 5)]


__all__ = ["HeapSites", "available", "pause", "read", "reason", "start", "stop"]
