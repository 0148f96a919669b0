"""Samples of a CPU profile agree with the clocks of its threads, and what no signal could find is charged in words."""

from __future__ import annotations

import subprocess
import sys
from array import array
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit._native import available
from conduit._native.sampler import RawSamples, ThreadClock
from conduit._native.stacks import RawStacks
from conduit.profile.codec import decode
from conduit.record.clocks import NOT_SAMPLED, SIGNALS_BLOCKED, START_AND_END, Reconciled, reconcile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import CodeType

    from conduit.profile.model import Profile

MS = 1_000_000
needs_native = pytest.mark.skipif(not available(), reason="the C extension is not built here")


def work() -> None:
    """Stands for what a thread runs."""


class Sample(NamedTuple):
    thread: int
    cpu_ns: int
    signals: int


def sample(thread: int, cpu_ms: float, signals: int = 1) -> Sample:
    return Sample(thread, round(cpu_ms * MS), signals)


def as_columns(samples: list[Sample]) -> RawSamples:
    """The samples as the extension returns them, each with one frame."""
    rows = [
        (one.thread, 100 + one.thread, 0, one.cpu_ns, one.signals, 1024 * one.signals, 1) for one in samples
    ]
    count = len(samples)
    numbers = array("q", [row[column] for column in range(7) for row in rows]).tobytes()
    bounds = array("q", [*range(count), *range(1, count + 1)]).tobytes()
    stacks = RawStacks([work.__code__], array("i", [0, 1]).tobytes(), bounds, bytes(4 * count))
    return RawSamples(stacks, numbers, [None] * count, [()] * count)


def clock(number: int | None, cpu_ms: float, blocks: bool = False, tid: int = 0) -> ThreadClock:
    return ThreadClock(number, tid or 100 + (number or 0), round(cpu_ms * MS), blocks)


def total_ns(result: Reconciled) -> float:
    return sum(result.timed.cpu_ns) + sum(one.cpu_ns for one in result.unsampled)


def run(
    samples: list[Sample],
    clocks: list[ThreadClock],
    process_ms: float | None = None,
    functions: Mapping[int, CodeType | None] | None = None,
) -> Reconciled:
    known_ms = sum(one.cpu_ns for one in clocks) / MS
    process_ns = round((known_ms if process_ms is None else process_ms) * MS)
    return reconcile(
        as_columns(samples), clocks, process_ns, lambda number, _: f"Thread-{number}", functions or {}
    )


def test_the_samples_of_a_thread_are_scaled_to_its_clock() -> None:
    result = run([sample(0, 40, 5), sample(0, 50, 4)], [clock(0, 99)])
    assert [round(cpu_ns / MS) for cpu_ns in result.timed.cpu_ns] == [44, 55]
    assert result.unsampled == []


def test_a_thread_that_blocks_the_signal_keeps_its_time_under_its_own_name() -> None:
    result = run([], [clock(0, 2000, blocks=True)])
    ((reason, cpu_ns, thread, _),) = result.unsampled
    assert (reason, cpu_ns, thread) == (SIGNALS_BLOCKED, 2000 * MS, "Thread-0")


def test_time_far_beyond_the_samples_is_said_to_be_not_sampled() -> None:
    result = run([sample(0, 100)], [clock(0, 1000)])
    assert result.unsampled_ns(NOT_SAMPLED) == 900 * MS


def test_short_threads_of_one_function_share_their_samples_and_their_clocks() -> None:
    functions = dict.fromkeys(range(100), work.__code__)
    clocks = [clock(number, 5) for number in range(100)]
    result = run([sample(3, 4), sample(70, 1)], clocks, functions=functions)
    assert [round(cpu_ns / MS) for cpu_ns in result.timed.cpu_ns] == [250, 250]
    assert set(result.timed.threads) == {"Thread-*"}


