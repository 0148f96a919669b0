"""One request at a time for work that takes a whole core: the others wait, and go when their client does."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from conduit.errors import ConduitError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

_INTERVAL_S = 0.1


class ClientDisconnectedError(ConduitError):
    """The client has gone, and with it the reason to go on."""


def check_client(cancelled: threading.Event | None) -> None:
    """Raise `ClientDisconnectedError` once `cancelled` is set: between two steps of an answer."""
    if cancelled is not None and cancelled.is_set():
        raise ClientDisconnectedError("the client disconnected")


@contextmanager
def take_turn(lock: threading.Lock, cancelled: threading.Event | None) -> Iterator[None]:
    """Hold the lock. Raise `ClientDisconnectedError` where `cancelled` is set before it is free."""
    while not lock.acquire(timeout=_INTERVAL_S):
        check_client(cancelled)
    try:
        check_client(cancelled)
        yield
    finally:
        lock.release()
