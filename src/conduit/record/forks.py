"""Functions for every forked child, also where C code forks and does not tell the interpreter.

uWSGI forks its workers without notifying the interpreter. With `--py-call-osafterfork` (up to Python 3.12), it
notifies the interpreter after a fork, but never before it. So a lock that is acquired before other forks is not
acquired before these.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from conduit._native import available

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

_hooks: list[_Hook] = []


def watch_forks(in_child: Callable[[], None], lock: threading.RLock | threading.Lock | None = None) -> None:
    """Have a function called in every child that is forked from now on, in the order of these calls.

    The lock is held during a fork and free in the child, also where a thread of the parent held it.
    """
    if not hasattr(os, "register_at_fork"):
        return
    if not _hooks and available():
        from conduit._native import _core

        _core.watch_forks(_run_missed)
    hook = _Hook(in_child, lock)
    _hooks.append(hook)
    os.register_at_fork(before=hook.before, after_in_parent=hook.in_parent, after_in_child=hook.in_child)


class _Hook:
    def __init__(self, call: Callable[[], None], lock: threading.RLock | threading.Lock | None) -> None:
        self._call = call
        self._lock = lock
        self._is_locked = False
        self.pid = os.getpid()  # the process in which the call was made, or is not needed
        self._is_missed = False

    def before(self) -> None:
        if self._lock is not None:
            self._lock.acquire()
            self._is_locked = True

    def in_parent(self) -> None:
        if self._lock is not None:
            self._is_locked = False
            self._lock.release()

    def in_child(self) -> None:
        if self._is_missed and self.pid == os.getpid():
            return  # the interpreter was told of the fork only after it had noticed
        self._is_missed = False
        self._make_call()

    def run_if_missed(self) -> None:
        if self.pid != os.getpid():
            self._is_missed = True
            self._make_call()

    def _make_call(self) -> None:
        self.pid = os.getpid()
        if self._lock is not None and self._is_locked:
            self._is_locked = False
            self._lock.release()
        elif self._lock is not None:
            # It was not taken for this fork: a thread that holds it is one of the parent's.
            self._lock._at_fork_reinit()  # type: ignore[union-attr]
        self._call()


def _run_missed() -> None:
    with ExitStack() as all_of_them:  # an error of one does not keep the others from being run
        for hook in reversed(_hooks):
            all_of_them.callback(hook.run_if_missed)
