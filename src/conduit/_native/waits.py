"""Waits as the C extension sees them, at the semaphores under every lock and at the system calls that block.

How, and under which law, is in `waits.c` beside this file. The rest of the package comes here only after asking
`conduit._native.available()`.
"""

from __future__ import annotations

from typing import NamedTuple

from conduit._native import available, reason

if available():
    from conduit._native._core import waits_read, waits_start, waits_stop

BLOCK, MUTEX, GIL = range(3)

NamedFrame = tuple[str, str, int, int]


class Wait(NamedTuple):
    """What was waited at one place: how often, how long, on what (`lock`, `sleep`, `select`, `socket`, `gil`).

    `stack` and `made` (where the lock was made; empty where that is not known) are frames (function, file, line, first
    line of the function), leaf first.
    """

    contentions: float
    delay_ns: float
    reason: str
    stack: tuple[NamedFrame, ...]
    made: tuple[NamedFrame, ...]


def set_rates(block_rate_ns: int, mutex_fraction: int, *, gil: bool) -> None:
    """Records with these rates from now on, 0 for none of a kind; with all off, everything is put back."""
    if block_rate_ns or mutex_fraction or gil:
        # Their calls are intercepted only if they are loaded.
        import select  # noqa: F401
        import socket  # noqa: F401

        waits_start(block_rate_ns, mutex_fraction, gil)
    else:
        waits_stop()


def read(profile: int) -> list[Wait]:
    """All that was counted since recording began, for `BLOCK`, `MUTEX` or `GIL`."""
    return [Wait(*entry) for entry in waits_read(profile)]


__all__ = ["BLOCK", "GIL", "MUTEX", "NamedFrame", "Wait", "available", "read", "reason", "set_rates"]
