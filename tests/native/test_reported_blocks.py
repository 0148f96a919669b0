from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from conduit._native import allocations, available, heap, reason

pytestmark = pytest.mark.skipif(not available(), reason=reason())

PROJECT = Path(__file__).resolve().parent.parent.parent
DOMAIN = 424_242
# Nobody looks at what is there: these addresses are of no memory at all.
ADDRESS, SIZE = 0x7000_0000_0000, 123_456


@pytest.fixture
def reporter() -> Iterator[object]:
    """CPython's own extension that reports what it is told to."""
    module = pytest.importorskip("_testcapi", exc_type=ImportError)
    if not hasattr(module, "__file__"):
        pytest.skip("_testcapi is part of the interpreter here, whose own calls are not taken")
    tracemalloc.start()  # its reports would be refused otherwise
    yield module
    tracemalloc.stop()


def in_profile(size: int) -> tuple[int, ...]:
    sites = heap.read()[0]
    found = [site for site, of in enumerate(sites.sizes) if of == size]
    return tuple(sum(column[site] for site in found) for column in sites.sums)


@pytest.mark.parametrize("rate", [1, 2])
def test_a_reported_block_is_allocated_and_in_use_until_it_is_withdrawn(reporter, rate: int) -> None:
    size = SIZE if rate == 1 else 16384 * 8  # a whole size class
    heap.start(rate)
    for i in range(10):
        reporter.tracemalloc_track(DOMAIN, ADDRESS + 16 * i, size)
    assert in_profile(size) == (10, 10 * size, 10, 10 * size)
    for i in range(7):
        reporter.tracemalloc_untrack(DOMAIN, ADDRESS + 16 * i)
    assert in_profile(size) == (10, 10 * size, 3, 3 * size)
    heap.stop()
    for i in range(7, 10):
        reporter.tracemalloc_untrack(DOMAIN, ADDRESS + 16 * i)


def test_a_block_that_is_reported_again_in_another_size_has_that_size(reporter) -> None:
    heap.start(1)
    reporter.tracemalloc_track(DOMAIN, ADDRESS, SIZE)
    reporter.tracemalloc_track(DOMAIN, ADDRESS, 2 * SIZE)
    assert in_profile(SIZE) == (1, SIZE, 0, 0)
    assert in_profile(2 * SIZE) == (1, 2 * SIZE, 1, 2 * SIZE)
    reporter.tracemalloc_track(DOMAIN, ADDRESS, 2 * SIZE)  # the same once more is nothing new
    assert in_profile(2 * SIZE) == (1, 2 * SIZE, 1, 2 * SIZE)
    heap.stop()
    reporter.tracemalloc_untrack(DOMAIN, ADDRESS)


def test_a_report_without_the_interpreters_lock_is_dropped_and_told(reporter) -> None:
    heap.start(1)
    before = heap.read()[1]
    reporter.tracemalloc_track(DOMAIN, ADDRESS, SIZE, True)
    assert in_profile(SIZE) == (0, 0, 0, 0)
    assert heap.read()[1] == before + 1
    heap.stop()


def test_a_reporter_is_told_that_its_reports_arrive_only_while_a_profile_is_taken() -> None:
    module = pytest.importorskip("_testcapi", exc_type=ImportError)
    if not hasattr(module, "__file__"):
        pytest.skip("_testcapi is part of the interpreter here, whose own calls are not taken")
    with pytest.raises(RuntimeError, match="PyTraceMalloc_Track error"):
        module.tracemalloc_track(DOMAIN, ADDRESS, SIZE)
    heap.start(1)
    module.tracemalloc_track(DOMAIN, ADDRESS, SIZE)
    module.tracemalloc_untrack(DOMAIN, ADDRESS)
    heap.stop()
    with pytest.raises(RuntimeError, match="PyTraceMalloc_Track error"):
        module.tracemalloc_track(DOMAIN, ADDRESS, SIZE)


def test_tracemalloc_receives_the_reports_that_the_heap_profile_receives(reporter) -> None:
    before = tracemalloc.get_traced_memory()[0]
    heap.start(512 * 1024)
    reporter.tracemalloc_track(DOMAIN, ADDRESS, SIZE)
    heap.stop()
    assert tracemalloc.get_traced_memory()[0] - before >= SIZE
    reporter.tracemalloc_untrack(DOMAIN, ADDRESS)


def test_reports_of_many_threads_are_all_in_the_books(reporter) -> None:
    def report(number: int) -> None:
        for i in range(2_000):
            address = ADDRESS + (number << 24) + 32 * i
            reporter.tracemalloc_track(DOMAIN, address, SIZE)
            if i % 2:
                reporter.tracemalloc_untrack(DOMAIN, address)

    threads = [threading.Thread(target=report, args=(number,)) for number in range(4)]
    heap.start(1)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert in_profile(SIZE) == (8_000, 8_000 * SIZE, 4_000, 4_000 * SIZE)
    heap.stop()


