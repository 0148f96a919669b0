"""Generates the large profile that speed is judged by, and times `conduit pprof -top` on it.

    python benchmarks/profile_large.py generate large.pb.gz [--inlined | --shared]
    python benchmarks/profile_large.py time large.pb.gz [--go PATH_OF_PPROF] [--rounds 3]

The profile has 220,000 samples, 4.9 million frames, 6,000 functions, 30,000 locations and 1.5 million distinct calls.
With `--inlined` every fifth location holds two lines. With `--shared` the stacks are not random but a program's: deep,
most of their frames in common, so that thousands of boxes of a flame graph are wide enough to be drawn. `time` runs whole processes, with and without Go's program
in turns, and prints CPU seconds (the least of the rounds) and the most memory that any of them took.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import zlib
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from conduit.profile.wire import write_delimited, write_number, write_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = 220_000
FUNCTIONS = 6_000
PLACES = 5  # locations in each function
CALLEES = 270  # of each function: with this many calls drawn, 1.5 million distinct ones occur
DEPTHS = (5, 40)


def generate(inlined: bool, samples: int = SAMPLES, shared: bool = False) -> bytes:
    """The profile's bytes, always the same."""
    random = Random(4)
    strings = ["", "samples", "count", "cpu", "nanoseconds", "thread"]
    strings += [f"package{number % 80}.module{number % 700}.function_{number}" for number in range(FUNCTIONS)]
    strings += [
        f"/srv/application/package{number % 80}/module{number % 700}.py" for number in range(FUNCTIONS)
    ]
    strings += [f"worker-{number}" for number in range(8)]
    parts = [
        write_delimited(1, write_number(1, 1) + write_number(2, 2)),
        write_delimited(1, write_number(1, 3) + write_number(2, 4)),
    ]
    stacks = _shared_stacks(random, samples) if shared else (_stack(random) for _ in range(samples))
    parts += [write_delimited(2, _sample(random, stack, 6 + 2 * FUNCTIONS)) for stack in stacks]
    flags = b"".join(write_number(field, 1) for field in (7, 8, 9, 10))
    strings.append("/srv/application/main.py")
    parts.append(
        write_delimited(
            3, write_number(1, 1) + write_number(3, 1 << 32) + write_number(5, len(strings) - 1) + flags
        )
    )
    for number in range(FUNCTIONS * PLACES):
        function = number // PLACES
        lines = _line(function, 10 + number % PLACES)
        if inlined and number % 5 == 0:
            lines = _line((function * 31 + 7) % FUNCTIONS, 3) + lines
        parts.append(
            write_delimited(
                4,
                write_number(1, number + 1)
                + write_number(2, 1)
                + write_number(3, 4096 + number * 16)
                + lines,
            )
        )
    for number in range(FUNCTIONS):
        ids = (number + 1, 6 + number, 6 + number, 6 + FUNCTIONS + number, 9)
        parts.append(write_delimited(5, b"".join(write_number(field, id) for field, id in enumerate(ids, 1))))
    parts += [write_delimited(6, text.encode()) for text in strings]
    parts += [write_number(9, 1_760_000_000_000_000_000), write_number(10, 60_000_000_000)]
    parts += [write_delimited(11, write_number(1, 3) + write_number(2, 4)), write_number(12, 10_000_000)]
    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
    return compressor.compress(b"".join(parts)) + compressor.flush()


def _line(function: int, line: int) -> bytes:
    return write_delimited(4, write_number(1, function + 1) + write_number(2, line))


def _stack(random: Random) -> list[int]:
    function = int(random.random() ** 3 * 40)
    stack = []
    for _ in range(random.randint(*DEPTHS)):
        stack.append(1 + function * PLACES + int(random.random() * PLACES))
        function = (function * 7919 + int(random.random() * CALLEES) * 104_729 + 13) % FUNCTIONS
    return stack


def _shared_stacks(random: Random, samples: int) -> Iterator[list[int]]:
    """Stacks of a program: wrappers that call one function, now and then a choice of several, the costly one most."""
    waiting = [(samples, [1])]
    while waiting:
        count, stack = waiting.pop()
        if count < 12 or len(stack) > 90:
            own = count
        else:
            own = int(count * random.random() / 4) if random.random() < 0.08 else 0
        yield from [stack] * own
        parts = 1 if random.random() < 0.85 else random.randint(2, 5)
        weights = [random.random() ** 2 + 0.02 for _ in range(parts)]
        left = count - own
        for number, weight in enumerate(weights):
            share = left if number == parts - 1 else int((count - own) * weight / sum(weights))
            left -= share
            if share:
                function = (
                    (stack[-1] - 1) // PLACES * 7919 + random.randrange(40) * 104_729 + 13
                ) % FUNCTIONS
                waiting.append((share, [*stack, 1 + function * PLACES + random.randrange(PLACES)]))


def _sample(random: Random, stack: list[int], first_worker: int) -> bytes:
    count = 1 + int(random.expovariate(0.5))
    label = write_number(1, 5) + write_number(2, first_worker + random.randrange(8))
    return (
        write_numbers(1, reversed(stack))
        + write_numbers(2, [count, count * 10_000_000])
        + write_delimited(3, label)
    )


def time_processes(path: str, go: str | None, rounds: int) -> None:
    """Prints the CPU time and the memory of whole processes, in turns."""
    commands = {"conduit": [sys.executable, "-m", "conduit", "pprof", "-top", path]}
    if go:
        commands["go"] = [go, "-top", "-symbolize=none", path]
    best: dict[str, tuple[float, float, int]] = {}
    for _ in range(rounds):
        for name, command in commands.items():
            cost = _cost(command)
            best[name] = min(best.get(name, cost), cost)
    for name, (cpu, wall, memory) in best.items():
        print(f"{name:8} {cpu:7.2f} s CPU {wall:7.2f} s wall {memory / 1024:7.0f} MB")
    if go:
        print(
            f"conduit / go: {best['conduit'][0] / best['go'][0]:.2f} of the CPU, {best['conduit'][1] / best['go'][1]:.2f} of the wall time"
        )


def _cost(command: list[str]) -> tuple[float, float, int]:
    """CPU seconds, wall seconds, and the most memory in KiB of a process."""
    from time import perf_counter

    start = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, perf_counter() - start, usage.ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["generate", "time"])
    parser.add_argument("path")
    parser.add_argument("--inlined", action="store_true")
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("--go")
    parser.add_argument("--rounds", type=int, default=3)
    words = parser.parse_args()
    if words.action == "generate":
        Path(words.path).write_bytes(generate(words.inlined, shared=words.shared))
    else:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        time_processes(words.path, words.go, words.rounds)


if __name__ == "__main__":
    main()
