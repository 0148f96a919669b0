"""Heap profiles: where memory is allocated (`alloc_objects`, `alloc_space`), and which of it is in use (`inuse_*`).

How it works: the C extension hooks the interpreter's allocators. In *sampled* mode (the default), one sample is taken
for every 512 KiB allocated on average, and values are scaled up by the probability that a block of that size is
sampled, as in Go's runtime; its cost is low enough for production. In *exact* mode (`rate=1`), every block is counted,
for benchmarks and short programs.

The profile covers memory that Python objects and the interpreter request after the start of the recording, and memory
that extensions report to tracemalloc, such as the contents of numpy's arrays. It does not cover memory that C libraries
and other extensions take from the system.

If the extension is missing, tracemalloc is used instead. The profile then has only memory in use, recording is many
times slower, and a warning in the profile says so.
"""

from __future__ import annotations

import math
import time
from array import array
from contextlib import contextmanager
from itertools import compress
from typing import TYPE_CHECKING, ClassVar

from conduit._native import available, reason
from conduit.errors import ProfilerUnavailableError
from conduit.record.labels import labels_warning
from conduit.record.naming import NO_FRAMES, drop_harness_frames
from conduit.record.recording import Recording
from conduit.units import counted

if TYPE_CHECKING:
    import os
    import tracemalloc
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from conduit._native.heap import HeapSites
    from conduit.profile.builder import ProfileBuilder
    from conduit.profile.model import Profile

DEFAULT_RATE_BYTES = 512 * 1024
EXACT = 1
_TRACEMALLOC_FRAMES = 64


class HeapRecording(Recording):
    """A heap profile, as a context manager or between `start()` and `stop()`; `snapshot()` reads it in between.

    `rate` is the mean number of bytes between samples; 1 is exact. With `gc_first`, garbage is collected before memory
    in use is read. `default_sample_type` is what a reader shows by default (as in Go, `inuse_space` for a heap profile,
    `alloc_space` for that of a benchmark). Frames at or below the innermost frame for which `is_harness(filename)` is
    true are dropped. The four values of a sample are objects and bytes allocated, objects and bytes in use.
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
        """Return the profile so far; the recording continues. Raise `RuntimeError` if it is not running."""
        if not self.is_running:
            raise RuntimeError("this heap profile is not being taken: start() comes first")
        self._read()
        return self._build()

    def count_sites(self) -> int:
        """Return the number of entries of the profile, without building it. Raise `RuntimeError` if not running."""
        if not self.is_running:
            raise RuntimeError("this heap profile is not being taken: start() comes first")
        return self._engine.count_sites()

    def _begin(self) -> None:
        self._engine.start()

    def _continue_in_child(self) -> None:
        """Start again without samples if the child has a file of its own; otherwise inherited memory stays in use."""
        if self.path is not None:
            self._engine.stop()
            self._engine.start()

    def _give_up_in_child(self) -> None:
        self._engine.stop()

    def _halt(self) -> None:
        try:
            self._read()
        finally:
            self._engine.stop()

    def _read(self) -> None:
        if self.gc_first:
            import gc

            gc.collect()
        self._engine.read()

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
    """The interface of a recorder of allocations."""

    sample_types: tuple[tuple[str, str], ...]
    rate: int

    def start(self) -> None:
        raise NotImplementedError

    def read(self) -> None:
        """Read what has been recorded so far."""
        raise NotImplementedError

    def count_sites(self) -> int:
        """Return the present number of entries."""
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def add_to(self, builder: ProfileBuilder, is_harness: Callable[[str], bool] | None) -> list[str]:
        """Add what was read to the builder and return warnings about it."""
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
        self._sites: HeapSites | None = None
        self._dropped = 0
        self._reports_heard = True

    def start(self) -> None:
        from conduit._native import heap

        try:
            heap.start(self.rate)
        except RuntimeError as error:
            raise ProfilerUnavailableError(f"no heap profile can be taken: {error}") from None

    def read(self) -> None:
        from conduit._native import heap

        self._sites, self._dropped, self._reports_heard = heap.read()

    def count_sites(self) -> int:
        from conduit._native import heap

        return len(heap.read()[0].labels)

    def stop(self) -> None:
        from conduit._native import heap

        heap.stop()

    def add_to(self, builder: ProfileBuilder, is_harness: Callable[[str], bool] | None) -> list[str]:
        if self._sites is not None:
            _add_sites(builder, self._sites, self.rate, is_harness)
            self._sites = None
        unlabelled = labels_warning()
        warnings = [unlabelled] if unlabelled else []
        if self._dropped:
            warnings.append(
                f"{counted(self._dropped, 'sample was', 'samples were')} dropped: no memory to note them, or asked for "
                "without the interpreter's lock"
            )
        if not self._reports_heard:
            warnings.append(
                "the contents of numpy's arrays are missing: this system does not let the calls that report "
                "them be intercepted"
            )
        return warnings


def _add_sites(
    builder: ProfileBuilder, sites: HeapSites, rate: int, is_harness: Callable[[str], bool] | None
) -> None:
    from conduit.profile.builder import make_labels
    from conduit.record.stacks import RecordedStacks, number_keys

    stacks = RecordedStacks.of(sites.stacks)
    counts = stacks.drop_harness_frames(is_harness)
    stacks.add_leaves([NO_FRAMES, None], stacks.have_frames())
    stacks.choose(list(compress(range(len(counts)), counts)))
    label_of, keys = number_keys(compress(zip(sites.labels, sites.sizes, strict=True), counts))
    label_sets = [make_labels(dict(labels), {"bytes": size}) for labels, size in keys]
    values = [array("q", compress(column, counts)) for column in scale_sampled(sites.sums, rate)]
    stacks.add_to(builder, values, label_of, label_sets)


def scale_sampled(sums: Sequence[Sequence[int]], rate: int) -> list[array[int]]:
    """Return the four columns with the unsampled blocks estimated, truncated to integers.

    A block of n bytes is sampled with probability 1 - exp(-n / rate), since sample points are a Poisson process, and
    the values are divided by it; at rate 1 every block is counted (Go's `scaleHeapSample`). The blocks of one site
    have nearly the same size, so their mean is used.
    """
    if rate <= EXACT:
        return [array("q", column) for column in sums]
    factors = [
        1 / -math.expm1(-space / objects / rate) if objects and space else 1
        for objects, space in zip(*sums[:2], strict=True)
    ]
    return [
        array("q", [int(value * factor) for value, factor in zip(column, factors, strict=True)])
        for column in sums
    ]


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

    def read(self) -> None:
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
    """Omit what this thread allocates inside the block from heap profiles: for work that is not the program's own.

    Otherwise the heap profile of a service that is often asked for profiles would mostly show how profiles are made.
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
    """Return a heap recording into `path`: `with conduit.record.heap("heap.prof"): …`. See `HeapRecording`."""
    return HeapRecording(
        path, rate=rate, gc_first=gc_first, default_sample_type=default_sample_type, is_harness=is_harness
    )
