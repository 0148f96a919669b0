"""Exact counts of allocations, for B/op and allocs/op: the same integers on every run of a deterministic operation.

Counted is what is asked of the interpreter's allocators (`PyMem_RawMalloc`, `PyMem_Malloc`, `PyObject_Malloc`
and their kin) in the size that was asked for; a reallocation that grows counts as one allocation of the new size,
as growing a slice does in Go. Not counted: what a free list serves without asking (warm tuples, floats, dicts and
frames), frees, reallocations that shrink, and memory that a C library takes from `malloc` itself.

    start()
    before = read()
    operation()
    after = read()      # after - before is the operation's alone: `read` does not count itself
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
    from conduit._native._core import allocations_start as start
    from conduit._native._core import allocations_stop as stop
else:

    def start() -> None:
        """Begins to count, from zero. Raises `RuntimeError` where counting is on already or cannot be done."""
        raise RuntimeError(f"allocations cannot be counted: {reason()}")

    def read() -> Counts:
        """Returns (allocations, bytes) of the calling thread since `start`. Raises `RuntimeError` before it."""
        raise RuntimeError(f"allocations cannot be counted: {reason()}")

    def read_all_threads() -> Counts:
        """Returns (allocations, bytes) of all threads since `start`. Raises `RuntimeError` before it."""
        raise RuntimeError(f"allocations cannot be counted: {reason()}")

    def stop() -> None:
        """Ends counting and takes the hooks away. Raises `RuntimeError` where counting is not on."""
        raise RuntimeError(f"allocations cannot be counted: {reason()}")


__all__ = ["available", "read", "read_all_threads", "reason", "start", "stop"]
