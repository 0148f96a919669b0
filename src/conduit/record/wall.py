"""Wall-clock profiles: where a program's threads are, including time spent waiting.

How it works: a thread in pure Python wakes `rate_hz` times a second and notes where every other thread is
(`sys._current_frames`); each sample stands for the time since the previous one. It can take a sample only when it gets
the interpreter lock, that is, when the running thread releases it. So the profile is accurate for programs that wait
(for sockets, locks, databases) and biased for programs that compute; use a CPU profile for those. It does not need the
C extension.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, ClassVar

from conduit.record.labels import labels_beside, labels_warning
from conduit.record.naming import FrameNames, drop_harness_frames
from conduit.record.recording import Recording

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from types import CodeType, FrameType

    from conduit.profile.model import Profile
    from conduit.record.naming import Frame

DEFAULT_RATE_HZ = 100
HIGHEST_RATE_HZ = 1000
MAX_TIMES = 1_000_000
_THREAD_NAME = "conduit wall profile"


class WallRecording(Recording):
    """A wall-clock profile, as a context manager or between `start()` and `stop()`.

    `rate_hz` is how often threads are sampled, in samples a second (1 to 1000). Values are the number of samples and
    nanoseconds; the total of a thread is the time it lived. Frames at or below the innermost frame for which
    `is_harness(filename)` is true are dropped.

    With `times`, samples are not summed, and each has the time at which it was taken (the label `end_timestamp_ns`,
    nanoseconds since the epoch), for the page's strip over time: about 100 bytes for each sample and thread. After
    `MAX_TIMES` samples, further samples have no times.
    """

    kind: ClassVar[str] = "wall"

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        rate_hz: int = DEFAULT_RATE_HZ,
        is_harness: Callable[[str], bool] | None = None,
        times: bool = False,
    ) -> None:
        super().__init__(path)
        if not 1 <= rate_hz <= HIGHEST_RATE_HZ:
            raise ValueError(f"the rate must be from 1 to {HIGHEST_RATE_HZ} samples a second, got {rate_hz}")
        self.rate_hz = rate_hz
        self._is_harness = is_harness
        self._times_left = self._most_times = MAX_TIMES if times else 0
        self._period_ns = round(1e9 / rate_hz)
        self._began_ns = self._ended_ns = 0
        self._done = threading.Event()
        self._sampler_thread: threading.Thread | None = None
        self._seen: dict[tuple[str, tuple[tuple[str, str], ...], tuple[int, ...]], _Seen] = {}

    def _begin(self) -> None:
        self._began_ns = time.time_ns()
        self._seen = {}
        self._times_left = self._most_times
        self._done = threading.Event()
        self._sampler_thread = threading.Thread(
            target=self._sample_until_done, name=_THREAD_NAME, daemon=True
        )
        self._sampler_thread.start()

    def _continue_in_child(self) -> None:
        self._begin()

    def _halt(self) -> None:
        assert self._sampler_thread is not None
        self._done.set()
        self._sampler_thread.join()
        self._sampler_thread = None
        self._ended_ns = time.time_ns()

    def _sample_until_done(self) -> None:
        own = threading.get_ident()
        last_ns = time.perf_counter_ns()
        next_ns = last_ns + self._period_ns
        while not self._done.wait(max(next_ns - time.perf_counter_ns(), 0) / 1e9):
            now_ns = time.perf_counter_ns()
            self._sample(own, now_ns - last_ns)
            last_ns = now_ns
            # A late sample already stands for the longer time, so the next one is not taken early.
            next_ns = max(next_ns + self._period_ns, now_ns)
        self._sample(own, time.perf_counter_ns() - last_ns)

    def _sample(self, own: int, elapsed_ns: int) -> None:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        now_ns = time.time_ns() if self._times_left else 0
        frames_of, labels_of = labels_beside(sys._current_frames)
        # This thread's frame holds the table: left in it, it would keep every frame, and what the program's
        # functions hold, until the next full collection.
        frames_of.pop(own, None)
        for ident, top in frames_of.items():
            name = names.get(ident) or f"thread {ident}"
            key, places = _places(top)
            labels = labels_of.get(ident, ())
            seen = self._seen.get((name, labels, key))
            if seen is None:
                seen = self._seen[name, labels, key] = _Seen(places)
            if self._times_left:
                self._times_left -= 1
                seen.times.append((now_ns, elapsed_ns))
            else:
                seen.samples += 1
                seen.elapsed_ns += elapsed_ns

    def _build(self) -> Profile:
        from conduit.profile.builder import ProfileBuilder
        from conduit.profile.model import TIME_LABEL, TIME_UNIT, ValueType
        from conduit.record.module_names import ModuleNames

        wall = ValueType("wall", "nanoseconds")
        builder = ProfileBuilder(
            [ValueType("samples", "count"), wall],
            period_type=wall,
            period=self._period_ns,
            name_function=ModuleNames.of_this_process(),
        )
        names = FrameNames(lambda _, line: line)
        for (thread, labels, _), seen in self._seen.items():
            frames: list[Frame] = [names.frame(code, line) for code, line in seen.places]
            kept = drop_harness_frames(frames, self._is_harness)
            if not kept:
                continue
            texts = {**dict(labels), "thread": thread}
            if seen.samples:
                builder.add(kept, [seen.samples, seen.elapsed_ns], texts)
            for when_ns, elapsed_ns in seen.times:
                builder.add(kept, [1, elapsed_ns], texts, {TIME_LABEL: when_ns}, TIME_UNIT)
        self._seen = {}
        unlabelled = labels_warning()
        self.warnings: list[str] = [unlabelled] if unlabelled else []
        if self._most_times and not self._times_left:
            self.warnings.append(
                "only the first sample has the time at which it was taken"
                if self._most_times == 1
                else f"only the first {self._most_times:,} samples have the times at which they were taken"
            )
        return builder.build(self._began_ns, self._ended_ns - self._began_ns, self.warnings)


class _Seen:
    """One thread's stack, how often it was seen, and the time that this stands for."""

    __slots__ = ("elapsed_ns", "places", "samples", "times")

    def __init__(self, places: list[tuple[CodeType, int]]) -> None:
        self.places = places
        self.samples = 0
        self.elapsed_ns = 0
        self.times: list[tuple[int, int]] = []  # of samples that say so: when they were taken, and their time


def _places(frame: FrameType | None) -> tuple[tuple[int, ...], list[tuple[CodeType, int]]]:
    """Return a key by identity (hashing code is slow), and code and line of every frame, leaf first."""
    key: list[int] = []
    places = []
    while frame is not None:
        code, line = frame.f_code, frame.f_lineno or 0
        key += (id(code), line)
        places.append((code, line))
        frame = frame.f_back
    return tuple(key), places


def wall(
    path: str | os.PathLike[str] | None = None,
    *,
    rate_hz: int = DEFAULT_RATE_HZ,
    is_harness: Callable[[str], bool] | None = None,
    times: bool = False,
) -> WallRecording:
    """Return a wall-clock recording into `path`: `with conduit.record.wall("wall.prof"): …`. See `WallRecording`."""
    return WallRecording(path, rate_hz=rate_hz, is_harness=is_harness, times=times)
