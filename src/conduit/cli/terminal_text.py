"""Output of commands on a terminal: text that others may have written is never obeyed by it.

`guard_streams` applies to everything that a command prints. Commands that run another's code in this process (`run`,
`bench`) keep their streams, since that code may use the terminal as it likes; they print messages with `complain`.
"""

from __future__ import annotations

import io
import sys

from conduit.control_characters import GuardedStream, printable

TYPE_CHECKING = False  # `typing` would slow the start of every command; type checkers know this name
if TYPE_CHECKING:
    from typing import IO, TextIO


def printable_on_terminal(data: bytes, stream: IO[str]) -> bytes:
    """Return UTF-8 text for a stream: unchanged for a file or a pipe, as `printable` makes it for a terminal."""
    if not stream.isatty():
        return data
    return printable(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def complain(text: str) -> None:
    """Print a line on standard error that may hold what others wrote; none if the program has closed it."""
    if sys.stderr is None:
        return
    try:
        print(printable(text), file=sys.stderr, flush=True)
    except (OSError, ValueError):  # the descriptor, or the stream, is closed
        return


def guard_streams() -> None:
    """Guard standard error, and standard output where it is a terminal: files and pipes get data as it is."""
    if sys.stdout.isatty():
        sys.stdout = _guarded(sys.stdout)
    sys.stderr = _guarded(sys.stderr)


def _guarded(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):  # a caller's own
        return stream
    encoding, errors = stream.encoding, stream.errors
    line_buffering, write_through = stream.line_buffering, stream.write_through
    return GuardedStream(
        stream.detach(), encoding, errors, line_buffering=line_buffering, write_through=write_through
    )
