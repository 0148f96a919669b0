"""Recorded stacks as the C extension returns them: columns, with each code object and each place in it once.

`stack_columns.c` beside this file builds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import CodeType


class RawStacks(NamedTuple):
    """Stacks as numbers of places in code, leaf first.

    `places` has two numbers (int32) for each place: the number of its code in `codes`, and its line, which is not above
    0 where it is unknown. `bounds` (int64) is where each stack starts in `frames` (uint32), then where each stops.
    """

    codes: list[CodeType]
    places: bytes
    bounds: bytes
    frames: bytes
