"""Waits as the C extension records them, at the semaphores under every lock and at the system calls that block.

`waits.c` beside this file explains how. Call `available()` first: without the extension `set_rates` and `read` fail.
"""

from __future__ import annotations

from typing import NamedTuple

from conduit._native import available, reason
from conduit._native.self_check import require_frames

if available():
    from conduit._native._core import waits_read, waits_start, waits_stop

BLOCK, MUTEX, GIL = range(3)

NamedFrame = tuple[str, str, int, int]


class Waits(NamedTuple):
    """The waits of one kind by stack, place of the lock, reason and labels, as columns.

    `names` are frames (function, file, line, first line of the function), empty where no stack has one. `bounds`
    (int64) is where each stack starts in `frames` (uint32), leaf first, then where each stops; `made_bounds` says the
    same of the stack in which the lock was made, empty if unknown. `sums` (float64) is the number of waits of each
    stack, then their sum in nanoseconds. The reasons are `lock`, `sleep`, `select`, `socket` and `gil`.
    """

    names: list[NamedFrame]
    bounds: bytes
    made_bounds: bytes
    frames: bytes
    sums: bytes
    reasons: list[str]
    labels: list[tuple[tuple[str, str], ...]]

    @property
    def counts(self) -> memoryview[float]:
        """How many waits there were."""
        return memoryview(self.sums).cast("d")[: len(self.reasons)]

    @property
    def delays_ns(self) -> memoryview[float]:
        """How long they were together, in nanoseconds."""
        return memoryview(self.sums).cast("d")[len(self.reasons) :]


def set_rates(block_rate_ns: int, mutex_fraction: int, *, gil: bool) -> None:
    """Record at these rates from now on; 0 records none of a kind. All 0: the interpreter's calls are restored."""
    if block_rate_ns or mutex_fraction or gil:
        # The calls of these modules are intercepted only if they are loaded.
        import select  # noqa: F401
        import socket  # noqa: F401

        require_frames()
        waits_start(block_rate_ns, mutex_fraction, gil)
    else:
        waits_stop()


def read(profile: int) -> Waits:
    """Return all waits recorded so far for `BLOCK`, `MUTEX` or `GIL`; kept after the rate returns to 0.

    What was read before comes first, in the same order.
    """
    return Waits(*waits_read(profile))


__all__ = ["BLOCK", "GIL", "MUTEX", "NamedFrame", "Waits", "available", "read", "reason", "set_rates"]
