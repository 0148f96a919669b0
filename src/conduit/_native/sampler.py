"""The CPU sampler of the C extension: every thread's own timer interrupts it, and its Python stack is noted.

Its law and its limits are in `cpu.c` beside this file. The rest of the package comes here only after asking
`conduit._native.available()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit._native import available, reason

if TYPE_CHECKING:
    from types import CodeType

if available():
    from conduit._native._core import (
        cpu_after_fork_in_child as after_fork_in_child,
    )
    from conduit._native._core import (
        cpu_start as start,
    )
    from conduit._native._core import (
        cpu_stop as stop,
    )
    from conduit._native._core import (
        cpu_thread_began as thread_began,
    )
    from conduit._native._core import (
        line_of,
        symbol_of,
    )


class RawSample(NamedTuple):
    """A stack of one thread, and how long it was seen: `weight` in sampling periods, of which one look may find several.

    `looks` counts the signals that found it, which is what chance goes by. `thread` numbers the threads of one recording from 0, `tid` is the kernel's number; `counter` is the address of
    the machine instruction where counters are kept, else 0; `task` is the asyncio task's name or None; `stack` is
    code, instruction, code, instruction, …, leaf first,
    or None where it could not be read.
    """

    thread: int
    tid: int
    counter: int
    task: str | None
    weight: int
    looks: int
    stack: tuple[CodeType | int, ...] | None


__all__ = [
    "RawSample",
    "after_fork_in_child",
    "available",
    "line_of",
    "reason",
    "start",
    "stop",
    "symbol_of",
    "thread_began",
]
