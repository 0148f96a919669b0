"""Checks at first use that the extension reads this interpreter's frames and tasks as the interpreter itself does.

The extension is built for one minor version, and point releases may change internals. A known stack and a known task
are read both ways before the first profile; if the answers differ, that kind of profile is refused. (Locks are
checked in `lock_objects.c`.) Each check takes less than a millisecond and runs once in a process.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import CodeType, FrameType

    _Stack = tuple[CodeType | int, ...]
    _OwnStack = tuple[_Stack, _Stack | None, tuple[int, ...], str]

_MAX_DEPTH = 512
_MAX_COROUTINES = 16
_frames: str | None = None


def require_frames() -> None:
    """Raise `RuntimeError` with a sentence that names the version, if this interpreter's frames are read wrongly."""
    global _frames
    if _frames is None:
        _frames = _check_frames()
    if _frames:
        raise RuntimeError(_frames)


def sentence(subject: str) -> str:
    """Return the reason for refusing profiles because `subject` is not as this version of conduit knows it."""
    version = sys.version.split()[0]
    return (
        f"{subject} of Python {version} are not as this version of conduit knows them; "
        "install a newer conduit, or use another point release of Python"
    )


def _check_frames() -> str:
    walk = _known_generator()
    (plain, interrupted, coroutines, _), expected = next(walk)
    same = _is_same(plain, expected) and interrupted is not None and _is_same(interrupted, expected)
    same = same and (
        id(walk) in coroutines or len(coroutines) == _MAX_COROUTINES
    )  # only the outermost are kept
    walk.close()
    return "" if same else sentence("the frames")


def _known_generator() -> Generator[tuple[_OwnStack, list[tuple[CodeType, int]]]]:
    from conduit._native import _core

    yield _core.own_stack(), _interpreters_answer(sys._getframe())


def _interpreters_answer(frame: FrameType | None) -> list[tuple[CodeType, int]]:
    answer: list[tuple[CodeType, int]] = []
    while frame is not None and len(answer) < _MAX_DEPTH:
        answer.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return answer


def _is_same(stack: _Stack, expected: list[tuple[CodeType, int]]) -> bool:
    """Return whether both have the same frames; the innermost one has gone on between the two answers."""
    codes, instructions = stack[::2], stack[1::2]
    return (
        len(codes) == len(expected)
        and all(code is other for code, (other, _) in zip(codes, expected, strict=True))
        and list(instructions[1:]) == [instruction for _, instruction in expected[1:]]
    )
