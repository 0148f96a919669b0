"""Frames of a running program: function, file, line, first line of the function.

Functions are named by `co_qualname` here; `module_names` adds the modules when a profile is made.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    Frame = tuple[str, str, int, int]

NO_FRAMES: Frame = ("[no Python frames]", "", 0, 0)
OWN_FOLDER = os.path.dirname(__file__) + os.sep  # noqa: PTH120
# Wrapped around every step of a task while waits are recorded, and around functions that `conduit.label` decorates: the
# program's own work runs below these frames.
WRAPPERS = (OWN_FOLDER + "awaits.py", OWN_FOLDER + "labels.py")
MODULE_RUNNER = "<frozen runpy>"
UNREADABLE: Frame = ("[stack could not be read]", "", 0, 0)


class FrameNames:
    """A cache of (code, instruction) to (function, file, line, first line)."""

    def __init__(self, line_of: Callable[[CodeType, int], int]) -> None:
        self._line_of = line_of
        self._frames: dict[tuple[int, int], Frame] = {}
        self._kept: list[
            CodeType
        ] = []  # equal code objects are one key of a dict, so identity is the key here

    def frame(self, code: CodeType, instruction: int) -> Frame:
        """Return the frame of one instruction (offset in bytes) of a code object."""
        key = (id(code), instruction)
        known = self._frames.get(key)
        if known is None:
            self._kept.append(code)
            known = self._frames[key] = frame_of(code, self._line_of(code, instruction))
        return known


def frame_of(code: CodeType, line: int) -> Frame:
    """Return the frame of a line of a code object, of its first line if the line is not known (not above 0)."""
    first_line = code.co_firstlineno
    return code.co_qualname, code.co_filename, line if line > 0 else first_line, first_line


def drop_harness_frames(stack: list[Frame], is_harness: Callable[[str], bool] | None) -> list[Frame]:
    """Return the frames above the innermost harness frame, leaf first, without that frame.

    Empty if the harness itself, or one of Conduit's recordings (its start and stop, its own thread), was running.
    Frames between those of the harness, such as a context manager of the standard library, are dropped as well.
    """
    if any(frame[1].startswith(OWN_FOLDER) for frame in stack):
        stack = [frame for frame in stack if frame[1] not in WRAPPERS]
        if any(frame[1].startswith(OWN_FOLDER) for frame in stack):
            return []
    if is_harness is None:
        return stack
    end = next((at for at, frame in enumerate(stack) if is_harness(frame[1])), len(stack))
    program = end
    while program and stack[program - 1][1] == MODULE_RUNNER:
        program -= 1
    return stack[:program] or stack[:end]  # the runner's own work, before the module's, is the program's time
