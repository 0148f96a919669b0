"""CPU profiles: where a program's CPU time goes, in all of its threads.

How it works: each thread has a timer on its own CPU clock, which interrupts it at each tick of the kernel that finds it
running. One tick in every 10 ms of CPU time, chosen at random, becomes a sample: the C extension's signal handler
records the interrupted thread's Python stack (`conduit/_native/cpu.c`). A thread that sleeps or waits uses no CPU time
and is not seen. The time of a C function belongs to the Python line that called it. The samples of each thread are then
scaled to its CPU clock, and all samples to that of the process (`clocks.py`). The recording's own start and end are not
sampled, and are taken out of both clocks (`conduit/_native/own_work.py`).

This cannot be done in pure Python: code that needs the interpreter lock to take a sample sees only threads that have
just released it, which misattributes 20 to 50 percentage points of the time (`docs/explanation/sampler.md`). Without
the extension, CPU profiles are refused; `wall` profiles are always available.
"""

from __future__ import annotations

import time
from array import array
from itertools import compress
from typing import TYPE_CHECKING, ClassVar

from conduit._native import available, reason
from conduit.errors import ProfilerUnavailableError
from conduit.record import clocks
from conduit.record.labels import labels_warning
from conduit.record.naming import NO_FRAMES, UNREADABLE, frame_of
from conduit.record.recording import Recording
from conduit.record.task_names import LateTasks, watch_tasks
from conduit.record.thread_names import ThreadNames
from conduit.units import counted

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from conduit._native._core import CpuFacts
    from conduit._native.sampler import RawSamples
    from conduit.profile.builder import ProfileBuilder
    from conduit.profile.model import Profile
    from conduit.record.clocks import Reconciled
    from conduit.record.naming import Frame

DEFAULT_RATE_HZ = 100
HIGHEST_RATE_HZ = 1000
FEW_SAMPLES = 100
_NOTICEABLE_SHARE = 0.02
_STALLED_SHARE = 0.10  # of less, the functions at the ends of the stretches are near enough
_USUAL_SHARE = (
    0.10  # up to this, starting threads is ordinary (numpy starts one a processor); its row says enough
)


