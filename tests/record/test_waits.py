"""Known waits come out with the known delays. The truth is the wall time around each wait, taken by the waiter itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import select
import socket
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conduit import record
from conduit._native import available
from conduit.errors import ProfilerBusyError
from conduit.profile.codec import decode
from conduit.record import waits

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.model import Profile, Sample

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")


def names(sample: Sample) -> list[str]:
    return [
        line.function.name.rpartition(".")[2]
        for place in sample.locations
        for line in place.lines
        if line.function
    ]


def total(profile: Profile, function: str, column: int = 1, **labels: str) -> int:
    wanted = {name: [value] for name, value in labels.items()}
    return sum(
        sample.values[column]
        for sample in profile.samples
        if function in names(sample) and wanted.items() <= sample.labels.items()
    )


def without_processor_ns() -> int:
    """For how long this thread could have run but had no processor, since it began."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1])


def sleep_until_all_wait(threads: list[threading.Thread]) -> None:
    """Return when all threads were seen asleep three times in a row: none is on its way any more.

    Between two looks the interpreter's lock is free, so a thread that slept for want of it runs.
    """
    in_a_row = 0
    while in_a_row < 3:
        time.sleep(0.01)
        states = [
            Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()[0]
            for thread in threads
        ]
        in_a_row = in_a_row + 1 if set(states) == {"S"} else 0


