"""Block, mutex and gil profiles: what threads and tasks wait for, what makes them wait, and the interpreter lock.

*block* charges the time to the code that waits: lock acquires, conditions, events, queues, joins, sleeps, selects,
sockets and awaits. *mutex* charges it to the code that releases a lock while others wait for it, as Go does. *gil* is
the time that threads wait for the interpreter lock. Values are `contentions/count` and `delay/nanoseconds`.

The C extension sees the waits of threads at the semaphores under every CPython lock (`_native/waits.c`), including
locks made before the recording, SimpleQueue, RLock and join; an uncontended acquire does not reach a semaphore.
Awaits are seen by `awaits`. Waking a waiter through a Condition is not contention and is not in *mutex*. A `put` on a
SimpleQueue that wakes a reader cannot be distinguished from the release of a lock, so it is included in *mutex*.

Without the extension, these kinds are refused: a wrapper around `threading.Lock` would miss locks that exist already,
and would slow down most the code that is measured.
"""

from __future__ import annotations

import threading
import time
from array import array
from itertools import compress
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from conduit._native import available, reason
from conduit.errors import ProfilerUnavailableError
from conduit.record.naming import drop_harness_frames
from conduit.record.recording import Recording

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from conduit._native.waits import NamedFrame, Waits
    from conduit.profile.builder import ProfileBuilder
    from conduit.profile.model import Profile
    from conduit.record.awaits import Await, AwaitWatch
    from conduit.record.stacks import RecordedStacks

_MACHINERY = ("threading.py", "queue.py", "asyncio/", "concurrent/futures/")


class _Rates:
    """The rates of the three kinds; the extension and asyncio are patched once for all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.block_rate_ns = 0
        self.mutex_fraction = 0
        self.gil = False
        self.watch: AwaitWatch | None = None
        self.watches_awaits = True  # not in a program that has no asyncio, and is to be left as it was

    def change(
        self, *, block_rate_ns: int | None = None, mutex_fraction: int | None = None, gil: bool | None = None
    ) -> None:
        if not available():
            raise ProfilerUnavailableError(
                f"waits cannot be recorded: {reason()}. conduit.record.wall shows where threads stand without it"
            )
        from conduit._native import waits

        with self._lock:
            self.block_rate_ns = self.block_rate_ns if block_rate_ns is None else block_rate_ns
            self.mutex_fraction = self.mutex_fraction if mutex_fraction is None else mutex_fraction
            self.gil = self.gil if gil is None else gil
            try:
                waits.set_rates(self.block_rate_ns, self.mutex_fraction, gil=self.gil)
            except RuntimeError as error:
                self.block_rate_ns, self.mutex_fraction, self.gil = 0, 0, False
                raise ProfilerUnavailableError(f"waits cannot be recorded: {error}") from None
            if self.watches_awaits:
                self._watch()

    def _watch(self) -> None:
        from conduit.record.awaits import AwaitWatch

        self.watch = self.watch or AwaitWatch()
        self.watch.counts_awaits = bool(self.block_rate_ns)
        self.watch.counts_releases = bool(self.mutex_fraction)
        wanted = bool(self.block_rate_ns or self.mutex_fraction)
        if wanted and not self.watch.on:
            self.watch.start()
        elif not wanted and self.watch.on:
            self.watch.stop()


_rates = _Rates()


def leave_asyncio_alone() -> None:
    """Record no awaits from now on, so asyncio is not imported."""
    _rates.watches_awaits = False


def set_block_profile_rate(rate_ns: int) -> None:
    """Go's `runtime.SetBlockProfileRate`: on average one event per `rate_ns` ns blocked; 1 records all, 0 stops."""
    _rates.change(block_rate_ns=_not_negative("rate_ns", rate_ns))


def set_mutex_profile_fraction(fraction: int) -> None:
    """Go's `runtime.SetMutexProfileFraction`: one of `fraction` contentions is recorded, scaled up; 0 stops."""
    _rates.change(mutex_fraction=_not_negative("fraction", fraction))


def set_gil_profile(on: bool) -> None:
    """Turn the recording of waits for the interpreter lock on or off."""
    _rates.change(gil=on)


def block_profile() -> Profile:
    """Return all waits recorded so far; they are kept after the rate returns to 0."""
    off = "" if _rates.block_rate_ns else "set_block_profile_rate(1_000_000)"
    return _profile(_block_waits(), _rates.block_rate_ns or 1, off=off)


def mutex_profile() -> Profile:
    """Return all contention recorded so far, by the code that released the locks."""
    off = "" if _rates.mutex_fraction else "set_mutex_profile_fraction(10)"
    return _profile(_mutex_waits(), _rates.mutex_fraction or 1, off=off)


def gil_profile() -> Profile:
    """Return all waits for the interpreter lock recorded so far."""
    return _profile(_gil_waits(), 1, off="" if _rates.gil else "set_gil_profile(True)")


def count_blocks() -> int:
    """Return the number of distinct stacks that have waited."""
    return _count(_block_waits())


def count_mutexes() -> int:
    """Return the number of distinct stacks that have released a contended lock."""
    return _count(_mutex_waits())


