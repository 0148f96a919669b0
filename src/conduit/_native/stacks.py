"""The loops over every frame of every sample of a profile, in C: reading stacks, and summing them.

They are an order of magnitude faster than the same loops in Python, and optional: where the extension is not loaded,
or a function returns None, the caller runs the loop in Python.

    read_sample(data, start, stop, table)
        The sample in data[start:stop] as (locations, values, undecoded labels), where `table[id]` is the location
        with that id or None. None for a sample that is malformed or not in the form that writers use.
    sum_stacks(stacks, values, frames_of, count)
        (flat, cum): lists by frame number below `count`. `stacks` are lists of locations, leaf first, with one of
        `values` each; `frames_of[location]` is a tuple of frame numbers, innermost first. None where a sum does not
        fit into 64 bits.
    sum_calls(stacks, values, steps_of, count)
        (flat, cum, calls): the same, and a row for each call in order of first use: caller * count + callee, its sum,
        whether it ever was a real call, and whether a frame between the two was ever left out. `steps_of[location]`
        is ordered from the caller inwards: -1 for a frame that is left out, else twice its number, plus one if it is
        inlined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit._native import available

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    ReadSample = Callable[[bytes, int, int, list[Any]], tuple[list[Any], list[int], list[bytes]] | None]
    SumStacks = Callable[
        [list[Any], list[int], dict[Any, tuple[int, ...]], int], tuple[list[int], list[int]] | None
    ]

    SumCalls = Callable[
        [list[Any], list[int], dict[Any, tuple[int, ...]], int],
        tuple[list[int], list[int], list[tuple[int, int, bool, bool]]] | None,
    ]

read_sample: ReadSample | None = None
sum_calls: SumCalls | None = None
sum_stacks: SumStacks | None = None
if available():
    from conduit._native._core import read_sample, sum_calls, sum_stacks

__all__ = ["available", "read_sample", "sum_calls", "sum_stacks"]
