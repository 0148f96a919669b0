"""The available profiles: the description of each, how it is taken, and how it is written as text.

There are two sorts. A *cumulative profile* has everything counted so far (heap, goroutine, mutex …); two of them give a
difference. A *recording* covers the next seconds (CPU, wall, trace); only one of each kind runs at a time.
"""

from __future__ import annotations

import functools
import threading
import time
from typing import TYPE_CHECKING

from conduit.debug import heap, text
from conduit.debug.parameters import fractional_seconds, whole_seconds
from conduit.errors import ProfilerBusyError
from conduit.record import threads, waits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from mmap import mmap

    from conduit.profile.model import Profile
    from conduit.record.recording import Recording as Recording_

OTHER_PAGES = {
    "cmdline": "The command line invocation of the current program",
    "symbol": (
        "Maps given program counters to function names. Counters can be specified in a GET raw query, "
        "multiple counters are separated by '+'."
    ),
}


class Kind:
    """One name below `/debug/pprof/`; subclasses take the profile."""

    def __init__(self, name: str, description: str) -> None:
        self.name = name
        self.description = description

    def count(self) -> int:
        """Return the number of entries now (0 for a recording), read from its tables without making a profile."""
        return 0


class CumulativeProfile(Kind):
    """Everything counted so far."""

    def __init__(
        self,
        name: str,
        description: str,
        take: Callable[[], Profile],
        write: Callable[[Profile], str],
        count: Callable[[], int],
        full_text: Callable[[], str] | None = None,
    ) -> None:
        super().__init__(name, description)
        self._take = take
        self._write = write
        self._count = count
        self._full_text = full_text

    def take(self) -> Profile:
        """Return the profile as it is now. Its time is later than that of every earlier one, as scrapers require."""
        profile = self._take()
        profile.time_nanos = _next_time_ns()
        return profile

    def text(self, debug: int) -> str:
        """Return the legacy form for `debug=1`; for `debug=2` and more the most detailed text available."""
        if debug >= 2 and self._full_text is not None:
            return self._full_text()
        return self._write(self.take())

    def count(self) -> int:
        """Return the number of threads and tasks, threads, sampled sites, or distinct stacks."""
        return self._count()


class Recording(Kind):
    """A profile of the next seconds.

    `record(seconds, cancelled)` returns the file's bytes, or none, early, once `cancelled` is set;
    `seconds(parameters)` returns the duration that a query asks for.
    """

    def __init__(
        self,
        name: str,
        description: str,
        record: Callable[[float, threading.Event], bytes | mmap],
        seconds: Callable[[Mapping[str, str]], float],
    ) -> None:
        super().__init__(name, description)
        self.record = record
        self.seconds = seconds


# The ring of events takes 36 MB while a trace is taken.
_TRACE_EVENTS = 400_000

one_at_a_time: threading.RLock = threading.RLock()
"""Held while a profile is built and encoded: eight at once would take eight times the memory and the same time."""

_clock = threading.Lock()
_last_time_ns = 0


def _next_time_ns() -> int:
    global _last_time_ns
    with _clock:
        _last_time_ns = max(_last_time_ns + 1, time.time_ns())
        return _last_time_ns


def _cpu(seconds: float, cancelled: threading.Event) -> bytes:
    from conduit.record import cpu

    return _recorded(cpu(), seconds, cancelled)


def _wall(seconds: float, cancelled: threading.Event) -> bytes:
    from conduit.record import wall

    return _recorded(wall(), seconds, cancelled)


def _recorded(recording: Recording_, seconds: float, cancelled: threading.Event) -> bytes:
    from conduit.profile.codec import encode

    try:
        recording.start()
    except ProfilerBusyError:
        kind = recording.kind
        raise ProfilerBusyError(
            f"Could not enable {kind} profiling: {kind.lower()} profiling already in use"
        ) from None
    try:
        was_cancelled = cancelled.wait(seconds)
    finally:
        with one_at_a_time:
            profile = recording.stop()
            body = b"" if was_cancelled else encode(profile, level=1)
    return body


def _trace(seconds: float, cancelled: threading.Event) -> bytes | mmap:
    """The file is mapped: as an object, its 10 to 50 MB would leave holes of that size in the service's memory."""
    import mmap
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from conduit.record.trace import Trace

    with TemporaryDirectory(prefix="conduit-") as folder:
        recording = Trace(Path(folder) / "trace", max_events=_TRACE_EVENTS, releases_memory=True)
        recording.start()
        try:
            if cancelled.wait(seconds):
                return b""
            recording.stop()
        finally:
            recording.discard()
        with recording.path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


_ALL: tuple[Kind, ...] = (
    CumulativeProfile(
        "goroutine",
        "Stack traces of all current threads and tasks. Use debug=2 as a query parameter to export them as "
        "text with names and states.",
        threads.profile,
        text.counts,
        threads.count,
        threads.text,
    ),
    CumulativeProfile(
        "allocs",
        "A sampling of all past memory allocations",
        heap.allocs_profile,
        text.heap,
        heap.count_sites,
    ),
    CumulativeProfile(
        "heap",
        "A sampling of memory allocations of live objects. You can specify the gc GET parameter to run GC before "
        "taking the heap sample.",
        heap.heap_profile,
        text.heap,
        heap.count_sites,
    ),
    CumulativeProfile(
        "block",
        "Stack traces that led to blocking on synchronization primitives, sleeps, sockets and awaits",
        waits.block_profile,
        functools.partial(text.contentions, mutex=False),
        waits.count_blocks,
    ),
    CumulativeProfile(
        "mutex",
        "Stack traces of holders of contended mutexes",
        waits.mutex_profile,
        functools.partial(text.contentions, mutex=True),
        waits.count_mutexes,
    ),
    CumulativeProfile(
        "gil",
        "Stack traces of threads that waited for the interpreter's lock",
        waits.gil_profile,
        functools.partial(text.contentions, mutex=False),
        waits.count_gil_waits,
    ),
    CumulativeProfile(
        "threadcreate",
        "What each thread was started for",
        threads.thread_starts,
        text.counts,
        threads.count_threads,
    ),
    Recording(
        "profile",
        "CPU profile. You can specify the duration in the seconds GET parameter. After you get the profile file, use "
        "the conduit pprof command to investigate the profile.",
        _cpu,
        lambda parameters: whole_seconds(parameters, 30),
    ),
    Recording(
        "wall",
        "Wall clock profile: where all threads are, waiting included. It takes the same parameters as profile.",
        _wall,
        lambda parameters: whole_seconds(parameters, 30),
    ),
    Recording(
        "trace",
        "A trace of execution of the current program. You can specify the duration in the seconds GET parameter. "
        "After you get the trace file, use the conduit trace command to investigate the trace.",
        _trace,
        lambda parameters: fractional_seconds(parameters, 1.0),
    ),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
