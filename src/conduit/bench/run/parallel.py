"""`b.run_parallel`: the iterations of one benchmark, distributed over threads in chunks of about 100 µs.

A thread takes a chunk under a lock and then iterates without one, so that the cost of the lock is not measured.
"""

from __future__ import annotations

import inspect
import itertools
import threading
from typing import TYPE_CHECKING

from conduit.errors import BenchmarkMisuseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Protocol

    class ParallelBenchmark(Protocol):
        """The part of `Benchmark` that `run_in_threads` uses."""

        name: str
        n: int

        def start_timer(self) -> None:
            """Start the timer."""

        def stop_timer(self) -> None:
            """Stop the timer."""

        def _forget_readings(self) -> None:
            """Discard what was measured so far."""

        def _enter_thread(self) -> None:
            """Prepare a new thread for measuring."""


CHUNK_NS = 100_000
MAX_CHUNK = 10_000


def chunk_size(n: int, elapsed_ns: int) -> int:
    """Return the number of iterations that take about 100 µs, from a previous run; 1 to 10,000."""
    if n <= 0 or elapsed_ns <= 0:
        return 1
    return max(1, min(CHUNK_NS * n // elapsed_ns, MAX_CHUNK))


class WorkQueue:
    """The remaining iterations, shared by all threads."""

    def __init__(self, n: int, chunk: int) -> None:
        self.left: int = n
        self.chunk = chunk
        self._lock = threading.Lock()

    def take_chunk(self) -> int:
        """Take a chunk; return its number of iterations, 0 at the end."""
        with self._lock:
            taken = min(self.chunk, self.left)
            self.left -= taken
            return taken

    def close(self) -> None:
        """Discard the remaining iterations; workers stop after their current chunk."""
        with self._lock:
            self.left = 0


class Worker:
    """The argument of the function given to `run_parallel`, one per thread: `for _ in worker` runs iterations."""

    def __init__(self, queue: WorkQueue) -> None:
        self._queue = queue
        self.unfinished: int = 0

    def __iter__(self) -> Iterator[None]:
        return itertools.chain.from_iterable(self._chunks())

    def _chunks(self) -> Iterator[itertools.repeat[None]]:
        while taken := self._queue.take_chunk():
            chunk = itertools.repeat(None, taken)
            self.unfinished = taken
            yield chunk
            self.unfinished = 0


def run_in_threads(
    benchmark: ParallelBenchmark, function: Callable[[Worker], Any], count: int, chunk: int
) -> None:
    """Run the benchmark's iterations in `count` threads; re-raise the exception of the first thread that failed."""
    if count < 1:
        raise ValueError(f"run_parallel(threads={count}): expected at least one thread")
    queue = WorkQueue(benchmark.n, chunk)
    workers = [Worker(queue) for _ in range(count)]
    failures: list[BaseException] = []

    def work(worker: Worker, gate: threading.Lock, finish: threading.Lock) -> None:
        gate.acquire()
        benchmark._enter_thread()
        try:
            _call(function, worker)
        except BaseException as failure:
            failures.append(failure)
            queue.close()
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
        queue.close()  # Ctrl-C: workers stop after their current chunk
        raise
    finally:
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    if queue.left or any(worker.unfinished for worker in workers):
        raise BenchmarkMisuseError(
            f"{benchmark.name}: the function of run_parallel returned before its `for _ in worker` ended "
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