class CpuRecording(Recording):
    """A CPU profile, as a context manager or between `start()` and `stop()`.

    `rate_hz` is the number of samples for each second of CPU time (1 to 1000). It is limited by the kernel's tick,
    often 250 Hz: a sample then stands for several periods. With `native`, the innermost frame is the C library or
    function that was running, unless that is the interpreter itself. Frames at or below the innermost frame for which
    `is_harness(filename)` is true are dropped. A sample in the harness itself is dropped, too, unless the harness
    `passes_over_harness` (does its own work in `OwnWork`): a sample there then is work for the program in C, such as
    a C function that was given to `atexit`, and stays as `[no Python frames]`. After `stop`, `profile` is the
    profile (values: number of samples, CPU nanoseconds) and `warnings` has its warnings.
    """

    kind: ClassVar[str] = "CPU"

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        rate_hz: int = DEFAULT_RATE_HZ,
        native: bool = False,
        is_harness: Callable[[str], bool] | None = None,
        passes_over_harness: bool = False,
    ) -> None:
        super().__init__(path)
        if not 1 <= rate_hz <= HIGHEST_RATE_HZ:
            raise ValueError(f"the rate must be from 1 to {HIGHEST_RATE_HZ} samples a second, got {rate_hz}")
        self.rate_hz = rate_hz
        self.native = native
        self.facts: CpuFacts | None = None
        self._is_harness = is_harness
        self._passes_over_harness = passes_over_harness
        self._period_ns = round(1e9 / rate_hz)
        self.few_samples_warning: str = ""
        """The one of `warnings` that is about how many samples there are."""
        self._began_ns = 0
        self._task_warning = ""
        self._late_tasks = LateTasks(self._watch_tasks)
        self._names: ThreadNames | None = None
        self._samples: RawSamples | None = None
        self._reconciled: Reconciled = clocks.Reconciled(clocks.TimedSamples(), [])

    def _begin(self) -> None:
        if not available():
            raise ProfilerUnavailableError(
                f"no CPU profile can be taken: {reason()}. A profile of the wall clock needs no extension: "
                "conduit.record.wall, conduit run -wallprofile=FILE"
            )
        from conduit._native import sampler

        self._began_ns = time.time_ns()
        self._watch_tasks()
        try:
            sampler.start(self._period_ns, False, self.native)
        except RuntimeError as error:
            raise ProfilerUnavailableError(f"no CPU profile can be taken: {error}") from None
        self._names = ThreadNames(sampler.thread_began)
        self._names.watch()
        self._late_tasks.start()

    def _watch_tasks(self) -> None:
        self._task_warning = watch_tasks()

    def _continue_in_child(self) -> None:
        from conduit._native import sampler

        self._began_ns = time.time_ns()
        sampler.after_fork_in_child(self._period_ns, False)
        if self._names is not None:
            self._names.forget()  # the numbers begin at 0 again

    def _halt(self) -> None:
        from conduit._native import sampler

        assert self._names is not None
        self._late_tasks.stop()
        name_of = self._names.resolve()
        self._names.unwatch()
        self._samples, self.facts = sampler.stop()
        self._reconciled = clocks.reconcile(
            self._samples,
            [sampler.ThreadClock(*clock) for clock in self.facts["clocks"]],
            _used_ns(self.facts),
            name_of,
            self._names.functions,
            self._period_ns,
        )

    def _build(self) -> Profile:
        from conduit.profile.builder import ProfileBuilder
        from conduit.profile.model import ValueType
        from conduit.record.module_names import ModuleNames

        assert self.facts is not None
        assert self._samples is not None
        signals = sum(self._samples.signals)
        self.few_samples_warning = few_samples_warning(signals, _used_ns(self.facts), self.rate_hz)
        found = [
            self.few_samples_warning,
            *_warnings(self.facts, self._reconciled),
            self._task_warning,
            labels_warning(),
        ]
        self.warnings: list[str] = [text for text in found if text]
        cpu = ValueType("cpu", "nanoseconds")
        builder = ProfileBuilder(
            [ValueType("samples", "count"), cpu],
            period_type=cpu,
            period=self._period_ns,
            name_function=ModuleNames.of_this_process(),
        )
        self._add_to(builder, self._samples)
        self._samples, self._reconciled = None, clocks.Reconciled(clocks.TimedSamples(), [])
        return builder.build(self._began_ns, self.facts["duration_ns"], self.warnings)

    def _add_to(self, builder: ProfileBuilder, samples: RawSamples) -> None:
        from conduit._native.sampler import line_of
        from conduit.profile.builder import make_labels
        from conduit.record.stacks import RecordedStacks, number_keys

        stacks = RecordedStacks.of(samples.stacks)
        counts = stacks.drop_harness_frames(self._is_harness, keeps_empty=self._passes_over_harness)
        stacks.add_leaves(*_leaves(samples, stacks.have_frames()))
        timed = self._reconciled.timed
        kept = [counts[number] for number in timed.numbers]
        numbers = list(compress(timed.numbers, kept))
        stacks.choose(numbers)
        threads = compress(timed.threads, kept)
        label_of, keys = number_keys(
            (samples.labels[number], thread, samples.tasks[number] or "")
            for number, thread in zip(numbers, threads, strict=True)
        )
        label_of, (sums,) = stacks.add_up(label_of, [compress(timed.cpu_ns, kept)])
        periods = [max(1, round(total / self._period_ns)) for total in sums]
        values = array("q", periods), array("q", map(round, sums))
        label_sets = [
            make_labels({**dict(labels), "thread": thread, "task": task}) for labels, thread, task in keys
        ]
        stacks.add_to(builder, values, label_of, label_sets)
        for why, used_ns, thread, function in self._reconciled.unsampled:
            frames = [(why, "", 0, 0)]
            if function is not None:
                frames.append(frame_of(function, line_of(function, 0)))
            builder.add(frames, [round(used_ns / self._period_ns), used_ns], {"thread": thread})


