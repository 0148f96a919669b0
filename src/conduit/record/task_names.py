"""Tells the CPU sampler where asyncio's tasks keep their coroutine and their name.

The two places are not public and differ from version to version, so they are looked for in a task made for the purpose,
of a loop that only pretends to be one. Where they are not found (a task written in Python), samples have no task label.
"""

from __future__ import annotations

import sys
from typing import Any

_WORD = 8
_offsets: tuple[int, int] | None = None


class _NoLoop:
    """What making a task asks of a loop."""

    def call_soon(self, *_: Any, **__: Any) -> None:
        """Takes the first step, and never makes it."""

    def get_debug(self) -> bool:
        """No."""
        return False


async def _probe() -> None:
    """The coroutine of the task that is looked into."""


def watch_tasks() -> None:
    """Lets the next CPU recording label samples with the names of tasks, if the program uses asyncio at all."""
    tasks = sys.modules.get("asyncio.tasks")
    current = getattr(tasks, "_current_tasks", None)
    if type(current) is not dict:
        return
    offsets = _find_offsets(getattr(tasks, "_CTask", None))
    if offsets is not None:
        from conduit._native import _core

        _core.tasks_watch(current, *offsets)


def _find_offsets(kind: Any) -> tuple[int, int] | None:
    global _offsets
    if _offsets is None and kind is not None:
        import ctypes

        coroutine = _probe()
        task = kind(coroutine, loop=_NoLoop(), name="conduit looks for this name")
        task._log_destroy_pending = False  # it will not run, and nobody should be told that it did not
        size = object.__sizeof__(task)
        words = list((ctypes.c_size_t * (size // _WORD)).from_address(id(task)))
        coroutine.close()
        try:
            _offsets = words.index(id(coroutine)) * _WORD, words.index(id(task.get_name())) * _WORD
        except ValueError:
            return None
    return _offsets
