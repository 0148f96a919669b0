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