def count_gil_waits() -> int:
    """Return the number of distinct stacks that have waited for the interpreter lock."""
    return _count(_gil_waits())


# ── what was counted ──

# The waits of tasks: (stack, labels) → [count, delay]
_Entries = dict[tuple[tuple["NamedFrame", ...], tuple[tuple[str, str], ...]], list[float]]


class _Counted(NamedTuple):
    """All waits of a kind so far: those of threads as columns, and those of tasks.

    Each wait of a thread has a label `key`, whose text is in `texts`; None for one that does not count.
    """

    threads: Waits | None = None
    key: str = ""
    texts: Sequence[str | None] = ()
    tasks: _Entries = {}  # noqa: RUF012 (never changed)


_NOTHING = _Counted()


def _read(kind: str) -> Waits | None:
    if not available():
        return None
    from conduit._native import waits

    return waits.read({"block": waits.BLOCK, "mutex": waits.MUTEX, "gil": waits.GIL}[kind])


def _block_waits() -> _Counted:
    threads = _read("block")
    tasks: _Entries = {}
    for one in _rates.watch.awaits() if _rates.watch else ():
        _add(tasks, one, {**dict(one.labels), "wait": "await", "task": one.name})
    return _Counted(threads, "wait", threads.reasons if threads else (), tasks)


def _mutex_waits() -> _Counted:
    threads = _read("mutex")
    tasks: _Entries = {}
    for one in _rates.watch.releases() if _rates.watch else ():
        _add(tasks, one, {**dict(one.labels), "lock": one.name or "asyncio"})
    return _Counted(threads, "lock", _locks(threads) if threads else (), tasks)


def _gil_waits() -> _Counted:
    threads = _read("gil")
    return _Counted(threads, "", [""] * len(threads.labels) if threads else ())


def _add(entries: _Entries, one: Await, labels: dict[str, str]) -> None:
    sums = entries.setdefault((one.stack, tuple(labels.items())), [0.0, 0.0])
    sums[0] += one.contentions
    sums[1] += one.delay_ns


def _locks(waits: Waits) -> list[str | None]:
    """Return where the lock of each wait was made; None for waits that are notifications."""
    frames = memoryview(waits.frames).cast("I")
    bounds, made_bounds = memoryview(waits.bounds).cast("q"), memoryview(waits.made_bounds).cast("q")
    count = len(waits.labels)
    locks: list[str | None] = []
    for number in range(count):
        start, stop = bounds[number], bounds[count + number]
        made = frames[made_bounds[number] : made_bounds[count + number]]
        is_notification = start < stop and _is_notification(waits.names[frames[start]])
        locks.append(None if is_notification else _place([waits.names[frame] for frame in made]))
    return locks


def _is_notification(leaf: NamedFrame) -> bool:
    function, file, _, _ = leaf
    return function == "Condition.notify" and file.endswith("threading.py")


def _place(made: Sequence[NamedFrame]) -> str:
    """Return where a lock was made, in the program and not in threading or queue; empty if not known."""
    for _, file, line, _ in made:
        if not any(part in file for part in _MACHINERY):
            return f"{file}:{line}"
    return f"{made[-1][1]}:{made[-1][2]}" if made else ""


def _count(counted: _Counted) -> int:
    if counted.threads is None:
        return len(counted.tasks)
    stacks, _, _, _ = _add_up(counted.threads, counted, None)
    return len(stacks) + len(counted.tasks)


def _add_up(
    waits: Waits, counted: _Counted, before: Waits | None
) -> tuple[
    RecordedStacks, array[int], list[tuple[tuple[tuple[str, str], ...], str | None]], list[list[float]]
]:
    """Return stacks, the number of each one's labels, the labels, and columns of counts and delays since `before`."""
    from conduit.record.stacks import RecordedStacks, number_keys

    stacks = RecordedStacks(waits.names, waits.bounds, waits.frames)
    columns: list[list[float]] = [[*waits.counts], [*waits.delays_ns]]
    if before is not None:  # what was read then comes first
        for column, earlier in zip(columns, (before.counts, before.delays_ns), strict=True):
            column[: len(earlier)] = [now - then for now, then in zip(column, earlier, strict=False)]
    counts = [text is not None for text in counted.texts]
    stacks.choose(list(compress(range(len(counts)), counts)))
    label_of, keys = number_keys(compress(zip(waits.labels, counted.texts, strict=True), counts))
    label_of, sums = stacks.add_up(label_of, [compress(column, counts) for column in columns])
    return stacks, label_of, keys, sums


def _add_threads(
    builder: ProfileBuilder, counted: _Counted, before: _Counted, is_harness: Callable[[str], bool] | None
) -> None:
    from conduit.profile.builder import make_labels

    if counted.threads is None:
        return
    stacks, label_of, keys, sums = _add_up(counted.threads, counted, before.threads)
    counts = stacks.drop_harness_frames(is_harness)
    values = [list(map(round, column)) for column in sums]
    rows = zip(*values, counts, stacks.have_frames(), strict=True)
    kept = [bool((count or delay) and is_own and has_frames) for count, delay, is_own, has_frames in rows]
    stacks.choose(list(compress(range(len(kept)), kept)))
    label_sets = [make_labels({**dict(labels), counted.key: text or ""}) for labels, text in keys]
    columns = [array("q", compress(column, kept)) for column in values]
    stacks.add_to(builder, columns, array("I", compress(label_of, kept)), label_sets)


