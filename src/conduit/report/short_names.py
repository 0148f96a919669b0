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
    from collections.abc import Callable, Iterable

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
    ends = {name: _ends(name) for name in interruptible(system_names)}
    counts = Counter(end for of_name in interruptible(ends.values()) for end, _ in of_name)
    return {
        name: ShortName(
            _first_alone(name, ends[name], counts, _is_readable),
            _first_alone(name, ends[name], counts, _is_named),
        )
        for name, system_name in interruptible(system_names.items())
        if system_name and name.endswith(f".{system_name}")
    }


def _first_alone(
    name: str, ends: list[tuple[str, str]], counts: Counter[str], accepts: Callable[[str, str], bool]
) -> str:
    """Return the shortest end of a name that `accepts(end, part before)` and no other name has; else the name."""
    for end, before in ends[:-1]:
        if counts[end] == 1 and accepts(end, before):
            return end
    return name


def _is_readable(end: str, before: str) -> bool:
    is_class = before.isidentifier() and before.lstrip("_")[:1].isupper()
    return _is_named(end, before) and before != "<locals>" and not is_class


def _is_named(end: str, before: str) -> bool:
    return not end.startswith("<")


def _ends(name: str) -> list[tuple[str, str]]:
    """Return the ends of a name, the shortest first, each with the part before it; the last is the name itself."""
    # A search for brackets at each dot takes most of the time, and few names have any.
    parts = _DOT.split(name) if ">" in name or "]" in name else name.split(".")
    end = parts[-1]
    found = []
    for before in parts[-2::-1]:
        found.append((end, before))
        end = f"{before}.{end}"
    return [*found, (end, "")]
