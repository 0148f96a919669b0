"""A clock that moves only when a test moves it, for logic that measures time or waits.

Code under test takes its clock as an argument, with the real functions as defaults:
`clock: Callable[[], int] = time.monotonic_ns`, `sleep: Callable[[float], None] = time.sleep`. A test hands in the methods
of a `FakeClock`, which have the names and units of the functions in `time`. Waiting for something, with a timeout, takes
`FakeClock.wait`, which has the signature of `threading.Event.wait` with the event first.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class _Waitable(Protocol):
        def is_set(self) -> bool: ...


_NS_PER_SECOND = 1_000_000_000


class FakeClock:
    """Reads the same time until `advance` or `sleep` moves it; `sleeps` lists the seconds asked for, in order.

    `tick_ns` is added after each reading, for code that loops until time has passed without sleeping. Safe to share between
    threads. Calls planned with `call_at` happen, in order of their time, while the clock moves past them.
    """

    def __init__(self, start_ns: int = 0, *, tick_ns: int = 0) -> None:
        self._now_ns = start_ns
        self._tick_ns = tick_ns
        self._lock = threading.RLock()
        self._planned: list[tuple[int, int, Callable[[], object]]] = []
        self.sleeps: list[float] = []

    def monotonic_ns(self) -> int:
        """Return the time in nanoseconds."""
        with self._lock:
            now = self._now_ns
            self._now_ns += self._tick_ns
            return now

    perf_counter_ns = time_ns = process_time_ns = thread_time_ns = monotonic_ns

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self.monotonic_ns() / _NS_PER_SECOND

    perf_counter = time = process_time = thread_time = monotonic

    def sleep(self, seconds: float) -> None:
        """Move the clock by `seconds` at once, and note them in `sleeps`; ValueError for less than 0, as `time.sleep`."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        with self._lock:
            self.sleeps.append(seconds)
            self.advance(seconds)

    def wait(self, event: _Waitable, timeout: float | None = None) -> bool:
        """Wait for `event` until `timeout`: at most that much time passes on this clock, less if a planned call sets it.

        Waiting without a timeout for what no planned call sets would never end: AssertionError.
        """
        with self._lock:
            end_ns = None if timeout is None else self._now_ns + round(max(timeout, 0) * _NS_PER_SECOND)
            while not event.is_set():
                if self._planned and (end_ns is None or self._planned[0][0] <= end_ns):
                    self._run_next_call()
                elif end_ns is None:
                    raise AssertionError(
                        "waits without a timeout for an event that nothing planned on this clock sets"
                    )
                else:
                    self._now_ns = max(self._now_ns, end_ns)
                    break
            return event.is_set()

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`, making the planned calls that fall due on the way."""
        if seconds < 0:
            raise ValueError("a clock does not go back")
        with self._lock:
            end_ns = self._now_ns + round(seconds * _NS_PER_SECOND)
            while self._planned and self._planned[0][0] <= end_ns:
                self._run_next_call()
            self._now_ns = max(self._now_ns, end_ns)

    def call_at(self, seconds: float, call: Callable[[], object]) -> None:
        """Plan `call` for the time `seconds` from now; calls for the same time are made in the order of planning."""
        with self._lock:
            at_ns = self._now_ns + round(seconds * _NS_PER_SECOND)
            self._planned.append((at_ns, len(self._planned), call))
            self._planned.sort(key=lambda planned: planned[0])

    def _run_next_call(self) -> None:
        at_ns, _, call = self._planned.pop(0)
        self._now_ns = max(self._now_ns, at_ns)
        call()
