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

    `problems`: the faults, each after its path (`resources[3].fields[0].type: expected str, got int`). `path`: the
    path of the first fault, empty when the fault is not in a value. `offset`: the byte, from 0, where reading
    stopped, or None.
    """

    def __init__(self, *problems: str, path: str = "", offset: int | None = None) -> None:
        super().__init__(*problems)
        self.problems = problems
        self.path = path
        self.offset = offset

    def __str__(self) -> str:
        return "\n".join(self.problems)


class ConfigurationError(UsageError):
    """A table of `pyproject.toml` says something that it cannot say; the text has its place."""


class BenchmarkMisuseError(ConduitError):
    """A benchmark used its `b` in a way that measures nothing; the text says what to write instead."""


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


class NotFoundError(ConduitError, LookupError):
    """A name that the registry does not have.

    Made from what was looked for (`resource`, `pattern`), its name, and a weak reference to where it was looked for:
    names that are near it are sought only when they are read, since looking up is hot and reading is not.
    """

    @property
    def kind(self) -> str:
        """What was looked for, such as `resource`."""
        return str(self.args[0])

    @property
    def name(self) -> str:
        """The name that is not there."""
        return str(self.args[1])

    @property
    def available(self) -> tuple[str, ...]:
        """The names that are there; empty when the registry itself is gone."""
        searched = self.args[2]
        if isinstance(searched, tuple):
            return searched
        document = searched()
        return () if document is None else document.names(self.kind)

    @property
    def near(self) -> tuple[str, ...]:
        """Up to three names that are there and resemble this one, the nearest first."""
        return near_names(self.name, self.available)

    def __str__(self) -> str:
        available = self.available
        text = f"{self.kind} not found: {self.name!r}{suggestion(self.name, available)}"
        if not available:
            return f"{text}; there are none"
        shown = ", ".join(sorted(available)[:10])
        more = f" and {len(available) - 10:,} more" if len(available) > 10 else ""
        return f"{text} (there {'is' if len(available) == 1 else 'are'} {len(available):,}: {shown}{more})"

    def __repr__(self) -> str:
        return f"NotFoundError({self.kind!r}, {self.name!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return NotFoundError, (self.kind, self.name, self.available)


class NotRegisteredError(ConduitError):
    """There is no registry yet: nothing was registered in this process."""

    def __init__(self) -> None:
        super().__init__(
            "no metadata is registered in this process: conduit.register('metadata.json') loads a document and "
            "registers"
            " it; `conduit collect` makes one"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return NotRegisteredError, ()


def near_names(name: str, names: tuple[str, ...], count: int = 3) -> tuple[str, ...]:
    """Those of `names` that resemble `name`, at most `count`, the nearest first; letters' case does not matter."""
    from difflib import get_close_matches

    lower = name.lower()
    spellings: dict[str, str] = {}
    for candidate in names:
        if (
            2 * abs(len(candidate) - len(name)) <= len(name) + 2
        ):  # the matcher's own bound would refuse most others
            spellings.setdefault(candidate.lower(), candidate)
    if len(spellings) > _COMPARED_NAMES:
        letters = set(lower)
        nearest = sorted(spellings, key=lambda each: len(letters.symmetric_difference(each)))[
            :_COMPARED_NAMES
        ]
        spellings = {each: spellings[each] for each in nearest}
    return tuple([spellings[each] for each in get_close_matches(lower, spellings, count)])


def suggestion(name: str, names: tuple[str, ...], count: int = 3, sign: str = "") -> str:
    """Return the end of a not-found message: `; did you mean A or B?`.

    Each name stands behind `sign`. Empty if no name is near.
    """
    near = " or ".join([sign + each for each in near_names(name, names, count)])
    return f"; did you mean {near}?" if near else ""


_COMPARED_NAMES = 200
"""Comparing two names letter by letter takes 15 µs; among more names than this, those with the most letters in
common."""
