"""A benchmark run that a signal ends: what was measured is kept, and says that it is cut."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from conduit.cli.leaving import ENDING

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from conduit.bench.run.transcript import JsonSink, TextSink


class CutBySignal:
    """A context in which SIGTERM and SIGHUP end the run as Ctrl-C does, by `KeyboardInterrupt`.

    When that has left the context, the signal has its own effect.
    """

    def __init__(self) -> None:
        self._installed: list[int] = []
        self._number = 0

    def __enter__(self) -> CutBySignal:
        if threading.current_thread() is threading.main_thread():  # only it may set handlers
            for number in ENDING:
                if signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, self._interrupt)
                    self._installed.append(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self._installed:
            signal.signal(number, signal.SIG_DFL)
        if self._number:
            signal.raise_signal(self._number)

    def tell(self, sink: TextSink | JsonSink) -> None:
        """Write the mark as a configuration line, which readers of the format pass over at the end of a file."""
        name = signal.Signals(self._number or signal.SIGINT).name
        sink.output(f"cut: by {name}; benchmarks that were still to run are missing\n")

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._number = number
        raise KeyboardInterrupt
