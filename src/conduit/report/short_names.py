"""Short names for pictures: `JSONDecoder.raw_decode` for `json.decoder.JSONDecoder.raw_decode`, if no other ends so.

Functions that Conduit recorded have their modules before their names, and the bare name as their system name. Where
space is small, the modules go, unless another function of the profile would then have the same name. Names that other
tools recorded are left as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conduit.profile.model import Function

_DOT = re.compile(r"\.(?![^<\[]*[>\]])")  # none inside `<templates/index.html>` or `In [3]`


class ShortName(NamedTuple):
    """Two shorter forms of a function's name, both meant for it alone: a readable one, and the shortest one."""

    readable: str
    shortest: str


def short_names(functions: Iterable[Function]) -> dict[str, ShortName]:
    """Return the short forms of the names that Conduit recorded.

    The readable one keeps a method's class, and before `<lambda>` and `<module>` the function or module around it.
    """
    system_names = {function.name: function.system_name for function in functions}
    counts = Counter(".".join(end) for name in system_names for end in _ends(name))
    return {
        name: ShortName(_first_alone(name, counts, _is_readable), _first_alone(name, counts, _is_named))
        for name, system_name in system_names.items()
        if system_name and name.endswith(f".{system_name}")
    }


def _first_alone(name: str, counts: Counter[str], accepts: Callable[[list[str], str], bool]) -> str:
    """The shortest end of a name that `accepts(parts, part before)` and no other name has; else the name."""
    parts = _DOT.split(name)
    for start in range(len(parts) - 1, 0, -1):
        end = ".".join(parts[start:])
        if counts[end] == 1 and accepts(parts[start:], parts[start - 1]):
            return end
    return name


def _is_readable(parts: list[str], before: str) -> bool:
    is_class = before.isidentifier() and before.lstrip("_")[:1].isupper()
    return _is_named(parts, before) and before != "<locals>" and not is_class


def _is_named(parts: list[str], before: str) -> bool:
    return not parts[0].startswith("<")


def _ends(name: str) -> Iterator[list[str]]:
    parts = _DOT.split(name)
    return (parts[start:] for start in range(len(parts)))
