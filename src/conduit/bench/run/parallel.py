"""`b.run_parallel`: the iterations of one benchmark, shared among threads in grains of about 100 µs.

A thread takes a grain under a lock and then iterates without one, so that the sharing itself is not what is
measured.
"""

from __future__ import annotations

import inspect
import itertools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from conduit.bench.run.loop import Benchmark

GRAIN_NS = 100_000
LARGEST_GRAIN = 10_000


def grain_for(n: int, elapsed_ns: int) -> int:
    """How many iterations make about 100 µs, judged by a previous run; between 1 and 10,000."""
    if n <= 0 or elapsed_ns <= 0:
        return 1
    return max(1, min(GRAIN_NS * n // elapsed_ns, LARGEST_GRAIN))


class Share:
    """The iterations that are left for all threads."""

    def __init__(self, n: int, grain: int) -> None:
        self.left: int = n
        self.grain = grain
        self._lock = threading.Lock()

    def take(self) -> int:
        """Takes a grain; 0 when nothing is left."""
        with self._lock:
            taken = min(self.grain, self.left)
            self.left -= taken
            return taken

    def close(self) -> None:
        """Leaves nothing for anybody: the threads end with the grain they have."""
        with self._lock:
            self.left = 0


class Worker:
    """What the function of `run_parallel` receives in each thread: `for _ in worker` does this thread's share."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self.unfinished: int = 0

    def __iter__(self) -> Iterator[None]:
        return itertools.chain.from_iterable(self._grains())

    def _grains(self) -> Iterator[itertools.repeat[None]]:
        while taken := self._share.take():
            grain = itertools.repeat(None, taken)
            self.unfinished = taken
            yield grain
            self.unfinished = 0


def run_in_threads(benchmark: Benchmark, function: Callable[[Worker], Any], count: int, grain: int) -> None:
    """Runs the benchmark's iterations in `count` threads; raises what the first failing thread raised."""
    from conduit.bench.run.loop import BenchmarkMisuseError

    if count < 1:
        raise ValueError(f"run_parallel(threads={count}): expected at least one thread")
    share = Share(benchmark.n, grain)
    workers = [Worker(share) for _ in range(count)]
    failures: list[BaseException] = []

    def work(worker: Worker, gate: threading.Lock, finish: threading.Lock) -> None:
        gate.acquire()
        benchmark._enter_thread()
        try:
            _call(function, worker)
        except BaseException as failure:
            failures.append(failure)
            share.close()
        finally:
            finish.release()

    # Bare locks, because a Barrier runs a varying number of instructions, which --bytecodes would count.
    gates = [_closed_lock() for _ in workers]
    finishes = [_closed_lock() for _ in workers]
    threads = [
        threading.Thread(target=work, args=arguments, name="bench-worker")
        for arguments in zip(workers, gates, finishes, strict=True)
    ]
    benchmark.stop_timer()
    for thread in threads:
        thread.start()
    benchmark._forget_readings()
    benchmark.start_timer()
    for gate in gates:
        gate.release()
    try:
        for finish in finishes:
            finish.acquire()
        benchmark.stop_timer()
    except BaseException:
        share.close()  # Ctrl-C: the threads end with the grain they have
        raise
    finally:
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    if share.left or any(worker.unfinished for worker in workers):
        raise BenchmarkMisuseError(
            f"{benchmark.name}: the function of run_parallel returned before its `for _ in worker` was over "
            "(break or return in the loop?)"
        )


def _call(function: Callable[[Worker], Any], worker: Worker) -> None:
    if inspect.iscoroutinefunction(function):
        import asyncio

        asyncio.run(function(worker))
    else:
        function(worker)


def _closed_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock
