"""What an uncontended lock costs while waits are recorded, and a whole program: off against on, in turns.

    python benchmarks/waits_overhead.py [rounds]

Each round runs in fresh processes, off and on in random order. Printed are the medians and the 95 % interval of the
paired differences (bootstrap), in ns an operation.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys

CHILD = """
import json, queue, sys, threading, time
from conduit.record import waits

if sys.argv[1] == "on":
    waits.set_block_profile_rate(1)
    waits.set_mutex_profile_fraction(1)
    waits.set_gil_profile(True)

lock, reentrant, simple = threading.Lock(), threading.RLock(), queue.SimpleQueue()

def acquire_release(n):
    acquire, release = lock.acquire, lock.release
    for _ in range(n):
        acquire()
        release()

def with_lock(n):
    for _ in range(n):
        with lock:
            pass

def with_rlock(n):
    for _ in range(n):
        with reentrant:
            pass

def put_get(n):
    put, get = simple.put, simple.get
    for _ in range(n):
        put(1)
        get()

def no_lock(n):
    for _ in range(n):
        abs(-1)

def best(work, n=20000, repeat=15):
    times = []
    for _ in range(repeat):
        started = time.thread_time_ns()
        work(n)
        times.append((time.thread_time_ns() - started) / n)
    return min(times)

print(json.dumps({f.__name__: best(f) for f in (acquire_release, with_lock, with_rlock, put_get, no_lock)}))
"""


def run(state: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", CHILD, state], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def interval(differences: list[float]) -> tuple[float, float]:
    """The middle 95 % of the medians of resampled differences."""
    generator = random.Random(1)
    medians = sorted(
        statistics.median(generator.choices(differences, k=len(differences))) for _ in range(2000)
    )
    return medians[50], medians[-51]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    generator, taken = random.Random(7), []
    for _ in range(rounds):
        order = ["off", "on"]
        generator.shuffle(order)
        taken.append({state: run(state) for state in order})
    print(f"{'operation':16} {'off':>8} {'on':>8} {'on - off':>9}   95 % interval   (ns, {rounds} rounds)")
    for name in taken[0]["off"]:
        off = [pair["off"][name] for pair in taken]
        on = [pair["on"][name] for pair in taken]
        low, high = interval([b - a for a, b in zip(off, on, strict=True)])
        difference = statistics.median(b - a for a, b in zip(off, on, strict=True))
        row = f"{statistics.median(off):8.1f} {statistics.median(on):8.1f} {difference:+9.1f}"
        print(f"{name:16} {row}   [{low:+.1f}, {high:+.1f}]")


if __name__ == "__main__":
    main()
