"""The heap's sampling while a program serves its profiles: on from the first door that is opened until the last closes.

Go samples the heap always; here it begins with the endpoint, so `alloc_*` counts from then on. A heap recording that the
program started itself is read instead. Left out is what the answers themselves allocate. Where the extension is missing nothing is sampled, and the profile is empty
and says why: tracemalloc would be far too slow to leave on.
"""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

from conduit._native import available, reason
from conduit.errors import ProfilerBusyError
from conduit.record.heap import DEFAULT_RATE_BYTES, HeapRecording
from conduit.record.recording import running

if TYPE_CHECKING:
    from conduit.profile.model import Profile

_TYPES = (
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
)

_lock = threading.Lock()
_doors = 0
_recording: HeapRecording | None = None


def open_door(rate_bytes: int = DEFAULT_RATE_BYTES) -> None:
    """Begins to sample unless something samples already; a rate of 0 samples nothing."""
    global _doors, _recording
    with _lock:
        _doors += 1
        if _recording is not None or not rate_bytes or not available():
            return
        recording = HeapRecording(rate=rate_bytes)
        try:
            recording.start()
        except ProfilerBusyError:
            return  # the program records its heap itself: that recording is read
        _recording = recording


def close_door() -> None:
    """Ends the sampling with the last door."""
    global _doors, _recording
    with _lock:
        _doors -= 1
        if _doors == 0 and _recording is not None:
            if _recording.is_running:
                _recording.stop()
            _recording = None


def heap_profile() -> Profile:
    """Memory in use first (what a reader shows unless told otherwise), as Go's `heap`."""
    return _profile("")


def allocs_profile() -> Profile:
    """The same samples, allocations first, as Go's `allocs`."""
    return _profile("alloc_space")


def count_sites() -> int:
    """How many sites are sampled: a stack and a size of block each."""
    recording = running("heap")
    return recording.count_sites() if isinstance(recording, HeapRecording) and available() else 0


def collect_garbage() -> None:
    """What `heap?gc=1` asks for."""
    gc.collect()


def _profile(default_sample_type: str) -> Profile:
    recording = running("heap")
    if isinstance(recording, HeapRecording) and available():
        profile = recording.snapshot()
        profile.default_sample_type = default_sample_type
        return profile
    return _nothing(default_sample_type)


def _nothing(default_sample_type: str) -> Profile:
    from conduit.profile.builder import ProfileBuilder
    from conduit.profile.model import ValueType

    builder = ProfileBuilder(
        [ValueType(*kind) for kind in _TYPES],
        period_type=ValueType("space", "bytes"),
        period=DEFAULT_RATE_BYTES,
        default_sample_type=default_sample_type,
    )
    why = reason() or "the heap is not being sampled: serve(heap_rate_bytes=524288) turns it on"
    return builder.build(comments=[f"no heap samples: {why}"])
