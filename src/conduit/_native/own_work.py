"""What Conduit does in a program's threads, such as starting and ending recordings: kept out of its CPU profiles.

A sample in such work would be dropped, and with it the program's CPU time since the sample before. So the work is
passed over: the thread is not sampled then, and its CPU clock does not count (`cpu.c` beside this file). Without the
extension there are no CPU profiles, and these contexts do nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit._native import available

if TYPE_CHECKING:
    from types import TracebackType

if available():
    from conduit._native._core import cpu_pause, cpu_resume
else:

    def cpu_pause() -> None:
        """Do nothing: there is no sampler."""

    def cpu_resume() -> None:
        """Do nothing: there is no sampler."""


class OwnWork:
    """A context in which the calling thread works for Conduit. It may be entered inside of itself."""

    def __enter__(self) -> None:
        cpu_pause()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cpu_resume()


__all__ = ["OwnWork", "cpu_pause", "cpu_resume"]
