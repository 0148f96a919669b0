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


class Wait(NamedTuple):
    """The waits of one stack under the same labels.

    `contentions` is their number, `delay_ns` their sum in nanoseconds, `reason` one of `lock`, `sleep`, `select`,
    `socket` and `gil`. `stack` and `made` (where the lock was made; empty if unknown) are frames (function, file,
    line, first line of the function), leaf first.
    """

    contentions: float
    delay_ns: float
    reason: str
    stack: tuple[NamedFrame, ...]
    made: tuple[NamedFrame, ...]
    labels: tuple[tuple[str, str], ...] = ()


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


def read(profile: int) -> list[Wait]:
    """Return all waits recorded so far for `BLOCK`, `MUTEX` or `GIL`; kept after the rate returns to 0."""
    return [Wait(*entry) for entry in waits_read(profile)]


__all__ = ["BLOCK", "GIL", "MUTEX", "NamedFrame", "Wait", "available", "read", "reason", "set_rates"]
