"""Standard output and standard error that were closed before the program started (`>&-`), which Python makes None."""

from __future__ import annotations

import os
import sys


def replace_closed_streams() -> None:
    """Take their descriptors, which the next opened file would have otherwise.

    Writing to standard output then fails as on a closed descriptor, also in children; what would be said on standard
    error is lost, as before.
    """
    if sys.stdout is None:
        _take_descriptor(1, os.O_RDONLY)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 (open until the program ends)
    if sys.stderr is None:
        _take_descriptor(2, os.O_WRONLY)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _take_descriptor(number: int, flags: int) -> None:
    descriptor = os.open(os.devnull, flags)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