def _leaves(samples: RawSamples, have_frames: Sequence[bool]) -> tuple[list[Frame | None], list[int]]:
    """Return frames, and for each sample the number of the one that belongs before its stack.

    That is the C function that was running, or a remark where there is no stack.
    """
    from conduit._native.sampler import symbol_of

    leaves: dict[Frame | None, int] = {None: 0, NO_FRAMES: 1, UNREADABLE: 2}
    numbers = [
        2 if not readable else 0 if has_frames else 1
        for readable, has_frames in zip(samples.readable, have_frames, strict=True)
    ]
    for sample, counter in enumerate(samples.counters):
        found = symbol_of(counter) if counter and numbers[sample] != 2 else None
        if found is not None:
            file, symbol = found
            frame = (symbol or f"[{file.rpartition('/')[2]}]", file, 0, 0)
            numbers[sample] = leaves.setdefault(frame, len(leaves))
    return list(leaves), numbers


def few_samples_warning(signals: int, used_ns: int, rate_hz: int) -> str:
    """Return the warning about a profile with too few signals; an empty text if there are enough."""
    if used_ns < 1e9 / rate_hz:
        return f"no samples: less than {1 / rate_hz:.3g}s of CPU time was used while the profile was taken"
    if signals == 0:
        return f"no samples: {_seconds(used_ns)} of CPU time was used, all of it without a stack"
    if signals < FEW_SAMPLES:
        return (
            f"only {counted(signals, 'sample')}: {_seconds(used_ns)} of CPU time was used while the profile was taken. "
            f"Shares are accurate to about {50 / signals**0.5:.0f} percentage points; run for longer or at a higher "
            "rate"
        )
    return ""


def _used_ns(facts: CpuFacts) -> int:
    """Return the CPU time of the process without the recording's own."""
    return facts["process_ns"] - facts["collector_ns"] - facts["paused_ns"]


def _warnings(facts: CpuFacts, reconciled: Reconciled) -> Iterable[str]:
    """Yield warnings about CPU time without a stack, lost samples and unreadable stacks."""
    used = _used_ns(facts)
    yield from _unsampled_warnings(reconciled, used)
    if facts["lost"]:
        lost = counted(facts["lost"], "sample was", "samples were")
        yield f"{lost} lost: signals came faster than they could be stored"
    if facts["stalls_ns"] > max(_STALLED_SHARE * used, 100_000_000):
        yield (
            f"{_seconds(facts['stalls_ns'])} of CPU time was used without samples by threads that blocked SIGPROF for "
            "a while, or as the machine stood still; it is charged to the functions that were running at the end of it"
        )
    if facts["unreadable"]:
        unreadable = counted(facts["unreadable"], "sample has", "samples have")
        yield f"{unreadable} no stack: it could not be read ({UNREADABLE[0]})"
    if facts["threads_refused"]:
        yield (
            "some threads were not sampled: the kernel gave no more timers; raise the limit of pending signals "
            "(ulimit -i)"
        )
    if facts["signal_taken_over"]:
        yield (
            "the program installed a handler of its own for SIGPROF, or ignored it, while the profile was taken: "
            f"nothing was sampled after that ({clocks.NOT_SAMPLED})"
        )


_MEANING = {
    clocks.SIGNALS_BLOCKED: "was used by threads that block SIGPROF, and has no stacks: unblock it there "
    "(signal.pthread_sigmask)",
    clocks.NOT_SAMPLED: "was not sampled, and is charged to the threads that used it",
    clocks.START_AND_END: "was used to start and end threads, or by threads that ended before they were known",
}


def _unsampled_warnings(reconciled: Reconciled, used_ns: int) -> Iterable[str]:
    for why, meaning in _MEANING.items():
        cpu_ns = reconciled.unsampled_ns(why)
        share = _USUAL_SHARE if why == clocks.START_AND_END else _NOTICEABLE_SHARE
        if cpu_ns > max(share * used_ns, 10_000_000):
            names = sorted({one.thread for one in reconciled.unsampled if one.reason == why and one.thread})
            listed = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            yield f"{_seconds(cpu_ns)} of CPU time {meaning}: {why}{' in ' + listed if listed else ''}"


def _seconds(ns: float) -> str:
    return f"{ns / 1e9:.2f}s"


def cpu(
    path: str | os.PathLike[str] | None = None,
    *,
    rate_hz: int = DEFAULT_RATE_HZ,
    native: bool = False,
    is_harness: Callable[[str], bool] | None = None,
) -> CpuRecording:
    """Return a CPU recording into `path`: `with conduit.record.cpu("cpu.prof"): …`. See `CpuRecording`."""
    return CpuRecording(path, rate_hz=rate_hz, native=native, is_harness=is_harness)