class Waiters:
    """Runs waits in threads and measures each from outside."""

    def __init__(self) -> None:
        self.lock, self.reentrant = threading.Lock(), threading.RLock()
        self.condition, self.event = threading.Condition(), threading.Event()
        self.semaphore = threading.Semaphore(0)
        self.queue: queue.Queue[int] = queue.Queue()
        self.simple: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.left, self.right = socket.socketpair()
        self.truth: dict[str, int] = {}
        self.without_processor: dict[str, int] = {}
        self.waiting = self.released = 0

    def wait_lock(self) -> None:
        with self.lock:
            pass

    def wait_rlock(self) -> None:
        with self.reentrant:
            pass

    def wait_condition(self) -> None:
        with self.condition:
            self.condition.wait(0.15)

    def wait_event(self) -> None:
        self.event.wait()

    def wait_semaphore(self) -> None:
        self.semaphore.acquire()

    def wait_queue(self) -> None:
        self.queue.get()

    def wait_simple_queue(self) -> None:
        self.simple.get()

    def wait_socket(self) -> None:
        self.left.recv(1)

    def wait_select(self) -> None:
        select.select([], [], [], 0.15)

    def wait_sleep(self) -> None:
        time.sleep(0.15)

    def measured(self, wait: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            before = without_processor_ns()
            started = time.monotonic_ns()
            wait()
            self.truth[wait.__name__] = time.monotonic_ns() - started
            self.without_processor[wait.__name__] = without_processor_ns() - before

        return run

    def least_ns(self, name: str) -> int:
        """How long a wait lasts until it may end: a time of its own, or until everything is released."""
        if name == "wait_sleep":
            # Its end is known before it begins, and in between the thread may lose the processor.
            return 150_000_000 - self.without_processor[name]
        return 150_000_000 if name in ("wait_condition", "wait_select") else self.released - self.waiting

    def run(self) -> None:
        kinds = [getattr(self, name) for name in dir(self) if name.startswith("wait_")]
        threads = [threading.Thread(target=self.measured(wait)) for wait in kinds]
        with self.lock, self.reentrant:
            for thread in threads:
                thread.start()
            timed = {"wait_condition", "wait_select", "wait_sleep"}  # these end by themselves
            sleep_until_all_wait(
                [thread for thread, wait in zip(threads, kinds, strict=True) if wait.__name__ not in timed]
            )
            self.waiting = time.monotonic_ns()
            time.sleep(0.2)
            self.released = time.monotonic_ns()
        self.event.set()
        self.semaphore.release()
        self.queue.put(1)
        self.simple.put(1)
        self.right.send(b"x")
        for thread in threads:
            thread.join()
        self.left.close()
        self.right.close()


@pytest.fixture(scope="module")
def waited() -> tuple[Waiters, Profile]:
    waiters = Waiters()  # its locks are older than the recording
    with record.block() as recording:
        waiters.run()
    assert recording.profile is not None
    return waiters, recording.profile


REASONS = {"wait_socket": "socket", "wait_select": "select", "wait_sleep": "sleep"}


@pytest.mark.parametrize("name", [name for name in dir(Waiters) if name.startswith("wait_")])
def test_every_kind_of_wait_has_its_known_delay_and_reason(
    waited: tuple[Waiters, Profile], name: str
) -> None:
    waiters, profile = waited
    # Between its end and the clock's next reading lies the way back through the interpreter's lock, long where it is busy.
    waited_ns = total(profile, name, wait=REASONS.get(name, "lock"))
    assert 0.95 * waiters.least_ns(name) <= waited_ns <= 1.05 * waiters.truth[name]


GRACE_S = 0.05  # in which those that have asked begin to wait, also beside a busy neighbour


def is_between(least_ns: int, found: int, most_ns: int) -> bool:
    """Whether a wait is as long as its waiter and who ended it say by their clocks, whatever else the machine does.

    The least is from when the other was surely waiting, the most from before the waiter asked.
    """
    return 0.95 * least_ns <= found <= 1.05 * most_ns


def test_a_joined_thread_is_waited_for() -> None:
    def nap() -> None:
        time.sleep(GRACE_S)
        napping.append(time.monotonic_ns())
        time.sleep(0.1)
        napping.append(time.monotonic_ns())

    napping: list[int] = []
    thread = threading.Thread(target=nap)

    def wait_join() -> None:
        thread.join()

    with record.block() as recording:
        thread.start()
        started = time.monotonic_ns()
        wait_join()
        truth = time.monotonic_ns() - started
    assert recording.profile is not None
    assert is_between(napping[1] - napping[0], total(recording.profile, "wait_join"), truth)


def test_contention_is_charged_to_the_place_that_held_the_lock_with_where_it_was_made() -> None:
    def hold(lock: threading.Lock) -> None:
        with lock:
            entered.set()
            while len(asked) < 3:
                time.sleep(0.001)
            time.sleep(GRACE_S)
            held.append(time.monotonic_ns())
            time.sleep(0.1)
            held.append(time.monotonic_ns())

    def want(lock: threading.Lock) -> None:
        asked.append(time.monotonic_ns())
        with lock:
            got.append(time.monotonic_ns())

    asked: list[int] = []
    got: list[int] = []
    held: list[int] = []
    entered = threading.Event()
    with record.mutex() as recording:
        lock = threading.Lock()
        made = sys._getframe().f_lineno - 1
        threads = [threading.Thread(target=hold, args=(lock,))]
        threads[0].start()
        entered.wait()
        threads += [threading.Thread(target=want, args=(lock,)) for _ in range(3)]
        for thread in threads[1:]:
            thread.start()
        for thread in threads:
            thread.join()
    assert recording.profile is not None
    charged = sum(total(recording.profile, name, lock=f"{__file__}:{made}") for name in ("hold", "want"))
    assert is_between(3 * (held[1] - held[0]), charged, sum(got) - sum(asked))
    assert total(recording.profile, "hold", 0) == 1
    assert total(recording.profile, "hold") > 0.8 * charged


def test_waking_a_waiter_is_no_contention() -> None:
    work: queue.Queue[int] = queue.Queue()
    with record.mutex() as recording:
        thread = threading.Thread(target=work.get)
        thread.start()
        time.sleep(0.05)
        work.put(1)
        thread.join()
    assert recording.profile is not None
    assert [names(sample) for sample in recording.profile.samples if "notify" in names(sample)] == []


def test_an_uncontended_lock_leaves_no_trace() -> None:
    lock = threading.Lock()
    with record.mutex() as mutexes, record.block() as blocks:
        for _ in range(1000):
            with lock:
                pass
    assert mutexes.profile is not None
    assert blocks.profile is not None
    here = sys._getframe().f_code.co_name
    assert total(mutexes.profile, here, 0) == total(blocks.profile, here, 0, wait="lock") == 0


def test_threads_that_spin_wait_for_the_interpreters_lock() -> None:
    together = threading.Barrier(3)

    def spin() -> None:
        together.wait()
        until = time.thread_time() + 0.1
        while time.thread_time() < until:
            sum(range(100))

    with record.gil() as recording:
        begin = time.monotonic_ns()
        threads = [threading.Thread(target=spin) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_ns = time.monotonic_ns() - begin
    assert recording.profile is not None
    # Each computes for 0.1 s while the others want to: they wait 0.6 s if they take turns, and 0.3 s if one runs after
    # another, less the time until the machine lets each of them begin. No more than two wait at a time.
    assert 0.2e9 < total(recording.profile, "spin") < 2 * took_ns


def test_awaits_are_charged_to_task_and_awaited_line() -> None:
    async def slow() -> int:
        started = time.monotonic_ns()
        await asyncio.sleep(0.1)
        return time.monotonic_ns() - started

    async def main() -> int:
        return await asyncio.create_task(slow(), name="napper")

    with record.block() as recording:
        truth = asyncio.run(main())
    assert recording.profile is not None
    # The task reads its clock before and after it is suspended; on a busy machine, some time before and after.
    assert 0.09e9 <= total(recording.profile, "slow", wait="await", task="napper") <= truth


def test_a_contended_asyncio_lock_is_charged_to_its_holder_with_where_it_was_made() -> None:
    made = [0]

    async def main() -> tuple[int, int]:
        lock, made[0] = asyncio.Lock(), sys._getframe().f_lineno
        return await _contended(lambda: lock)

    with record.mutex() as recording:
        least, most = asyncio.run(main())
    assert recording.profile is not None
    charged = total(recording.profile, "user", lock=f"{__file__}:{made[0]}")
    assert is_between(least, charged, most)


class Tasks:
    """Waits of tasks, each measured by the waiter itself; `drive` ends those that need somebody."""

    def __init__(self) -> None:
        self.lock, self.semaphore = asyncio.Lock(), asyncio.BoundedSemaphore(1)
        self.condition, self.event, self.barrier = asyncio.Condition(), asyncio.Event(), asyncio.Barrier(2)
        self.empty: asyncio.Queue[int] = asyncio.Queue()
        self.full: asyncio.Queue[int] = asyncio.Queue(1)
        self.full.put_nowait(1)
        # For each wait, when the waiter began and ended; when the last had begun to wait, and when `drive` let them go.
        self.began: dict[str, int] = {}
        self.ended: dict[str, int] = {}
        self.all_wait = self.released = 0

    async def await_lock(self) -> None:
        async with self.lock:
            pass

    async def await_semaphore(self) -> None:
        async with self.semaphore:
            pass

    async def await_condition(self) -> None:
        async with self.condition:
            await self.condition.wait()

    async def await_event(self) -> None:
        await self.event.wait()

    async def await_barrier(self) -> None:
        await self.barrier.wait()

    async def await_get(self) -> None:
        await self.empty.get()

    async def await_put(self) -> None:
        await self.full.put(2)

    async def await_gather(self) -> None:
        await asyncio.gather(asyncio.sleep(0.1), asyncio.sleep(0.15))

    async def await_group(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0.15))

    async def await_timeout(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.never(), 0.15)

    async def never(self) -> None:
        await asyncio.Event().wait()

    async def drive(self) -> None:
        async with self.semaphore, self.lock:
            await asyncio.sleep(0.2)
            self.released = time.monotonic_ns()
            self.event.set()
            self.empty.put_nowait(1)
            self.full.get_nowait()
        async with self.condition:
            self.condition.notify_all()
        await self.barrier.wait()

    async def measured(self, name: str) -> None:
        self.began[name] = time.monotonic_ns()
        await getattr(self, name)()
        self.ended[name] = time.monotonic_ns()

    def note_that_all_wait(self) -> None:
        self.all_wait = time.monotonic_ns()

    async def run(self) -> None:
        waits = asyncio.gather(self.drive(), *(self.measured(name) for name in AWAITS))
        asyncio.get_running_loop().call_soon(self.note_that_all_wait)  # after the first step of each
        await waits

    def bounds(self, name: str) -> tuple[int, int]:
        """The shortest and the longest time that a wait can have taken, however often the thread lost its core."""
        let_go = self.began[name] + 150_000_000 if name in BY_CLOCK else self.released
        return let_go - self.all_wait, self.ended[name] - self.began[name]


AWAITS = [name for name in dir(Tasks) if name.startswith("await_")]
BY_CLOCK = ("await_gather", "await_group", "await_timeout")


@pytest.fixture(scope="module")
def awaited() -> tuple[Tasks, Profile]:
    async def main() -> tuple[Tasks, Profile]:
        tasks = Tasks()  # its locks are older than the recording
        with record.block() as recording:
            await tasks.run()
        assert recording.profile is not None
        return tasks, recording.profile

    return asyncio.run(main())


@pytest.mark.parametrize("name", AWAITS)
def test_every_kind_of_await_has_its_known_delay_and_its_line(
    awaited: tuple[Tasks, Profile], name: str
) -> None:
    tasks, profile = awaited
    shortest, longest = tasks.bounds(name)
    assert shortest <= total(profile, name, wait="await") <= longest
    code = getattr(Tasks, name).__code__
    lines = {line for *_, line in code.co_lines() if line}
    seen = {
        place.line
        for sample in profile.samples
        for location in sample.locations
        for place in location.lines
        if place.function and place.function.name == f"{__name__}.Tasks.{name}"
    }
    assert seen
    assert seen <= lines - {code.co_firstlineno}


async def _contended(hold: Callable[[], contextlib.AbstractAsyncContextManager[object]]) -> tuple[int, int]:
    """Three tasks one after the other; how long the later two have waited in all: at least, and at most."""
    asked: list[int] = []
    got: list[int] = []
    held: list[int] = []

    async def user() -> None:
        asked.append(time.monotonic_ns())
        async with hold():
            got.append(time.monotonic_ns())
            while len(asked) < 3:
                await asyncio.sleep(0)
            held.append(time.monotonic_ns())
            await asyncio.sleep(0.1)
            held.append(time.monotonic_ns())

    await asyncio.gather(*(user() for _ in range(3)))
    least = 2 * (held[1] - held[0]) + held[3] - held[2]  # both wait for the first, one of them for the second
    assert least > 0.29e9
    return least, sum(got) - sum(asked)


@pytest.mark.parametrize("made_before", [True, False])
@pytest.mark.parametrize(
    "kind", [asyncio.Lock, asyncio.Condition, asyncio.Semaphore, asyncio.BoundedSemaphore]
)
def test_contention_of_every_lock_of_asyncio_is_charged_also_when_it_was_made_before(
    kind: Callable[[], contextlib.AbstractAsyncContextManager[object]], made_before: bool
) -> None:
    async def main() -> tuple[int, int, int]:
        lock = kind()
        with record.mutex() as recording:
            if not made_before:
                lock = kind()
            least, most = await _contended(lambda: lock)
        assert recording.profile is not None
        where = "asyncio" if made_before else f"{__file__}:{kind_line}"
        return least, total(recording.profile, "user", lock=where), most

    kind_line = next(
        number
        for number, text in enumerate(Path(__file__).read_text().splitlines(), start=1)
        if text == "                lock = kind()"
    )
    assert is_between(*asyncio.run(main()))


def test_an_asyncio_lock_that_nobody_waits_for_is_no_contention() -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        for _ in range(100):
            async with lock:
                await asyncio.sleep(0)

    with record.mutex() as recording:
        asyncio.run(main())
    assert recording.profile is not None
    assert total(recording.profile, "main", 0) == 0


def test_tasks_numbered_by_asyncio_and_a_thousand_names_do_not_grow_the_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The names told apart stay so for the process's life, and the tests that follow want some of their own.
    monkeypatch.setattr(waits._rates, "watch", None)

    async def nap() -> None:
        await asyncio.sleep(0.001)

    async def main(names: bool) -> None:
        tasks = [asyncio.create_task(nap(), name=f"request {n}" if names else None) for n in range(1500)]
        await asyncio.gather(*tasks)

    def task_labels(names: bool) -> set[str]:
        with record.block() as recording:
            asyncio.run(main(names))
        assert recording.profile is not None
        naps = [sample for sample in recording.profile.samples if "nap" in names_of(sample)]
        return {sample.labels["task"][0] for sample in naps if "task" in sample.labels}

    names_of = names
    here = sys._getframe().f_code.co_qualname
    assert task_labels(names=False) == {f"{here}.<locals>.nap"}
    named = task_labels(names=True)
    assert "(other)" in named
    assert len(named) <= 1001


def test_uvloops_awaits_and_locks_are_charged_as_asyncios_and_it_is_as_it_was_afterwards() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def hold(lock: asyncio.Lock, seconds: float) -> tuple[int, ...]:
        asked = time.monotonic_ns()
        async with lock:
            got = time.monotonic_ns()
            await asyncio.sleep(GRACE_S)
            since = time.monotonic_ns()
            await asyncio.sleep(seconds)
            return asked, got, since, time.monotonic_ns()

    async def read() -> tuple[int, ...]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port[0])
        started = time.monotonic_ns()
        await reader.read()
        ended = time.monotonic_ns()
        writer.close()
        return started, *answering, ended

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(GRACE_S)
        answering.append(time.monotonic_ns())
        await asyncio.sleep(0.1)
        answering.append(time.monotonic_ns())
        writer.close()

    async def main() -> list[tuple[int, ...]]:
        lock = asyncio.Lock()
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port[0] = server.sockets[0].getsockname()[1]
            return await asyncio.gather(
                asyncio.create_task(hold(lock, 0.2), name="first"),
                asyncio.create_task(hold(lock, 0.1), name="second"),
                asyncio.create_task(read(), name="reader"),
            )

    answering: list[int] = []
    port, before = [0], dict(vars(uvloop.Loop))
    with record.block() as waits, record.mutex() as contention:
        first, second, reader = uvloop.run(main())
    assert dict(vars(uvloop.Loop)) == before
    assert waits.profile is not None
    assert contention.profile is not None
    _, begun, since, let_go = first
    asked, got, _, ended = second
    slept = total(waits.profile, "hold", wait="await", task="first")
    assert is_between(250_000_000, slept, let_go - begun)
    waited = total(waits.profile, "acquire", wait="await", task="second")
    assert is_between(let_go - since, waited, got - asked)
    both = total(waits.profile, "hold", wait="await", task="second")
    assert is_between(let_go - since + 150_000_000, both, ended - asked)
    started, opened, closed, ended = reader
    read_all = total(waits.profile, "read", wait="await", task="reader")
    assert is_between(closed - opened, read_all, ended - started)
    assert is_between(let_go - since, total(contention.profile, "hold"), got - asked)