def test_short_threads_without_a_sample_are_charged_to_their_function() -> None:
    result = run([], [clock(0, 3), clock(1, 4)], functions={0: work.__code__, 1: work.__code__})
    ((reason, cpu_ns, _, function),) = result.unsampled
    assert (reason, cpu_ns, function) == (NOT_SAMPLED, 7 * MS, work.__code__)


def test_what_the_process_used_beyond_its_threads_is_their_start_and_end() -> None:
    result = run([sample(0, 100)], [clock(0, 100)], process_ms=130)
    assert result.unsampled_ns(START_AND_END) == 30 * MS


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 200), st.integers(1, 5)), max_size=40),
    st.lists(st.tuples(st.integers(1, 500), st.booleans(), st.booleans()), min_size=10, max_size=10),
    st.integers(0, 500),
)
def test_the_total_is_the_process_clock_whatever_was_sampled(
    drawn: list[tuple[int, int, int]], threads: list[tuple[int, bool, bool]], more_ms: int
) -> None:
    samples = [sample(*one) for one in drawn]
    # No thread is sampled for longer than it ran.
    sampled = {
        number: sum(one.cpu_ns for one in samples if one.thread == number) / MS for number in range(10)
    }
    clocks = [clock(number, ms + sampled[number], blocks) for number, (ms, blocks, _) in enumerate(threads)]
    functions = {number: work.__code__ for number, (_, _, new) in enumerate(threads) if new}
    process_ms = sum(one.cpu_ns for one in clocks) / MS + more_ms
    result = run(samples, clocks, process_ms, functions)
    assert total_ns(result) == pytest.approx(process_ms * MS, rel=0.002)


SHORT_THREADS = """
import threading, time

started = time.process_time()  # what came before is the interpreter's, much where it is a debug build

def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass

def short():
    burn(0.002)

def long():
    burn(0.006)

for _ in range(100):
    threads = [threading.Thread(target=target) for target in (short, long)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(time.process_time() - started)
"""

MASKED = """
import signal, threading, time

def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass

def masked():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPROF])
    burn(0.5)

threads = [threading.Thread(target=masked, name="masked"), threading.Thread(target=burn, args=(0.5,), name="plain")]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def profiled(tmp_path: Path, program: str) -> tuple[Profile, subprocess.CompletedProcess[str]]:
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, "-m", "conduit", "run", "-cpuprofile=cpu.prof", "program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return decode((tmp_path / "cpu.prof").read_bytes()), done


def cpu_of(profile: Profile, function: str) -> float:
    """Seconds of the samples with a function on their stack."""
    found = 0
    for one in profile.samples:
        names = {line.function.name for location in one.locations for line in location.lines if line.function}
        found += one.values[1] if any(name.endswith(function) for name in names) else 0
    return found / 1e9


@needs_native
def test_threads_shorter_than_the_period_have_the_time_that_they_used(tmp_path: Path) -> None:
    profile, done = profiled(tmp_path, SHORT_THREADS)
    total = sum(one.values[1] for one in profile.samples) / 1e9
    assert total == pytest.approx(float(done.stdout), rel=0.1)
    short, long = cpu_of(profile, "short"), cpu_of(profile, "long")
    assert long / (short + long) == pytest.approx(0.75, abs=0.03)
    assert short + long == pytest.approx(0.8, rel=0.05)


@needs_native
def test_a_thread_that_blocks_the_signal_is_in_the_profile_and_in_a_warning(tmp_path: Path) -> None:
    profile, done = profiled(tmp_path, MASKED)
    of_thread = {
        name: sum(one.values[1] for one in profile.samples if one.labels.get("thread") == [name]) / 1e9
        for name in ("masked", "plain")
    }
    assert of_thread["masked"] == pytest.approx(0.5, rel=0.05)
    assert of_thread["plain"] == pytest.approx(0.5, rel=0.05)
    assert cpu_of(profile, SIGNALS_BLOCKED) == pytest.approx(0.5, rel=0.05)
    assert "threads that block SIGPROF" in done.stderr
