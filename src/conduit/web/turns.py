"""One request at a time for work that takes a whole core: the others wait, and go when their client does."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from conduit.errors import ConduitError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

_INTERVAL_S = 0.1


class UnfinishedError(ConduitError):
    """An answer was given up before it was complete."""


class ClientDisconnectedError(UnfinishedError):
    """The client has gone, and with it the reason to go on."""


class WorkLimitError(UnfinishedError):
    """An answer needs more work than one request may cause."""


def check_client(cancelled: threading.Event | None) -> None:
    """Raise `ClientDisconnectedError` once `cancelled` is set: between two steps of an answer."""
    if cancelled is not None and cancelled.is_set():
        raise ClientDisconnectedError("the client disconnected")


def work_check(cancelled: threading.Event | None, limit_s: float | None) -> Callable[[], None]:
    """Return what raises once the client has gone, or once this thread has worked for `limit_s` of CPU time more."""
    end = None if limit_s is None else time.thread_time() + limit_s

    def check() -> None:
        check_client(cancelled)
        if end is not None and time.thread_time() > end:
            raise WorkLimitError(
                f"this takes more than {limit_s:g}s of CPU time, as much as one request may use in an application; "
                "focus on some functions, or download the profile and read it with conduit pprof -http"
            )

    return check


@contextmanager
def take_turn(
    lock: threading.Lock, cancelled: threading.Event | None, limit_s: float | None = None
) -> Iterator[None]:
    """Hold the lock.

    Raise `ClientDisconnectedError` where `cancelled` is set before it is free, `WorkLimitError` where it is not free
    within `limit_s`.
    """
    began = time.monotonic()
    while not lock.acquire(timeout=_INTERVAL_S):
        check_client(cancelled)
        if limit_s is not None and time.monotonic() - began > limit_s:
            raise WorkLimitError("other views of this profile are being computed; try again later")
    try:
        check_client(cancelled)
        yield
    finally:
        lock.release()