def _profile(
    counted: _Counted,
    period: int,
    before: _Counted = _NOTHING,
    is_harness: Callable[[str], bool] | None = None,
    *,
    off: str = "",
) -> Profile:
    """Build a profile of what was counted since `before`; `off` is the call that turns recording on."""
    from conduit.profile.builder import ProfileBuilder
    from conduit.profile.model import ValueType
    from conduit.record.module_names import ModuleNames

    contentions = ValueType("contentions", "count")
    delay = ValueType("delay", "nanoseconds")
    builder: ProfileBuilder = ProfileBuilder(
        [contentions, delay],
        period_type=contentions,
        period=period,
        name_function=ModuleNames.of_this_process(),
    )
    _add_threads(builder, counted, before, is_harness)
    nothing = [0.0, 0.0]
    for key, (count, waited) in counted.tasks.items():
        stack, labels = key
        old_count, old_waited = before.tasks.get(key, nothing)
        values = [round(count - old_count), round(waited - old_waited)]
        kept = drop_harness_frames(list(stack), is_harness)
        if any(values) and kept:
            builder.add(kept, values, dict(labels))
    hint = f"waits of this kind are not being recorded: conduit.record.waits.{off} turns that on"
    return builder.build(time.time_ns(), comments=[hint] if off else [])


def _not_negative(name: str, value: int) -> int:
    if value < 0:
        raise ValueError(f"{name} must not be negative, got {value}")
    return value


# ── recordings ──


class WaitRecording(Recording):
    """A block, mutex or gil profile, as a context manager or between `start()` and `stop()`.

    Frames at or below the innermost frame for which `is_harness(filename)` is true are dropped, and so are waits that
    have no other frames. Values are the number of waits and nanoseconds.
    """

    _counted_waits: ClassVar[Callable[[], _Counted]]

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        is_harness: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__(path)
        self._is_harness = is_harness
        self._before = self._counted = _NOTHING
        self._began_ns = self._duration_ns = 0
        self._period = 1

    def _turn(self, on: bool) -> None:
        raise NotImplementedError

    def _begin(self) -> None:
        self._turn(True)
        self._before = type(self)._counted_waits()
        self._began_ns = time.monotonic_ns()

    def _continue_in_child(self) -> None:
        self._before = type(self)._counted_waits()
        self._began_ns = time.monotonic_ns()

    def _halt(self) -> None:
        self._counted = type(self)._counted_waits()
        self._duration_ns = time.monotonic_ns() - self._began_ns
        self._turn(False)

    def _build(self) -> Profile:
        profile = _profile(self._counted, self._period, self._before, self._is_harness)
        profile.duration_nanos = self._duration_ns
        return profile


class BlockRecording(WaitRecording):
    """Where threads and tasks waited; see `set_block_profile_rate` for `rate_ns`."""

    kind: ClassVar[str] = "block"
    _counted_waits = staticmethod(_block_waits)

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        rate_ns: int = 1,
        is_harness: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__(path, is_harness=is_harness)
        self._rate_ns = self._period = _not_negative("rate_ns", rate_ns) or 1

    def _turn(self, on: bool) -> None:
        set_block_profile_rate(self._rate_ns if on else 0)


class MutexRecording(WaitRecording):
    """Which code held locks that others waited for; see `set_mutex_profile_fraction` for `fraction`."""

    kind: ClassVar[str] = "mutex"
    _counted_waits = staticmethod(_mutex_waits)

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        fraction: int = 1,
        is_harness: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__(path, is_harness=is_harness)
        self._fraction = self._period = _not_negative("fraction", fraction) or 1

    def _turn(self, on: bool) -> None:
        set_mutex_profile_fraction(self._fraction if on else 0)


class GilRecording(WaitRecording):
    """Where threads waited for the interpreter lock."""

    kind: ClassVar[str] = "gil"
    _counted_waits = staticmethod(_gil_waits)

    def _turn(self, on: bool) -> None:
        set_gil_profile(on)


def block(path: str | os.PathLike[str] | None = None, *, rate_ns: int = 1) -> BlockRecording:
    """Return a recording of a block profile into `path`: `with conduit.record.block("block.prof"): …`."""
    return BlockRecording(path, rate_ns=rate_ns)


def mutex(path: str | os.PathLike[str] | None = None, *, fraction: int = 1) -> MutexRecording:
    """Return a recording of a mutex profile into `path`: `with conduit.record.mutex("mutex.prof"): …`."""
    return MutexRecording(path, fraction=fraction)


def gil(path: str | os.PathLike[str] | None = None) -> GilRecording:
    """Return a recording of waits for the interpreter lock into `path`."""
    return GilRecording(path)