def test_asyncio_is_as_it_was_afterwards() -> None:
    def patched() -> list[object]:
        kinds = (asyncio.Lock, asyncio.Semaphore, asyncio.events.Handle, asyncio.base_events.BaseEventLoop)
        return [vars(kind) | {} for kind in kinds]

    before = patched()
    with record.block():
        assert patched() != before
    assert patched() == before
    assert "create_task" in vars(asyncio.base_events.BaseEventLoop)


def test_a_rate_samples_short_waits_without_bias() -> None:
    lock = threading.Lock()

    def ping(count: int) -> None:
        for _ in range(count):
            with lock:
                time.sleep(0.0005)

    with record.block(rate_ns=10_000_000) as recording:
        threads = [threading.Thread(target=ping, args=(150,)) for _ in range(2)]
        started = time.monotonic_ns()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed = time.monotonic_ns() - started
    assert recording.profile is not None
    # Both threads sleep or wait nearly all the time: one in twenty waits is seen, and stands for twenty.
    assert total(recording.profile, "ping") == pytest.approx(2 * elapsed, rel=0.5)


def test_profiles_are_cumulative_while_a_rate_is_set() -> None:
    waits.set_block_profile_rate(1)
    try:
        time.sleep(0.01)
        first = total(waits.block_profile(), sys._getframe().f_code.co_name)
        time.sleep(0.01)
        second = total(waits.block_profile(), sys._getframe().f_code.co_name)
    finally:
        waits.set_block_profile_rate(0)
    assert 0 < first < second


