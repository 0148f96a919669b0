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

_lock = threading.Lock()
_watching: list[ThreadNames] = []
_original: Callable[[Any], None] | None = None


def _announce(thread: threading.Thread) -> None:
    """Stands for the method while anybody watches: recordings may end in another order than they began."""
    assert _original is not None
    _original(thread)
    for names in tuple(_watching):
        names.learn(thread)


class ThreadNames:
    """Learns names from `watch` to `unwatch`; `began` is called in each new thread and returns its number."""

    def __init__(self, began: Callable[[], int | None]) -> None:
        self._began = began
        self._by_number: dict[int, str] = {}

    def watch(self) -> None:
        """Begins to learn."""
        global _original
        with _lock:
            present = getattr(threading.Thread, _METHOD, None)
            if present is None:
                return
            if not _watching and present is not _announce:
                _original = present
                setattr(threading.Thread, _METHOD, _announce)
            _watching.append(self)

    def unwatch(self) -> None:
        """Puts the method back with the last one, unless somebody else has wrapped it since: ours then passes on."""
        with _lock:
            if self in _watching:
                _watching.remove(self)
            if not _watching and getattr(threading.Thread, _METHOD, None) is _announce:
                setattr(threading.Thread, _METHOD, _original)

    def learn(self, thread: threading.Thread) -> None:
        """Takes down the name of the calling thread, which has just begun."""
        number = self._began()
        if number is not None:
            self._by_number[number] = thread.name

    def resolve(self) -> Callable[[int, int], str]:
        """A function from (thread number, kernel number) to name; threads that live now go by their present name."""
        living = {thread.native_id: thread.name for thread in threading.enumerate()}
        learned = self._by_number

        def name(number: int, tid: int) -> str:
            return learned.get(number) or living.get(tid) or f"thread {tid}"

        return name