ARRAYS = """
import sys
order, rate = sys.argv[1], int(sys.argv[2])
if order == "before":
    import numpy
from conduit import record
recording = record.heap(rate=rate)
recording.start()
import numpy

def keep():
    return [numpy.empty(12_500) for _ in range(2_000)]

def drop():
    for _ in range(2_000):
        numpy.zeros(12_501)

def small():
    for _ in range(2_000):
        numpy.empty(10)

def resize():
    array = numpy.empty(12_502)
    array.resize(25_003, refcheck=False)
    return array

kept = keep(), resize()
drop()
small()
recording.stop()
del kept
sums = {}
for sample in recording.profile.samples:
    names = [line.function.system_name for location in sample.locations for line in location.lines]
    for name in {"keep", "drop", "small", "resize"} & set(names):
        size = sample.numeric_labels["bytes"][0]
        if size >= 80 and (rate > 1 or size % 8 == 0 and size // 8 in (12_500, 12_501, 12_502, 25_003, 10)):
            key = name, size if rate == 1 else 0
            sums[key] = [a + b for a, b in zip(sums.get(key, [0] * 4), sample.values)]
print(sums)
"""


def arrays(order: str, rate: int) -> dict[tuple[str, int], list[int]]:
    pytest.importorskip("numpy")
    command = [sys.executable, "-c", ARRAYS, order, str(rate)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=PROJECT)
    assert answer.returncode == 0, answer.stderr
    sums: dict[tuple[str, int], list[int]] = eval(answer.stdout)
    return sums


@pytest.mark.parametrize("order", ["before", "after"])
def test_the_contents_of_numpys_arrays_are_counted_to_the_byte_whenever_numpy_was_loaded(order: str) -> None:
    sums = arrays(order, 1)
    assert sums["keep", 100_000] == [2_000, 200_000_000, 2_000, 200_000_000]
    assert sums["drop", 100_008] == [2_000, 200_016_000, 0, 0]
    assert sums["resize", 100_016] == [1, 100_016, 0, 0]
    assert sums["resize", 200_024] == [1, 200_024, 1, 200_024]
    assert sums["small", 80][1] >= 2_000 * 80 > sums["small", 80][3]


@pytest.mark.parametrize("order", ["before", "after"])
def test_the_sampled_mode_is_right_about_numpys_arrays_within_a_twentieth(order: str) -> None:
    sums = arrays(order, 64 * 1024)
    assert sums["keep", 0][1] == pytest.approx(200_000_000, rel=0.05)
    assert sums["keep", 0][3] == pytest.approx(200_000_000, rel=0.05)
    assert sums["drop", 0][1] == pytest.approx(200_016_000, rel=0.05)
    assert sums["drop", 0][3] == 0


NO_PATCHING = "#include <stddef.h>\nint mprotect(void *at, size_t size, int how) { return -1; }\n"
RECORDING = """
from conduit.record import heap
kept = []
with heap(rate=1) as recording:
    for _ in range(100): kept.append(bytes(50_000))
print(sum(s.values[3] for s in recording.profile.samples) >= 5_000_000, recording.warnings)
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to make a system without mprotect")
def test_where_calls_cannot_be_intercepted_the_rest_is_recorded_and_the_lack_is_told(tmp_path: Path) -> None:
    source, library = tmp_path / "hardened.c", tmp_path / "hardened.so"
    source.write_text(NO_PATCHING)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    done = subprocess.run(
        [sys.executable, "-c", RECORDING],
        env=os.environ | {"LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True [\"the contents of numpy's arrays are missing"), done.stdout


def test_a_block_of_the_raw_domain_that_is_withdrawn_and_reported_elsewhere_counts_once(reporter) -> None:
    """numpy does so from 2.5 on, to have its arrays in a domain of their own."""
    allocate, free = ctypes.pythonapi.PyMem_RawMalloc, ctypes.pythonapi.PyMem_RawFree
    allocate.restype, allocate.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    free.restype, free.argtypes = None, [ctypes.c_void_p]
    allocations.start()
    try:
        allocations.start_peak()
        before = allocations.read()
        for _ in range(3):
            address = allocate(SIZE)
            reporter.tracemalloc_untrack(0, address)
            reporter.tracemalloc_track(DOMAIN, address, SIZE)
            reporter.tracemalloc_untrack(DOMAIN, address)
            free(address)
        after = allocations.read()
        peak = allocations.read_peak()
    finally:
        allocations.stop()
    assert 3 * SIZE <= after.bytes - before.bytes < 3.5 * SIZE
    assert SIZE <= peak < 1.5 * SIZE
