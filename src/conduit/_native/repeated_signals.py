"""Signals that are sent again until their handlers in Python run (`repeated_signals.c`)."""

from __future__ import annotations

from conduit._native import available

if available():
    from conduit._native._core import signal_handled as handled
    from conduit._native._core import signal_repeat as repeat
else:

    def repeat(number: int, /) -> bool:
        """Send a signal again until `handled` is called. Return False where it is sent once, as here."""
        return False

    def handled(number: int, /) -> None:
        """Say that the handler of a signal runs."""


__all__ = ["handled", "repeat"]
