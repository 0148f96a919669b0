"""How a program under `conduit run` may leave: by a signal that ends it, or through its functions for `atexit`.

A signal that would end the program ends its recordings first, so that the profiles are written whole; then it has its
usual effect, and the parent sees the usual exit status. A program that handles the signal itself is left alone; servers
that do so and raise the signal again once they have shut down (uvicorn) come back here.
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from conduit._native import repeated_signals
from conduit._native.own_work import OwnWork
from conduit.errors import ConduitError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a program to end, and end one that does not handle them."""


class EndedBySignals:
    """A context in which `end` is called before SIGTERM or SIGHUP ends the program.

    Where `end` is under way already, it returns False; the signal then has its effect when this context is left.
    """

    def __init__(self, end: Callable[[], bool]) -> None:
        self._end = end
        self._installed: list[int] = []
        self._pending = 0

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may set handlers
        for number in ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._leave)
                repeated_signals.repeat(number)
                self._installed.append(number)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self._installed:
            if signal.getsignal(number) == self._leave:
                signal.signal(number, signal.SIG_DFL)
        if self._pending:
            signal.raise_signal(self._pending)

    def _leave(self, number: int, frame: FrameType | None) -> None:
        with OwnWork():
            repeated_signals.handled(number)
            try:
                if not self._end():
                    self._pending = number
                    return
            except ConduitError as error:
                print(f"conduit: {error}", file=sys.stderr)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)


def leave_by_interrupt() -> int:
    """End as a program does that Ctrl-C ends: by the signal, which the parent sees; return only if that is blocked."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.raise_signal(signal.SIGINT)
    return 130


def stop_program_timers() -> None:
    """Stop the timers of CPU time that the program left running.

    The interpreter takes their handlers away before it is gone itself, and the next signal would kill it: without
    profiles to write it is gone before. A timer of real time ends a program without this command, too.
    """
    for timer in (signal.ITIMER_PROF, signal.ITIMER_VIRTUAL):
        signal.setitimer(timer, 0)
