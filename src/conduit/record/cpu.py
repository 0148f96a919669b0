"""CPU profiles: where a program's CPU time goes, in all of its threads.

How it works: each thread has a timer on its own CPU clock, which interrupts it every 10 ms that it really ran; the C
extension's signal handler notes the interrupted thread's Python stack (`conduit/_native/cpu.c`). A thread that sleeps or
waits has no CPU time and is not seen. The time of a C function belongs to the Python line that called it.

There is no pure-Python way to do this: whatever needs the interpreter's lock to look sees only threads that
have just given it up, and is wrong by 20 to 50 percentage points. Where the extension is missing, this kind refuses; `wall`
profiles can be had everywhere.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, cast

from conduit._native import available, reason
from conduit.errors import ProfilerUnavailableError
from conduit.record.naming import NO_FRAMES, UNREADABLE, FrameNames, trim_root
from conduit.record.recording import Recording
from conduit.record.task_names import watch_tasks
from conduit.record.thread_names import ThreadNames

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from types import CodeType

    from conduit._native._core import CpuFacts
    from conduit._native.sampler import RawSample
    from conduit.profile.model import Profile
    from conduit.record.naming import Frame

DEFAULT_RATE_HZ = 100
HIGHEST_RATE_HZ = 1000
FEW_SAMPLES = 100


class CpuRecording(Recording):
    """A CPU profile, as a context manager or between `start()` and `stop()`.

    `rate_hz` is in samples for each second of CPU time (1 to 1000; the kernel's tick, mostly 250 Hz, bounds the signals, and
    each then counts for several periods). With `native`, the C library or function that was running is shown as
    the innermost frame wherever it is not the interpreter itself. Of each stack only what lies above
    the innermost frame whose file `is_harness` accepts is kept. After `stop`, `profile` holds the profile and `doubts` what should be known before believing it.
    """

    kind: ClassVar[str] = "CPU"

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        rate_hz: int = DEFAULT_RATE_HZ,
        native: bool = False,
        is_harness: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__(path)
        if not 1 <= rate_hz <= HIGHEST_RATE_HZ:
            raise ValueError(f"the rate must be from 1 to {HIGHEST_RATE_HZ} samples a second, got {rate_hz}")
        self.rate_hz = rate_hz
        self.native = native
        self.facts: CpuFacts | None = None
        self._is_harness = is_harness
        self._period_ns = round(1e9 / rate_hz)
        self._began_ns = 0
        self._task_warning = ""
        self._names: ThreadNames | None = None
        self._thread_name: Callable[[int, int], str] = lambda _, tid: f"thread {tid}"
        self._samples: list[RawSample] = []

    def _begin(self) -> None:
        if not available():
            raise ProfilerUnavailableError(
                f"no CPU profile can be taken: {reason()}. A profile of the wall clock needs no extension: "
                "conduit.record.wall, conduit run -wallprofile=FILE"
            )
        from conduit._native import sampler

        self._began_ns = time.time_ns()
        self._task_warning = watch_tasks()
        try:
            sampler.start(self._period_ns, False, self.native)
        except RuntimeError as error:
            raise ProfilerUnavailableError(f"no CPU profile can be taken: {error}") from None
        self._names = ThreadNames(sampler.thread_began)
        self._names.watch()

    def _continue_in_child(self) -> None:
        from conduit._native import sampler

        self._began_ns = time.time_ns()
        sampler.after_fork_in_child(self._period_ns, False)

    def _halt(self) -> None:
        from conduit._native import sampler

        assert self._names is not None
        self._thread_name = self._names.resolve()
        self._names.unwatch()
        raw, self.facts = sampler.stop()
        self._samples = [sampler.RawSample(*sample) for sample in raw]

    def _build(self) -> Profile:
        from conduit.profile.builder import ProfileBuilder
        from conduit.profile.model import ValueType

        assert self.facts is not None
        warnings = [*_doubts(self.facts, self._samples, self.rate_hz), self._task_warning]
        self.doubts: list[str] = [text for text in warnings if text]
        cpu = ValueType("cpu", "nanoseconds")
        builder = ProfileBuilder(
            [ValueType("samples", "count"), cpu], period_type=cpu, period=self._period_ns
        )
        stacks = Stacks(self._is_harness)
        for sample in self._samples:
            frames = stacks.frames(sample)
            if not frames:
                continue
            labels = {"thread": self._thread_name(sample.thread, sample.tid), "task": sample.task or ""}
            builder.add(frames, [sample.weight, sample.weight * self._period_ns], labels)
        self._samples = []
        return builder.build(self._began_ns, self.facts["duration_ns"], self.doubts)


class Stacks:
    """Turns what the extension noted into frames by name, leaf first; empty where all of them are the harness's."""

    def __init__(self, is_harness: Callable[[str], bool] | None = None) -> None:
        from conduit._native import sampler

        self._names = FrameNames(sampler.line_of)
        self._symbol_of = sampler.symbol_of
        self._is_harness = is_harness

    def frames(self, sample: RawSample) -> list[Frame]:
        """The frames of one sample."""
        places = sample.stack
        if places is None:
            return [UNREADABLE]
        frames = [
            self._names.frame(cast("CodeType", places[at]), cast("int", places[at + 1]))
            for at in range(0, len(places), 2)
        ]
        kept = trim_root(frames, self._is_harness)
        if frames and not kept:
            return []
        native = self._native_frame(sample.counter)
        if native is not None:
            return [native, *kept]
        return kept or [NO_FRAMES]

    def _native_frame(self, counter: int) -> Frame | None:
        found = self._symbol_of(counter) if counter else None
        if found is None:
            return None
        file, symbol = found
        return (symbol or f"[{file.rpartition('/')[2]}]", file, 0, 0)


def _doubts(facts: CpuFacts, samples: list[RawSample], rate_hz: int) -> Iterable[str]:
    """What should be known before this profile is believed."""
    periods = sum(sample.weight for sample in samples)
    signals = sum(sample.signals for sample in samples)
    if signals == 0:
        yield f"no samples at all: less than {1 / rate_hz:.3g}s of CPU time was used while the profile was taken"
    elif signals < FEW_SAMPLES:
        yield (
            f"only {signals} samples: {periods / rate_hz:.2f}s of CPU time were used while the profile was taken. Shares are "
            f"good to about {50 / signals**0.5:.0f} percentage points; run for longer or at a higher rate"
        )
    if facts["lost"]:
        yield f"{facts['lost']} samples were lost: signals came faster than they could be stored"
    if facts["unreadable"]:
        yield f"{facts['unreadable']} samples have no stack: it could not be read ({UNREADABLE[0]})"
    if facts["threads_refused"]:
        yield (
            "some threads were not sampled: the kernel gave no more timers (raise the limit of pending signals, ulimit -i)"
        )
    if facts["signal_taken_over"]:
        yield (
            "the program installed a handler of its own for SIGPROF while the profile was taken: nothing was seen after that"
        )


def cpu(
    path: str | os.PathLike[str] | None = None,
    *,
    rate_hz: int = DEFAULT_RATE_HZ,
    native: bool = False,
    is_harness: Callable[[str], bool] | None = None,
) -> CpuRecording:
    """A CPU profile into `path`: `with conduit.record.cpu("cpu.prof"): …`. See `CpuRecording`."""
    return CpuRecording(path, rate_hz=rate_hz, native=native, is_harness=is_harness)
