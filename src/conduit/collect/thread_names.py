"""The names of threads in a recording, also of those that have ended before it does.

A thread of `threading` tells its kernel number as its first act (`Thread._set_native_id`); while a recording runs
that method is wrapped, so that the thread's name is known, and its timer armed, before its own code runs.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_METHOD = "_set_native_id"


class ThreadNames:
    """Learns names from `watch` to `unwatch`; `began` is called in each new thread and returns its number."""

    def __init__(self, began: Callable[[], int | None]) -> None:
        self._began = began
        self._by_number: dict[int, str] = {}
        self._original: Callable[[Any], None] | None = None
        self._wrapper: Callable[[Any], None] | None = None

    def watch(self) -> None:
        """Begins to learn."""
        original = getattr(threading.Thread, _METHOD, None)
        if original is None:
            return

        def announce(thread: threading.Thread) -> None:
            original(thread)
            number = self._began()
            if number is not None:
                self._by_number[number] = thread.name

        self._original, self._wrapper = original, announce
        setattr(threading.Thread, _METHOD, announce)

    def unwatch(self) -> None:
        """Puts the method back, unless somebody else has wrapped it since (then ours only passes on)."""
        if self._wrapper is not None and getattr(threading.Thread, _METHOD) is self._wrapper:
            setattr(threading.Thread, _METHOD, self._original)
        self._wrapper = None

    def resolve(self) -> Callable[[int, int], str]:
        """A function from (thread number, kernel number) to name; threads that live now go by their present name."""
        living = {thread.native_id: thread.name for thread in threading.enumerate()}
        learned = self._by_number

        def name(number: int, tid: int) -> str:
            return learned.get(number) or living.get(tid) or f"thread {tid}"

        return name
