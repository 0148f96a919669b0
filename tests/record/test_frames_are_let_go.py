"""A recording or a dump keeps no frame of the program, and nothing that a frame holds, until a garbage collection."""

from __future__ import annotations

import gc
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from conduit.record import threads
from conduit.record.wall import WallRecording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def frames_left() -> Iterator[Callable[[], list[str]]]:
    """The functions whose frames only a garbage collection can free; none runs before it is called."""
    # pytest lets go of a failed test's frames only after the fixtures of the next one: in the middle of what is looked
    # at here.
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        vars(sys).pop(name, None)
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()

    def find() -> list[str]:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        gc.set_debug(0)
        found = [item.f_code.co_name for item in gc.garbage if isinstance(item, FrameType)]
        gc.garbage.clear()
        return found

    yield find
    if was_enabled:
        gc.enable()
    gc.collect()


def test_looks_of_a_wall_recording_leave_no_frames(frames_left: Callable[[], list[str]]) -> None:
    recording = WallRecording(rate_hz=100)
    recording._seen = {}  # looks at this thread, without a thread of its own

    def look() -> None:
        for _ in range(20):
            recording._sample(threading.get_ident(), 10_000_000)

    other = threading.Thread(target=look)
    other.start()
    other.join()
    assert recording._seen
    assert frames_left() == []


def test_a_dump_of_all_threads_leaves_no_frames(frames_left: Callable[[], list[str]]) -> None:
    for _ in range(5):
        names = [frame.function for stack in threads.dump().threads for frame in stack.frames]
        assert any("leaves_no_frames" in name for name in names)
    assert frames_left() == []
