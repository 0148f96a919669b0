"""Heap profiles: who allocates (`alloc_objects`, `alloc_space`), and whose memory is still there (`inuse_*`).

How it works: the C extension sits before the interpreter's allocators. *Sampled* (the default), a sample falls on
average every 512 KiB, and the values are scaled back by the probability that a block of that size is sampled, as
Go's runtime does; that is cheap enough to leave on. *Exact* (`rate=1`), every block is counted: for benchmarks and
short programs.

Seen is what Python objects and the interpreter itself ask for, from the start of the recording on, and what
extensions report to tracemalloc: the contents of numpy's arrays. Not seen: memory that C libraries and other
extensions take from the system.

Where the extension is missing, tracemalloc answers instead: memory in use only, many times slower, and the profile
says so.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, cast

from conduit._native import available, reason
from conduit.errors import ProfilerUnavailableError
from conduit.record.labels import labels_warning
from conduit.record.naming import NO_FRAMES, FrameNames, drop_harness_frames
from conduit.record.recording import Recording

if TYPE_CHECKING:
    import os
    import tracemalloc
    from collections.abc import Callable, Iterable, Iterator
    from types import CodeType

    from conduit._native.heap import HeapEntry
    from conduit.profile.builder import ProfileBuilder
    from conduit.profile.model import Profile

DEFAULT_RATE_BYTES = 512 * 1024
EXACT = 1
_TRACEMALLOC_FRAMES = 64


class HeapRecording(Recording):
    """A heap profile, as a context manager or between `start()` and `stop()`; `snapshot()` reads it between the two.

    `rate` is the mean distance between samples in bytes; 1 is exact. With `gc_first`, garbage is collected before
    memory in use is read. `default_sample_type` is what a reader shows unless told otherwise (Go: `inuse_space` for
    a heap profile, `alloc_space` for a benchmark's). Of each stack only what lies above the innermost frame whose
    file `is_harness` accepts is kept.
    """

    kind: ClassVar[str] = "heap"

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        rate: int = DEFAULT_RATE_BYTES,
        gc_first: bool = False,
        default_sample_type: str = "",
        is_harness: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__(path)
        if rate < 1:
            raise ValueError(f"the rate must be at least 1 byte, got {rate}")
        self.rate = rate
        self.gc_first = gc_first
        self._default_sample_type = default_sample_type
        self._is_harness = is_harness
        self._engine: _Engine = _Hooks(rate) if available() else _Tracemalloc()

    def snapshot(self) -> Profile:
        """The profile so far; the recording goes on. Raises `RuntimeError` where it is not running."""
        if not self.is_running:
            raise RuntimeError("this heap profile is not being taken: start() comes first")
        self._look()
        return self._build()

    def count_sites(self) -> int:
        """How many entries the profile is made of, without making it. Raises `RuntimeError` where it is not running."""
        if not self.is_running:
            raise RuntimeError("this heap profile is not being taken: start() comes first")
        return self._engine.count_sites()

    def _begin(self) -> None:
        self._engine.start()

    def _continue_in_child(self) -> None:
        """Begin from nothing where the child has a file of its own; otherwise inherited memory stays in use there."""
        if self.path is not None:
            self._engine.stop()
            self._engine.start()

    def _give_up_in_child(self) -> None:
        self._engine.stop()

    def _halt(self) -> None:
        try:
            self._look()
        finally:
            self._engine.stop()

    def _look(self) -> None:
        if self.gc_first:
            import gc

            gc.collect()
        self._engine.look()

    def _build(self) -> Profile:
        from conduit.profile.builder import ProfileBuilder
        from conduit.profile.model import ValueType
        from conduit.record.module_names import ModuleNames

        types = [ValueType(*kind) for kind in self._engine.sample_types]
        builder = ProfileBuilder(
            types,
            period_type=ValueType("space", "bytes"),
            period=self._engine.rate,
            default_sample_type=self._default_sample_type,
            name_function=ModuleNames.of_this_process(),
        )
        self.warnings: list[str] = self._engine.add_to(builder, self._is_harness)
        return builder.build(time.time_ns(), comments=self.warnings)


class _Engine:
    """What a recording needs of whatever records."""

    sample_types: tuple[tuple[str, str], ...]
    rate: int

    def start(self) -> None:
        raise NotImplementedError

    def look(self) -> None:
        """Notes what has been recorded so far."""
        raise NotImplementedError

    def count_sites(self) -> int:
        """How many entries there are now."""
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def add_to(self, builder: ProfileBuilder, is_harness: Callable[[str], bool] | None) -> list[str]:
        """Adds what was noted and returns what should be known before believing it."""
        raise NotImplementedError


class _Hooks(_Engine):
    """The C extension."""

    sample_types = (
        ("alloc_objects", "count"),
        ("alloc_space", "bytes"),
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    )

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._entries: list[HeapEntry] = []
        self._dropped = 0
        self._reports_heard = True

    def start(self) -> None:
        from conduit._native import heap

        try:
            heap.start(self.rate)
        except RuntimeError as error:
            raise ProfilerUnavailableError(f"no heap profile can be taken: {error}") from None

    def look(self) -> None:
        from conduit._native import heap

        entries, self._dropped, self._reports_heard = heap.read()
        self._entries = [heap.HeapEntry(*entry) for entry in entries]

    def count_sites(self) -> int:
        from conduit._native import heap

        return len(heap.read()[0])

    def stop(self) -> None:
        from conduit._native import heap

        heap.stop()

    def add_to(self, builder: ProfileBuilder, is_harness: Callable[[str], bool] | None) -> list[str]:
        from conduit._native import heap

        names = FrameNames(heap.line_of)
        for entry in self._entries:
            places = entry.stack
            frames = [
                names.frame(cast("CodeType", places[at]), cast("int", places[at + 1]))
                for at in range(0, len(places), 2)
            ]
            kept = drop_harness_frames(frames, is_harness)
            if frames and not kept:
                continue
            builder.add(
                kept or [NO_FRAMES], scaled(entry, self.rate), dict(entry.labels), {"bytes": entry.size}
            )
        self._entries = []
        unlabelled = labels_warning()
        warnings = [unlabelled] if unlabelled else []
        if self._dropped:
            warnings.append(
                f"{self._dropped} samples were dropped: no memory to note them, or asked for without the "
                "interpreter's lock"
            )
        if not self._reports_heard:
            warnings.append(
                "the contents of numpy's arrays are missing: this system does not let the calls that report "
                "them be intercepted"
            )
        return warnings


def scaled(entry: HeapEntry, rate: int) -> list[int]:
    """The four values with the unsampled blocks estimated: divided by the chance of being sampled, truncated.

    A block of n bytes is sampled with probability 1 - exp(-n / rate), as sample points are a Poisson process; at
    rate 1 every block was counted (Go's `scaleHeapSample`). Blocks of one entry are nearly of one size: their mean
    serves.
    """
    values = list(entry[1:5])
    if rate <= EXACT or not entry.alloc_objects or not entry.alloc_space:
        return values
    factor = 1 / -math.expm1(-entry.alloc_space / entry.alloc_objects / rate)
    return [int(value * factor) for value in values]


class _Tracemalloc(_Engine):
    """The standard library's tracer: live blocks with file and line, and no function names."""

    sample_types = (("inuse_objects", "count"), ("inuse_space", "bytes"))
    rate = EXACT

    def __init__(self) -> None:
        self._was_tracing = False
        self._traces: Iterable[tracemalloc.Trace] = ()

    def start(self) -> None:
        import tracemalloc

        self._was_tracing = tracemalloc.is_tracing()
        if not self._was_tracing:
            tracemalloc.start(_TRACEMALLOC_FRAMES)

    def look(self) -> None:
        import tracemalloc

        self._traces = tracemalloc.take_snapshot().traces

    def count_sites(self) -> int:
        import tracemalloc

        return len(tracemalloc.take_snapshot().traces)

    def stop(self) -> None:
        import tracemalloc

        if not self._was_tracing:
            tracemalloc.stop()

    def add_to(self, builder: ProfileBuilder, is_harness: Callable[[str], bool] | None) -> list[str]:
        for trace in self._traces:
            frames = [
                (f"[{frame.filename.rpartition('/')[2]}]", frame.filename, frame.lineno, 0)
                for frame in reversed(trace.traceback)
            ]
            kept = drop_harness_frames(frames, is_harness)
            if kept:
                builder.add(kept, [1, trace.size], numeric_labels={"bytes": trace.size})
        unlabelled = labels_warning()
        limits = f"memory in use only, by file and line, from tracemalloc: {reason()}"
        return [limits, unlabelled] if unlabelled else [limits]


@contextmanager
def unsampled() -> Iterator[None]:
    """What this thread allocates inside is in no heap profile: for work that is not the program's own.

    Without it a service that is asked for its profiles often would mostly see how those are made.
    """
    if not available():
        yield
        return
    from conduit._native import heap

    was_paused = heap.pause(True)
    try:
        yield
    finally:
        heap.pause(was_paused)


def heap(
    path: str | os.PathLike[str] | None = None,
    *,
    rate: int = DEFAULT_RATE_BYTES,
    gc_first: bool = False,
    default_sample_type: str = "",
    is_harness: Callable[[str], bool] | None = None,
) -> HeapRecording:
    """A heap profile into `path`: `with conduit.record.heap("heap.prof"): …`. See `HeapRecording`."""
    return HeapRecording(
        path, rate=rate, gc_first=gc_first, default_sample_type=default_sample_type, is_harness=is_harness
    )