def test_a_profile_of_waits_that_are_not_recorded_says_what_turns_recording_on() -> None:
    taken = {
        "set_block_profile_rate(": waits.block_profile,
        "set_mutex_profile_fraction(": waits.mutex_profile,
    }
    for call, profile in taken.items():
        (comment,) = profile().comments
        assert call in comment
    waits.set_mutex_profile_fraction(1)
    try:
        assert waits.mutex_profile().comments == []
    finally:
        waits.set_mutex_profile_fraction(0)


def test_counters_do_not_fall_when_a_rate_is_set_to_nothing_and_back() -> None:
    here = sys._getframe().f_code.co_name
    counted = []
    for _ in range(3):
        waits.set_block_profile_rate(1)
        time.sleep(0.01)
        waits.set_block_profile_rate(0)
        counted.append(total(waits.block_profile(), here, 0))
    assert counted[0] > 0
    assert counted == [counted[0], 2 * counted[0], 3 * counted[0]]


def test_the_place_of_a_lock_is_the_right_one_after_thousands_have_come_and_gone() -> None:
    def contended(lock: threading.Lock) -> None:
        with lock:
            thread = threading.Thread(target=lock.acquire)
            thread.start()
            sleep_until_all_wait([thread])
        thread.join()

    with record.mutex() as recording:
        kept = [threading.Lock() for _ in range(3000)]
        place = f"{__file__}:{sys._getframe().f_lineno - 1}"
        del kept[::2]
        kept += [threading.Lock() for _ in range(5000)]
        del kept[1500:]
        for lock in kept[::300]:
            contended(lock)
    assert recording.profile is not None
    # What `contended` releases itself: starting a thread takes locks of its own, which may be contended, too.
    released = [one for one in recording.profile.samples if names(one)[0] == "contended"]
    assert [(one.labels["lock"], one.values[0]) for one in released] == [([place], 5)]


