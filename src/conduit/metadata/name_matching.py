"""How names and HTTP methods that are asked for are compared with those of a document."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` would slow the start of every command; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable


def upper_method(method: str) -> str:
    """Return the method in upper case, converted per character as in Go (`ß` stays `ß`)."""
    upper = method.upper()
    if len(upper) == len(method):
        return upper
    return "".join([each if len(each.upper()) > 1 else each.upper() for each in method])


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a predicate: whether a name equals `pattern` or matches it as a glob."""
    if not any(sign in pattern for sign in "*?["):
        return pattern.__eq__
    import re
    from fnmatch import translate

    fits = re.compile(translate(pattern)).match
    return lambda name: fits(name) is not None or name == pattern
