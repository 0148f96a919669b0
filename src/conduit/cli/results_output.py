"""Where the results of `conduit bench` go, kept apart from whatever benchmarks print; and its progress line."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from conduit.control_characters import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

QUIET_S = 1.0


@contextlib.contextmanager
def results_alone_on_stdout() -> Iterator[TextIO]:
    """Yield the stream for results; until it ends, all else written to standard output goes to standard error.

    This holds for `print`, for C code and for child processes: file descriptor 1 itself is lent.
    """
    results = sys.stdout
    results.flush()
    if not _is_standard_output(results):
        # sys.stdout was replaced: there is no descriptor to lend.
        with contextlib.redirect_stdout(sys.stderr):
            yield results
        return
    kept = os.dup(1)
    private = os.fdopen(os.dup(1), "w", encoding=results.encoding, errors="backslashreplace")
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield private
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        private.close()


def _is_standard_output(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 1
    except (OSError, ValueError):
        return False


class Results:
    """Writes results at once, so that a reader at the end of a pipe sees them come; keeps a copy for `-o`."""

    def __init__(self, stream: TextIO, keeps_copy: bool) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._copy: list[str] | None = [] if keeps_copy else None
        self.progress = Progress(sys.stderr)

    def write(self, text: str) -> None:
        """Write a piece of output."""
        self.progress.clear()
        self._stream.write(printable(text) if self._is_terminal else text)
        self._stream.flush()
        if self._copy is not None:
            self._copy.append(text)

    def copy(self) -> bytes:
        """Everything written so far."""
        return "".join(self._copy or ()).encode()


class Progress:
    """One line on standard error that names the current step: only on a terminal, and only after a second."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_shown = stream.isatty()
        self._since = time.monotonic()
        self._has_line = False

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._is_shown and time.monotonic() - self._since > QUIET_S:
            self._stream.write(f"\r\x1b[K{printable(text)[:100]}")
            self._stream.flush()
            self._has_line = True

    def clear(self) -> None:
        """Take the line away before something else is written."""
        if self._has_line:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._has_line = False
