"""Standard output and standard error that were closed before the program started (`>&-`), which Python makes None."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_replaced: set[str] = set()


def replace_closed_streams() -> None:
    """Take their descriptors, which the next opened file would have otherwise.

    Writing to standard output then fails as on a closed descriptor, also in children; what would be said on standard
    error is lost, as before.
    """
    if sys.stdout is None:
        _take_descriptor(1, os.O_RDONLY)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 (open until the program ends)
        _replaced.add("stdout")
    if sys.stderr is None:
        _take_descriptor(2, os.O_WRONLY)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        _replaced.add("stderr")


@contextmanager
def as_started() -> Iterator[None]:
    """A context for a program that this one runs in itself: the streams that were closed are None."""
    ours = {name: getattr(sys, name) for name in _replaced}
    for name in ours:
        setattr(sys, name, None)
    try:
        yield
    finally:
        for name, stream in ours.items():
            if getattr(sys, name) is None:
                setattr(sys, name, stream)


def _take_descriptor(number: int, flags: int) -> None:
    descriptor = os.open(os.devnull, flags)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
