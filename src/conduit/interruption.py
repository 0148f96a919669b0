"""Points at which long work can be ended, or give way: loops over a profile's rows ask every few thousand rows.

A page's view is computed for a client that may go, in a thread that nothing can end from outside. `interrupted_by` says
for the present thread what to ask; without it (every command line) the loops are as they are, and cost nothing more.
A service that makes a profile of itself for a client asks `GivingWay`.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Check = Callable[[], None]

    T = TypeVar("T")
    K = TypeVar("K")

ROWS = 2048
"""So many rows lie between two questions: some milliseconds of the slowest loops."""

_check: ContextVar[Check | None] = ContextVar("conduit_interruption", default=None)


class interrupted_by:  # noqa: N801 (a context manager; contextlib would slow the start)
    """Within the block, `check` is called between the rows of long loops, and raises to end them."""

    def __init__(self, check: Check) -> None:
        self._new = check

    def __enter__(self) -> None:
        self._token = _check.set(self._new)

    def __exit__(self, *_: object) -> None:
        _check.reset(self._token)


class GivingWay:
    """A check that lets the program's other threads run, three times in a millisecond.

    A thread that computes keeps the interpreter's lock for 5 ms (`sys.getswitchinterval`). A thread that serves
    requests waits that long each time it comes back from a socket. `time.sleep(0)` does not help: the lock is taken
    again before the other thread is awake.
    """

    WORK_S = 0.0002
    SLEEP_S = 0.0001

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def __call__(self) -> None:
        """Sleep for a moment if there was work for a fifth of a millisecond."""
        if time.perf_counter() - self._since > self.WORK_S:
            time.sleep(self.SLEEP_S)
            self._since = time.perf_counter()


def checkpoint() -> None:
    """Ask once, between two steps; raise what the check raises."""
    check = _check.get()
    if check is not None:
        check()


def interruptible(rows: Iterable[T]) -> Iterable[T]:
    """Return the rows, to loop over: with a question before each few thousand of them."""
    check = _check.get()
    return rows if check is None else chain.from_iterable(_blocks(iter(rows), check))


def interruptible_key(key: Callable[[T], K]) -> Callable[[T], K]:
    """Return a key for sorting that asks after each few thousand calls."""
    check = _check.get()
    if check is None:
        return key
    count = 0

    def checked(row: T) -> K:
        nonlocal count
        count += 1
        if not count % ROWS:
            check()
        return key(row)

    return checked


def _blocks(rows: Iterator[T], check: Check) -> Iterator[tuple[T, ...]]:
    while block := tuple(islice(rows, ROWS)):
        check()
        yield block