def test_two_recordings_of_a_kind_are_refused_and_of_two_kinds_work_together(tmp_path: Path) -> None:
    with record.block(tmp_path / "block.prof"), record.mutex(tmp_path / "mutex.prof"):
        with pytest.raises(ProfilerBusyError, match="block profile is being taken"):
            record.block().start()
        time.sleep(0.01)
    assert decode((tmp_path / "block.prof").read_bytes()).samples
    assert decode((tmp_path / "mutex.prof").read_bytes()).sample_types[1].type == "delay"


def test_recording_goes_on_after_a_fork_in_parent_and_child() -> None:
    with record.block(), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # threads of an event loop in C may be left from other tests
        child = os.fork()
        if child == 0:
            # Only plain system calls here: whatever fails must end this process, not the test run's.
            code = 1
            try:
                before = len(waits.block_profile().samples)
                thread = threading.Thread(target=time.sleep, args=(0.01,))
                thread.start()
                thread.join()
                code = 0 if len(waits.block_profile().samples) > before else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_many_starts_and_stops_under_contention_lose_no_thread() -> None:
    lock, ended = threading.Lock(), threading.Event()

    def contend() -> None:
        while not ended.is_set():
            with lock:
                time.sleep(0)

    threads = [threading.Thread(target=contend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(300):
        waits.set_block_profile_rate(number % 2)
        waits.set_mutex_profile_fraction(number % 3)
        waits.block_profile()
    waits.set_block_profile_rate(0)
    waits.set_mutex_profile_fraction(0)
    ended.set()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
