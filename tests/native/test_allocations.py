from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from conduit._native import allocations, available, reason
from tests.native.operations import EXPECTED

pytestmark = pytest.mark.skipif(not available(), reason=reason())

PROJECT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def counting() -> Iterator[None]:
    allocations.start()
    yield
    allocations.stop()


def counted_elsewhere(**environment: str) -> dict[str, tuple[int, int]]:
    """The table of operations as a fresh process counts it."""
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.native.count"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=PROJECT,
        env=os.environ | environment,
    )
    assert answer.returncode == 0, answer.stderr
    return {name: tuple(counts) for name, counts in json.loads(answer.stdout).items()}


def expected_by_name() -> dict[str, tuple[int, int]]:
    if not EXPECTED:
        pytest.skip(f"not counted by hand for Python {sys.version_info[:2]}")
    return {operation.__name__: counts for operation, counts in EXPECTED.items()}


def test_five_processes_count_exactly_what_was_counted_by_hand() -> None:
    expected = expected_by_name()
    for seed in ("0", "1", "2", "random", "random"):
        assert counted_elsewhere(PYTHONHASHSEED=seed) == expected


@pytest.mark.parametrize("allocator", ["debug", "malloc", "malloc_debug", "pymalloc_debug"])
def test_the_count_is_the_same_with_any_allocator_of_the_interpreter(allocator: str) -> None:
    assert counted_elsewhere(PYTHONMALLOC=allocator) == expected_by_name()


def test_twenty_thousand_blocks_are_counted_again_when_they_grow_and_not_when_they_shrink(
    counting: None,
) -> None:
    arrays = [bytearray(size) for size in range(1000, 21000)]
    tails = [bytes(len(array)) for array in arrays]
    head = 32 if sys.version_info >= (3, 15) else 0
    before = allocations.read()
    for array, tail in zip(arrays, tails, strict=True):
        array += tail  # doubling leaves no slack: 2 * size bytes and a terminating zero, on 3.15 in a `bytes` with its head
    grown = allocations.read()
    for array in arrays:
        del array[100:]
    shrunk = allocations.read()
    # The loops have an iterator or two, and a collection of garbage may fall in between.
    assert 0 <= grown.allocations - before.allocations - len(arrays) < 100
    assert 0 <= grown.bytes - before.bytes - sum(2 * len(tail) + 1 + head for tail in tails) < 10_000
    assert shrunk.allocations - grown.allocations < 100 + len(
        arrays
    )  # one slice object or integer a round at most
    assert shrunk.bytes - grown.bytes < 100 * len(arrays)


def test_another_thread_counts_for_itself_and_in_the_total(counting: None) -> None:
    def work() -> None:
        kept.append(bytes(1_000_000))

    kept: list[bytes] = []
    thread = threading.Thread(target=work)
    own, everyone = allocations.read(), allocations.read_all_threads()
    thread.start()
    thread.join()
    assert allocations.read().bytes - own.bytes < 1_000_000
    assert allocations.read_all_threads().bytes - everyone.bytes >= 1_000_000


def test_eight_threads_at_once_lose_no_allocation(counting: None) -> None:
    def work() -> None:
        for _ in range(2000):
            blocks.append(bytes(100))  # 100 bytes of content, 33 of header and terminating zero

    blocks: list[bytes] = []
    threads = [threading.Thread(target=work) for _ in range(8)]
    before = allocations.read_all_threads()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = allocations.read_all_threads()
    assert after.allocations - before.allocations >= 16_000
    assert after.bytes - before.bytes >= 16_000 * 133


def test_reading_does_not_count_itself(counting: None) -> None:
    allocations.read()
    first, second, third = allocations.read(), allocations.read(), allocations.read()
    assert first == second == third


def test_every_start_counts_from_zero() -> None:
    for _ in range(3):
        allocations.start()
        assert allocations.read().allocations < 10
        kept = [object() for _ in range(1000)]
        assert allocations.read().allocations >= len(kept)
        allocations.stop()


def test_starting_twice_is_an_error_that_says_so(counting: None) -> None:
    with pytest.raises(RuntimeError, match="being counted already"):
        allocations.start()


@pytest.mark.parametrize("function", ["read", "read_all_threads", "stop"])
def test_what_needs_a_start_says_so(function: str) -> None:
    with pytest.raises(RuntimeError, match=r"start\(\) comes first"):
        getattr(allocations, function)()


def test_a_tracer_that_was_started_in_between_survives_and_counting_can_start_again() -> None:
    allocations.start()
    tracemalloc.start()
    try:
        kept = bytearray(5000)
        allocations.stop()  # tracemalloc lies above: the layer has to stay, and passes on
        kept += bytes(5000)
        assert tracemalloc.get_traced_memory()[0] >= len(kept)
        allocations.start()
        before = allocations.read()
        kept += bytes(10_000)
        assert allocations.read().bytes - before.bytes >= 20_000
    finally:
        tracemalloc.stop()
        allocations.stop()
    allocations.start()
    try:
        # On one line, since from 3.14 on coverage allocates when a line is reached.
        before, made, after = allocations.read(), plain_objects(100), allocations.read()
    finally:
        allocations.stop()
    # The first answer is an object, too.
    assert 0 <= after.allocations - before.allocations - made <= 1


def plain_objects(number: int) -> int:
    for _ in (None,) * number:
        object()
    return number + (
        2 if sys.version_info < (3, 14) else 1
    )  # the tuple and, without a free list, its iterator


def test_a_child_process_goes_on_counting() -> None:
    script = """
import os
from conduit._native import allocations
allocations.start()
child = os.fork()
before = allocations.read()
kept = bytes(100_000)
assert 100_000 <= allocations.read().bytes - before.bytes < 101_000
allocations.stop()
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
else:
    os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_program_that_never_stops_counting_ends_well() -> None:
    script = "from conduit._native import allocations as a; a.start(); import json; json.dumps([1])"
    answer = subprocess.run(
        [sys.executable, "-X", "dev", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert (answer.returncode, answer.stderr) == (0, "")


def test_without_the_extension_every_function_says_why() -> None:
    script = """
from conduit._native import allocations
assert not allocations.available()
for function in (allocations.start, allocations.read, allocations.read_all_threads, allocations.stop):
    try:
        function()
    except RuntimeError as error:
        assert "CONDUIT_NATIVE=off" in str(error)
    else:
        raise AssertionError(function)
"""
    subprocess.run(
        [sys.executable, "-c", script], check=True, timeout=60, env=os.environ | {"CONDUIT_NATIVE": "off"}
    )
