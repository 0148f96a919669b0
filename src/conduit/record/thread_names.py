"""The names of threads in a recording, including threads that end before it does.

The first thing that a thread of `threading` does is to store its native id (`Thread._set_native_id`). While a recording
runs, that method is wrapped, so the thread's name and function are known, and its timer is started, before its own code
runs.
"""

from __future__ import annotations

import os
import threading
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

_METHOD = "_set_native_id"

_lock = threading.Lock()
_watching: list[ThreadNames] = []
_original: Callable[[Any], None] | None = None


def _announce(thread: threading.Thread) -> None:
    """Replace the method while recordings watch; recordings may end in another order than they began."""
    assert _original is not None
    _original(thread)
    for names in tuple(_watching):
        names.learn(thread)


class ThreadNames:
    """Names of threads that begin between `watch` and `unwatch`.

    `began` is called in each new thread and returns its number, or None if the thread is not wanted.
    """

    def __init__(self, began: Callable[[], int | None]) -> None:
        self._began = began
        self._by_number: dict[int, str] = {}
        self.functions: dict[int, CodeType | None] = {}

    def watch(self) -> None:
        """Start to note names."""
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
        """Stop. The last recording restores the method, unless other code has wrapped it since; then it stays, idle."""
        with _lock:
            if self in _watching:
                _watching.remove(self)
            if not _watching and getattr(threading.Thread, _METHOD, None) is _announce:
                setattr(threading.Thread, _METHOD, _original)

    def learn(self, thread: threading.Thread) -> None:
        """Note the name and the function of the calling thread, which has just started."""
        number = self._began()
        if number is not None:
            self._by_number[number] = thread.name
            self.functions[number] = _function_of(thread)

    def forget(self) -> None:
        """Forget all threads, which do not exist in a child after fork."""
        self._by_number.clear()
        self.functions.clear()

    def resolve(self) -> Callable[[int, int], str]:
        """Return a function (number, native id) -> name; threads older than the watch have their present name."""
        living = {thread.native_id: thread.name for thread in threading.enumerate()}
        living.setdefault(
            os.getpid(), threading.main_thread().name
        )  # after a fork its native id is the parent's
        learned = self._by_number

        def name(number: int, tid: int) -> str:
            return learned.get(number) or living.get(tid) or f"thread {tid}"

        return name


def _function_of(thread: threading.Thread) -> CodeType | None:
    """Return the code that a thread was started to run (target, or its class's `run`); None if it is not Python's."""
    target = vars(thread).get("_target")
    run = type(thread).run
    if target is None and run is not threading.Thread.run:
        target = run
    if type(target) is MethodType:
        target = target.__func__
    return target.__code__ if type(target) is FunctionType else None
