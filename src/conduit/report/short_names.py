"""Short names for drawings: `JSONDecoder.raw_decode` for `json.decoder.JSONDecoder.raw_decode`.

Functions recorded by Conduit have their module in the name, and the bare name as system name. In drawings the module is
omitted, unless another function in the profile would then have the same name. Names recorded by other tools are not
changed.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from conduit.interruption import interruptible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conduit.profile.model import Function

_DOT = re.compile(r"\.(?![^<\[]*[>\]])")  # none inside `<templates/index.html>` or `In [3]`


class ShortName(NamedTuple):
    """Two unique shorter forms of a function's name: a readable one, and the shortest one."""

    readable: str
    shortest: str


def short_names(functions: Iterable[Function]) -> dict[str, ShortName]:
    """Return {name: short forms} for the names that Conduit recorded.

    The readable form keeps a method's class, and the function or module before `<lambda>` and `<module>`.
    """
    system_names = {function.name: function.system_name for function in interruptible(functions)}
    counts = Counter(".".join(end) for name in interruptible(system_names) for end in _ends(name))
    return {
        name: ShortName(_first_alone(name, counts, _is_readable), _first_alone(name, counts, _is_named))
        for name, system_name in interruptible(system_names.items())
        if system_name and name.endswith(f".{system_name}")
    }


def _first_alone(name: str, counts: Counter[str], accepts: Callable[[list[str], str], bool]) -> str:
    """Return the shortest end of a name that `accepts(parts, part before)` and no other name has; else the name."""
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
