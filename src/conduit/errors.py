"""What can go wrong, one tree under `ConduitError`.

The data's faults live here and carry their position as attributes; the caller's faults are the built-in
`ValueError` and `TypeError`. A message says what was being done, what was found, what was expected and,
where there is one, the remedy. The command line prints it behind `conduit: ` on standard error.
"""

from __future__ import annotations


class ConduitError(Exception):
    """The root of every error that this package raises about data or about the machine; exit status 1."""


class UsageError(ConduitError):
    """A command was called wrongly: unknown flag, missing argument, value of the wrong form; exit status 2."""


class MalformedProfileError(ConduitError):
    """Bytes that are no profile, or a profile that contradicts itself.

    The message is google/pprof's for the same fault. `offset` is where in the (decompressed) data it was found, or
    None where the fault has no single place; `detail` says what was found there and what was expected.
    """

    def __init__(self, message: str, offset: int | None = None, detail: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.detail = detail


class ProfilerBusyError(ConduitError):
    """A profile of the same kind is already being taken in this process; the text names the kind."""


class ProfilerUnavailableError(ConduitError):
    """This kind of profile cannot be taken here: the text says why, and what can be done or used instead."""


class MetadataError(ConduitError):
    """A metadata document that cannot be used.

    `problems` are the faults found, each with its place in front (`resources[3].fields[0].type: expected str, got int`);
    `place` is the first one's path in the document, empty where the fault is not in a value; `offset` the byte, from 0,
    where reading stopped, or None.
    """

    def __init__(self, *problems: str, place: str = "", offset: int | None = None) -> None:
        super().__init__(*problems)
        self.problems = problems
        self.place = place
        self.offset = offset

    def __str__(self) -> str:
        return "\n".join(self.problems)


class BenchmarkFileError(ConduitError):
    """Benchmark text could not be read at all: no such file, not a file, not text."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


class BenchmarkSyntaxError(ConduitError):
    """A line of benchmark text is wrong; the lines around it still count. `str()` is `path:line: message`."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line
        self.message = message


class QuerySyntaxError(ConduitError):
    """A filter or projection is wrong. `offset` counts characters; `str()` shows the place with a caret."""

    def __init__(self, query: str, offset: int, message: str) -> None:
        # Characters that show nothing would push the caret too far to the right.
        column = sum(character.isprintable() for character in query[:offset])
        super().__init__(f"syntax error: {message}\n\t{query}\n\t{' ' * column}^")
        self.query = query
        self.offset = offset
        self.message = message
