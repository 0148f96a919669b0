"""Blocks that are all sampled, asked of the interpreter's allocators one by one: in a fresh process, prints what failed.

Run as `python -m tests.native.heap_blocks [below|above]`, with `PYTHONMALLOC` as the environment says; the word says
whether tracemalloc is started before the recording or in it. At a mean distance of 8 bytes a block of 480 or more is
left out once in 1e26, so the counts are exact.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import tracemalloc
from typing import TYPE_CHECKING, NamedTuple

from conduit._native import heap

if TYPE_CHECKING:
    from collections.abc import Callable

RATE = 8
BLOCKS = 300
# From pymalloc's pools, and beyond them; both are whole size classes.
SMALL, LARGE = 480, 20480
ALIGNED = 16384

_with_lock, _without_lock = ctypes.pythonapi, ctypes.CDLL(None)


class Domain(NamedTuple):
    malloc: Callable[[int], int]
    calloc: Callable[[int, int], int]
    realloc: Callable[[int, int], int]
    free: Callable[[int], None]


def domain(library: ctypes.CDLL, prefix: str) -> Domain:
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    functions = []
    for name, arguments in (
        ("Malloc", [size]),
        ("Calloc", [size, size]),
        ("Realloc", [pointer, size]),
        ("Free", [pointer]),
    ):
        function = library[prefix + name]  # an object of its own each time
        function.argtypes = arguments
        function.restype = None if name == "Free" else pointer
        functions.append(function)
    return Domain(*functions)


OBJECT, MEM = domain(_with_lock, "PyObject_"), domain(_with_lock, "PyMem_")
RAW = domain(_without_lock, "PyMem_Raw")


def take(of: Domain, size: int) -> list[int]:
    return [of.malloc(size) for _ in range(BLOCKS)]


def take_zeroed(of: Domain, size: int) -> list[int]:
    return [of.calloc(size // 4, 4) for _ in range(BLOCKS)]


def resize(of: Domain, blocks: list[int], size: int) -> list[int]:
    return [of.realloc(block, size) for block in blocks]


def give_back(of: Domain, blocks: list[int]) -> None:
    for block in blocks:
        of.free(block)


def innermost(sites: heap.HeapSites, site: int) -> list[str]:
    """The two innermost functions: up to 3.11 a comprehension is one."""
    stacks = sites.stacks
    bounds, places = memoryview(stacks.bounds).cast("q"), memoryview(stacks.places).cast("i")
    stack = memoryview(stacks.frames).cast("I")[bounds[site] : bounds[len(sites.labels) + site]]
    return [stacks.codes[places[2 * frame]].co_name for frame in stack[:2]]


def counted(by: str, size: int) -> tuple[int, ...]:
    """The four sums for blocks of that size that the function asked for."""
    sites = heap.read()[0]
    found = [site for site, of in enumerate(sites.sizes) if of == size and by in innermost(sites, site)]
    return tuple(sum(column[site] for site in found) for column in sites.sums)


def expect(by: str, size: int, allocated: int, in_use: int) -> None:
    found, wanted = counted(by, size), (allocated, allocated * size, in_use, in_use * size)
    assert found == wanted, f"{by} {size}: found {found}, expected {wanted}"


def check_taking_and_giving_back() -> None:
    for size in (SMALL, LARGE):
        for number, of in enumerate((OBJECT, MEM)):
            blocks = take(of, size)
            expect("take", size, (number + 1) * BLOCKS, BLOCKS)
            give_back(of, blocks)
            expect("take", size, (number + 1) * BLOCKS, 0)


def check_zeroed() -> None:
    for size in (SMALL, LARGE):
        blocks = take_zeroed(OBJECT, size)
        assert all(ctypes.string_at(block, size) == bytes(size) for block in blocks)
        expect("take_zeroed", size, BLOCKS, BLOCKS)
        give_back(OBJECT, blocks)
        expect("take_zeroed", size, BLOCKS, 0)


def check_resizing() -> None:
    """Up and down, over the border of pymalloc's pools and back."""
    blocks = take(MEM, 1024)
    for number, block in enumerate(blocks):
        ctypes.memset(block, number % 251, 1024)
    for size in (LARGE, SMALL, LARGE):
        blocks = resize(MEM, blocks, size)
        kept = min(size, SMALL)
        assert all(ctypes.string_at(b, kept) == bytes([n % 251]) * kept for n, b in enumerate(blocks))
        assert counted("resize", size)[2:] == (BLOCKS, BLOCKS * size)
    give_back(MEM, blocks)
    assert counted("resize", SMALL)[2:] == counted("resize", LARGE)[2:] == (0, 0)
    assert counted("take", 1024)[2:] == (0, 0)


def use_raw(running: threading.Event) -> None:
    aligned = os.environ.get("PYTHONMALLOC", "") in ("", "pymalloc", "malloc")
    while running.is_set():
        blocks = [RAW.malloc(100 * i) for i in range(1, 100)]
        give_back(RAW, [RAW.realloc(block, ALIGNED + 1) for block in blocks])
        if aligned:  # what looks like a sampled block, to an allocator that is libc's
            give_back(RAW, [_without_lock.memalign(ALIGNED, size) for size in range(1, 50)])


def check_beside_threads_without_the_lock() -> None:
    _without_lock.memalign.restype = ctypes.c_void_p
    _without_lock.memalign.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
    running = threading.Event()
    running.set()
    threads = [threading.Thread(target=use_raw, args=(running,)) for _ in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    for thread in threads:
        thread.start()
    for round_number in range(20):
        blocks = take(OBJECT, SMALL * 2)
        give_back(OBJECT, blocks)
        expect("take", SMALL * 2, (round_number + 1) * BLOCKS, 0)
    running.clear()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)


CHECKS = (
    check_taking_and_giving_back,
    check_zeroed,
    check_resizing,
    check_beside_threads_without_the_lock,
)


def record_once() -> None:
    for check in CHECKS:
        heap.start(RATE)
        try:
            check()
        finally:
            heap.stop()


def own_counts(stop: Callable[[], None]) -> list[int]:
    """How `sys.getallocatedblocks` grows by blocks that come and go, that stay, and that are freed after `stop`."""
    before = sys.getallocatedblocks()
    give_back(OBJECT, take(OBJECT, SMALL))
    counts = [sys.getallocatedblocks() - before]
    left = [*take(OBJECT, SMALL), *take(OBJECT, LARGE)]
    counts.append(sys.getallocatedblocks() - before)
    stop()
    give_back(OBJECT, resize(OBJECT, left, 2 * LARGE))
    del left
    return [*counts, sys.getallocatedblocks() - before]


def check_the_interpreters_own_count() -> None:
    """A sampled block counts there as any other does."""
    plain = own_counts(lambda: None)
    heap.start(RATE)
    sampled = own_counts(heap.stop)
    assert all(abs(a - b) < BLOCKS // 4 for a, b in zip(plain, sampled, strict=True)), (plain, sampled)


def expected_way(tracer: str) -> str:
    return "filtered" if tracer == "below" or "debug" in os.environ.get("PYTHONMALLOC", "") else "aligned"


def main(tracer: str) -> None:
    if tracer == "below":
        tracemalloc.start()
    way = heap.start(RATE)
    assert way == expected_way(tracer), way
    if tracer == "above":
        tracemalloc.start()
    left = take(OBJECT, SMALL)
    heap.stop()
    give_back(OBJECT, left)
    record_once()
    if tracer:
        tracemalloc.stop()
    record_once()
    if tracer != "below":  # the hooks vanished with the tracer's
        check_the_interpreters_own_count()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
