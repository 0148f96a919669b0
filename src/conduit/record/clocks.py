"""Makes the samples of a CPU profile agree with the clocks of its threads.

A thread is signalled at the kernel's ticks, so its time after its last sample is not seen, and a thread that ends
before a tick is not seen at all. The CPU clock of each thread tells how much time that is:

- A thread with samples: each sample stands for the CPU time since the previous one, evened out among neighbouring
  samples; all are scaled to the thread's clock. A sample after a stretch without ticks keeps its time.
- Short threads (less than 0.1 s of CPU time) that have the same name and function are pooled: their samples, scaled to
  the sum of the threads' clocks, stand for all of these threads, including those that were not sampled. If the pool has
  no sample, its time is that of the threads' function.
- The time of a thread that blocks SIGPROF cannot be sampled: it is `[signals blocked]`.
- Any other difference of more than a tenth between samples and clock is `[not sampled]`.
- The difference between the CPU time of the process and the sum over its threads is `[thread start and end]`: work of
  the kernel and the interpreter before a thread is known and after it has ended, and threads that ended before they
  were known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import CodeType

    from conduit._native.sampler import RawSamples, ThreadClock

SIGNALS_BLOCKED = "[signals blocked]"
NOT_SAMPLED = "[not sampled]"
START_AND_END = "[thread start and end]"

SHORT_THREAD_NS = 100_000_000
_TOLERATED_NS = 100_000_000
_TOLERATED_SHARE = 10
_TOLERATED_PERIODS = 2  # two samples that follow one another may be that far apart
_DIGITS = re.compile(r"\d+")


class TimedSamples:
    """Samples as columns: their numbers, their parts of their threads' CPU times, and names of threads or of pools."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.cpu_ns: list[float] = []
        self.threads: list[str] = []

    def add(self, numbers: Sequence[int], cpu_ns: Iterable[float], thread: str) -> None:
        """Add samples of one thread or pool."""
        self.numbers += numbers
        self.cpu_ns += cpu_ns
        self.threads += [thread] * len(numbers)


class Unsampled(NamedTuple):
    """CPU time of a thread without samples: the reason, and the code that the thread was started to run."""

    reason: str
    cpu_ns: int
    thread: str
    function: CodeType | None


class Reconciled(NamedTuple):
    """The CPU time of a recording, divided among samples and unsampled time; the sum is that of the process."""

    timed: TimedSamples
    unsampled: list[Unsampled]

    def unsampled_ns(self, reason: str) -> int:
        """Return the CPU time, in nanoseconds, that has no sample for this reason."""
        return sum(one.cpu_ns for one in self.unsampled if one.reason == reason)


class _Thread(NamedTuple):
    number: int | None
    name: str
    cpu_ns: int
    blocks_signal: bool
    function: CodeType | None
    is_new: bool
    samples: list[int]
    sampled_ns: int


def reconcile(
    samples: RawSamples,
    clocks: Sequence[ThreadClock],
    process_ns: int,
    name_of: Callable[[int, int], str],
    functions: Mapping[int, CodeType | None],
    period_ns: int = 0,
) -> Reconciled:
    """Divide the CPU time of a process among its samples.

    `period_ns` is the CPU time for which there is one sample; `process_ns` is the process's CPU
    clock over the recording, minus what the recording itself used; both are in nanoseconds. `name_of(number, native
    id)` returns the name of a thread; `functions` has the code that each thread started during the recording was to
    run.
    """
    threads, others = _by_thread(samples, clocks, name_of, functions)
    cpu_ns = samples.cpu_ns
    result = Reconciled(TimedSamples(), [])
    for one in others:
        result.timed.add([one], [cpu_ns[one]], name_of(samples.threads[one], samples.tids[one]))
    groups: dict[tuple[str, CodeType | None], list[_Thread]] = {}
    for thread in threads:
        if thread.is_new and thread.cpu_ns < SHORT_THREAD_NS and not thread.blocks_signal:
            groups.setdefault((_DIGITS.sub("*", thread.name), thread.function), []).append(thread)
        else:
            _reconcile_thread(thread, cpu_ns, period_ns, result)
    for (name, function), members in groups.items():
        pool = name if len(members) > 1 else members[0].name
        _reconcile_group(pool, function, members, samples.weights, result)
    known_ns = sum(thread.cpu_ns for thread in threads) + sum(cpu_ns[one] for one in others)
    beyond = process_ns - known_ns
    if beyond > process_ns // 1000:
        result.unsampled.append(Unsampled(START_AND_END, beyond, "", None))
    return result


def _by_thread(
    samples: RawSamples,
    clocks: Sequence[ThreadClock],
    name_of: Callable[[int, int], str],
    functions: Mapping[int, CodeType | None],
) -> tuple[list[_Thread], list[int]]:
    """Return every thread with a clock and its samples, and the samples of threads whose clock was not read."""
    cpu_ns = samples.cpu_ns
    of_number: dict[int, list[int]] = {}
    for sample, thread in enumerate(samples.threads):
        of_number.setdefault(thread, []).append(sample)
    numbered = {clock.number for clock in clocks}
    # A native id is used again only after its thread has ended, and an ended thread's clock has a number.
    of_tid = {samples.tids[group[0]]: number for number, group in of_number.items() if number not in numbered}
    threads = []
    for clock in clocks:
        number = of_tid.get(clock.tid) if clock.number is None else clock.number
        own = of_number.pop(number, []) if number is not None else []
        threads.append(
            _Thread(
                number,
                name_of(-1 if number is None else number, clock.tid),
                clock.cpu_ns,
                clock.blocks_signal,
                functions.get(number) if number is not None else None,
                number in functions,
                own,
                sum(cpu_ns[sample] for sample in own),
            )
        )
    return threads, [sample for group in of_number.values() for sample in group]


def _reconcile_thread(thread: _Thread, cpu_ns: Sequence[int], period_ns: int, result: Reconciled) -> None:
    missing = thread.cpu_ns - thread.sampled_ns
    tolerated = max(_TOLERATED_NS, thread.cpu_ns // _TOLERATED_SHARE, _TOLERATED_PERIODS * period_ns)
    agrees = thread.samples and abs(missing) <= tolerated and not thread.blocks_signal
    factor = (thread.cpu_ns if agrees else thread.sampled_ns) / (thread.sampled_ns or 1)
    result.timed.add(thread.samples, [cpu_ns[sample] * factor for sample in thread.samples], thread.name)
    if not agrees and missing > 0:
        reason = SIGNALS_BLOCKED if thread.blocks_signal else NOT_SAMPLED
        result.unsampled.append(Unsampled(reason, missing, thread.name, thread.function))


def _reconcile_group(
    name: str, function: CodeType | None, members: list[_Thread], weights: Sequence[int], result: Reconciled
) -> None:
    used = sum(member.cpu_ns for member in members)
    numbers = [sample for member in members for sample in member.samples]
    weight = sum(weights[sample] for sample in numbers)
    if not weight:
        result.unsampled.append(Unsampled(NOT_SAMPLED, used, name, function))
    result.timed.add(numbers, [used * weights[sample] / weight for sample in numbers], name)
