"""The fuzzer's frame: inputs made by damaging good ones, read in a process of its own under limits of time and memory.

A kind is one reader: good inputs, words of its language, and the errors that it documents. Anything else that it raises is a
failure, and so are 5 seconds or 1 GB for one input. An input follows from the seed, the kind and its number alone, so that a
failure can be had again: `python -m tests.fuzz --kind KIND --seed SEED --input NUMBER`.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import resource
import struct
import time
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

SECONDS_FOR_ONE = 5.0
BYTES_FOR_ONE = 1 << 30
_WAITED = 10
_EXTREMES = [
    b"0",
    b"-1",
    b"1e400",
    b"9223372036854775808",
    b"\0",
    b"\xff",
    b"\xe2\x80\xae",
    b"'",
    b'"',
    b"\n",
    b"{" * 64,
    b"%",
    b"../",
]


@dataclass(frozen=True)
class Kind:
    """A reader under test. `words` are bytes of its language, which random bytes would seldom find."""

    name: str
    good: tuple[bytes, ...]
    read: Callable[[bytes], object]
    errors: tuple[type[BaseException], ...]
    words: tuple[bytes, ...] = field(default=())


class Failure(NamedTuple):
    """An input that broke a promise, and how."""

    kind: str
    seed: int
    number: int
    data: bytes
    reason: str


class Outcome(NamedTuple):
    """How many inputs were read, and the first that failed."""

    inputs: int
    failure: Failure | None


def make_input(kind: Kind, seed: int, number: int) -> bytes:
    """Return the input of that number: a good one, damaged in up to eight places."""
    random = Random(f"{seed}:{kind.name}:{number}")
    data = bytearray(random.choice(kind.good))
    for _ in range(random.choice((0, 1, 1, 2, 2, 3, 5, 8))):
        _damage(random, data, kind)
    return bytes(data)


def _damage(random: Random, data: bytearray, kind: Kind) -> None:
    start = random.randrange(len(data) + 1)
    length = random.choice((1, 1, 2, 4, 16, 64, 256))
    match random.randrange(6):
        case 0:
            data[start : start + length] = random.randbytes(min(length, 8))
        case 1:
            del data[start : start + length]
        case 2:
            data[start:start] = data[start : start + length] * random.choice((1, 2, 100))
        case 3:
            data[start:start] = random.choice((*kind.words, *_EXTREMES))
        case 4:
            other = random.choice(kind.good)
            cut = random.randrange(len(other) + 1)
            data[start : start + length] = other[cut : cut + length]
        case _:
            if start < len(data):
                data[start] ^= 1 << random.randrange(8)


def fuzz(
    kind: Kind,
    seed: int,
    *,
    seconds: float = 0,
    inputs: int = 0,
    first: int = 0,
    seconds_for_one: float = SECONDS_FOR_ONE,
) -> Outcome:
    """Read inputs from number `first` on, for a time or up to a number of them, until one fails."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    with mmap.mmap(-1, 8) as progress:  # shared: the number of the input that is being read, plus 1
        worker = context.Process(target=_work, args=(kind, seed, first, inputs, seconds, progress, theirs))
        with warnings.catch_warnings():
            # A test runner has threads of its own; none of them holds a lock that a reader takes.
            warnings.simplefilter("ignore", DeprecationWarning)
            worker.start()
        theirs.close()
        try:
            reason = _watch(worker.pid or 0, ours, progress, seconds_for_one)
        finally:
            worker.kill()
            worker.join()
            ours.close()
        reached = struct.unpack("q", progress[:8])[0]
    if not reason:
        return Outcome(reached - first, None)
    number = max(reached - 1, first)
    return Outcome(reached - first, Failure(kind.name, seed, number, make_input(kind, seed, number), reason))


def _watch(pid: int, worker: Connection, progress: mmap.mmap, seconds_for_one: float) -> str:
    """Wait for the worker to finish; return the reason why it did not, or an empty text.

    An input has `seconds_for_one` of the processor, since others may keep the machine busy, and ten times as long to wait.
    """
    before, since, used = -1, time.monotonic(), 0.0
    while not worker.poll(0.1):
        now = struct.unpack("q", progress[:8])[0]
        if now != before:
            before, since, used = now, time.monotonic(), _cpu_seconds(pid)
        elif (
            _cpu_seconds(pid) - used > seconds_for_one or time.monotonic() - since > _WAITED * seconds_for_one
        ):
            return f"took more than {seconds_for_one:g} s"
    try:
        return str(worker.recv())
    except EOFError:
        return "ended the process"


def _cpu_seconds(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, IndexError):  # it has ended
        return 0.0


def _work(
    kind: Kind, seed: int, first: int, inputs: int, seconds: float, progress: mmap.mmap, parent: Connection
) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: PTH123, SIM115
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES_FOR_ONE, used + BYTES_FOR_ONE))
    end = time.monotonic() + seconds if seconds else None
    number = first
    while (end is None or time.monotonic() < end) and (not inputs or number < first + inputs):
        progress[:8] = struct.pack("q", number + 1)
        try:
            kind.read(make_input(kind, seed, number))
        except kind.errors:
            pass
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            parent.send(f"{type(error).__name__}: {str(error)[:300]} ({where.filename}:{where.lineno})")
            os._exit(1)
        number += 1
    progress[:8] = struct.pack("q", number)
    parent.send("")
    os._exit(0)
