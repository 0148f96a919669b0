"""Exact counts of allocations, for B/op and allocs/op: the same integers on every run of a deterministic operation.

The counts are of requests to the interpreter's allocators (`PyMem_RawMalloc`, `PyMem_Malloc`, `PyObject_Malloc` and
their variants), in the requested size; a reallocation that grows counts as one allocation of the new size, as growing
a slice does in Go. Not counted: objects from a free list (warm tuples, floats, dicts and frames), frees,
reallocations that shrink, and memory that a C library takes from `malloc` itself, except for what an extension
reports to tracemalloc, such as the contents of numpy's arrays.

    start()
    before = read()
    operation()
    after = read()      # after - before belongs to the operation alone: `read` does not count itself
    stop()

Counting makes every allocation several times slower: measure time in another pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit._native import available, reason

if TYPE_CHECKING:
    from conduit._native._core import Counts

if available():
    from conduit._native._core import allocations_read as read
    from conduit._native._core import allocations_read_all_threads as read_all_threads
    from conduit._native._core import allocations_read_peak as read_peak
    from conduit._native._core import allocations_start as start
    from conduit._native._core import allocations_start_peak as start_peak
    from conduit._native._core import allocations_stop as stop
else:

    def start() -> bool:
        """Start to count, from zero; return whether memory that extensions report is counted, too.

        Raises `RuntimeError` if counting is on already or not possible.
        """
        raise RuntimeError(f"allocations cannot be counted: {reason()}")

    def start_peak() -> None:
        """Measure the peak from the memory held now. Raises `RuntimeError` before `start`."""
        raise RuntimeError(f"allocations cannot be counted: {reason()}")

    def read_peak() -> int:
        """Return the most bytes held at once since `start_peak`, above those held then. Only what was counted."""
        raise RuntimeError(f"allocations cannot be counted: {reason()}")

    def read() -> Counts:
        """Return (allocations, bytes) of the calling thread since `start`. Raises `RuntimeError` before it."""
        raise RuntimeError(f"allocations cannot be counted: {reason()}")

    def read_all_threads() -> Counts:
        """Return (allocations, bytes) of all threads since `start`. Raises `RuntimeError` before it."""
        raise RuntimeError(f"allocations cannot be counted: {reason()}")

    def stop() -> None:
        """Stop counting and remove the hooks. Raises `RuntimeError` if counting is not on."""
        raise RuntimeError(f"allocations cannot be counted: {reason()}")


__all__ = ["available", "read", "read_all_threads", "read_peak", "reason", "start", "start_peak", "stop"]
