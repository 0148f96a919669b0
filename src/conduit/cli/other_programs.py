"""Programs of machine code under `conduit run -children`: run as a child whose Python is recorded.

A server such as uWSGI embeds an interpreter, which starts with our hook as any other does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from conduit.cli.leaving import ENDING

if TYPE_CHECKING:
    from types import FrameType

_PASSED_ON = (signal.SIGINT, *ENDING)


def run_other_program(words: list[str]) -> None:
    """Run a program to its end, pass on the signals that ask to end, and leave with its status.

    Where one of these has ended it, this process ends by it, too; for other signals the status is 128 and the number.
    """
    process: subprocess.Popen[bytes] | None = None
    came_early: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        if process is None:
            came_early.append(number)
        # A terminal sends Ctrl-C to both.
        elif number != signal.SIGINT or not _is_in_foreground():
            process.send_signal(number)

    # A program started by nohup goes on ignoring SIGHUP.
    passed_on = [number for number in _PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN]
    # Before the program starts, so that no signal ends this process alone and leaves the program behind.
    earlier = {number: signal.signal(number, pass_on) for number in passed_on}
    try:
        process = subprocess.Popen(words)
    except OSError as error:
        print(f"conduit run: {words[0]}: {error.strerror}", file=sys.stderr)
        raise SystemExit(1) from None
    for number in came_early:
        pass_on(number, None)
    status = process.wait()
    for number, handler in earlier.items():
        signal.signal(number, handler)
    if -status in _PASSED_ON:
        signal.raise_signal(-status)
    raise SystemExit(status if status >= 0 else 128 - status)


def _is_in_foreground() -> bool:
    """Return whether this process gets the signals of a terminal's keys."""
    with suppress(OSError):
        return os.tcgetpgrp(sys.__stdin__.fileno() if sys.__stdin__ else -1) == os.getpgrp()
    return False
