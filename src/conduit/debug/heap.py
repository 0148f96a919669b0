"""Heap sampling shared by all debug endpoints: starts with the first, stops with the last.

Go always samples the heap; here sampling begins with the endpoint, so `alloc_*` counts from then on. If the program
records its heap itself, that recording is read. Allocations made by the endpoint's own answers are excluded. Without
the extension nothing is sampled, and the profile is empty and says why: tracemalloc is far too slow to leave on.
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
_users = 0
_recording: HeapRecording | None = None


def start_sampling(rate_bytes: int = DEFAULT_RATE_BYTES) -> None:
    """Start to sample unless a recording runs already; a rate of 0 samples nothing."""
    global _users, _recording
    with _lock:
        _users += 1
        if _recording is not None or not rate_bytes or not available():
            return
        recording = HeapRecording(rate=rate_bytes)
        try:
            recording.start()
        except ProfilerBusyError:
            return  # the program records its heap itself: that recording is read
        _recording = recording


def stop_sampling() -> None:
    """Stop to sample when the last endpoint closes."""
    global _users, _recording
    with _lock:
        _users -= 1
        if _users == 0 and _recording is not None:
            if _recording.is_running:
                _recording.stop()
            _recording = None


def heap_profile() -> Profile:
    """Return the heap profile, memory in use as its default sample type, like Go's `heap`."""
    return _profile("")


def allocs_profile() -> Profile:
    """Return the same samples, allocations as the default sample type, like Go's `allocs`."""
    return _profile("alloc_space")


def count_sites() -> int:
    """Return the number of sampled sites; a site is a stack and a block size."""
    recording = running("heap")
    return recording.count_sites() if isinstance(recording, HeapRecording) and available() else 0


def collect_garbage() -> None:
    """Run a full collection, for `heap?gc=1`."""
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
