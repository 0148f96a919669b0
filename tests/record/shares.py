"""A program whose CPU shares are known, because it measures them itself: `time.thread_time` around every call.

About 50 % in one Python function, 30 % in another, 15 % inside C functions, 5 % in a second thread; and one thread asleep.
"""

from __future__ import annotations

import random
import threading
import time
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBERS = random.Random(1).sample(range(10**6), 10_000)
_BYTES = bytes(random.Random(2).getrandbits(8) & 0x3F for _ in range(150_000))


def half(n: int = 22_000) -> int:
    total = 0
    for i in range(n):
        total += i * i % 7
    return total


def third(n: int = 4_000) -> dict[int, int]:
    counts: dict[int, int] = {}
    for i in range(n):
        counts[i % 97] = counts.get(i % 97, 0) + len(str(i))
    return counts


def in_c_with_the_lock() -> list[int]:
    return sorted(_NUMBERS)


def in_c_without_the_lock() -> bytes:
    return zlib.compress(_BYTES, 6)


def beside(n: int = 15_000) -> float:
    total = 0.0
    for i in range(n):
        total += i * 0.5
    return total


def asleep(until: threading.Event) -> None:
    until.wait()


FUNCTIONS = ("half", "third", "in_c_with_the_lock", "in_c_without_the_lock", "beside", "asleep")


def half_of_a_burst() -> int:
    return half(3_000)


def third_of_a_burst() -> dict[int, int]:
    return third(800)


def run(cpu_seconds: float, *, bursts: bool = False) -> dict[str, float]:
    """Use so much CPU time in the main thread, and return the seconds that each function really used.

    With `bursts` the calls last a few tenths of a millisecond, with sleeps of up to 3 ms between them, as in a service.
    """
    truth = dict.fromkeys(FUNCTIONS, 0.0)
    done = threading.Event()

    def timed(function: Callable[[], object]) -> None:
        begin = time.thread_time()
        function()
        truth[function.__name__.removesuffix("_of_a_burst")] += time.thread_time() - begin

    def second_thread() -> None:
        while not done.wait(0.016):
            timed(beside)

    threads = [
        threading.Thread(target=second_thread, name="second"),
        threading.Thread(target=asleep, args=(done,), name="sleeper"),
    ]
    for thread in threads:
        thread.start()
    end = time.thread_time() + cpu_seconds
    # In a new order each time: a program that repeats itself in step with the sampler would be seen in one place.
    rng = random.Random(3)
    steps: list[Callable[[], object]] = [half] * 5 + [third] * 5 + [in_c_with_the_lock, in_c_without_the_lock]
    if bursts:
        steps = [half_of_a_burst] * 9 + [third_of_a_burst] * 6 + [in_c_with_the_lock]
    while time.thread_time() < end:
        rng.shuffle(steps)
        for step in steps:
            timed(step)
            if bursts:
                time.sleep(rng.uniform(0, 0.003))
    done.set()
    for thread in threads:
        thread.join()
    return truth
