from __future__ import annotations

import gc
import math
import os
import random
import subprocess
import sys
import threading
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from conduit import record
from conduit._native import available, reason
from conduit.errors import ProfilerBusyError
from conduit.profile.codec import decode
from conduit.profile.model import Profile
from conduit.record.heap import scale_sampled

pytestmark = pytest.mark.skipif(not available(), reason=reason())

PROJECT = Path(__file__).resolve().parent.parent.parent
kept: list[object] = []


def keep_big() -> None:
    for _ in range(40):
        kept.append(bytes(1 << 20))


def keep_small() -> None:
    for i in range(50_000):
        kept.append((i, [i]))


def drop() -> None:
    for _ in range(100_000):
        bytes(1000)


def grow() -> None:
    grown: list[None] = []
    for _ in range(500_000):
        grown.append(None)
    kept.append(grown)


FUNCTIONS = (keep_big, keep_small, drop, grow)
# What each asks for and keeps, from the sizes of the objects (64-bit CPython): bytes 33 + n; a tuple of two 56, a list 56
# and its one slot 8 (each with its garbage collector's header), an int 28 or, in a free list's absence, 32.
BIG = 40 * ((1 << 20) + 33)
DROPPED = 100_000 * 1033


def by_function(profile: Profile) -> dict[str, list[int]]:
    """The four sums of each function, as the innermost of them on the stack."""
    sums: dict[str, list[int]] = {function.__name__: [0, 0, 0, 0] for function in FUNCTIONS}
    for sample in profile.samples:
        names = [
            line.function.name for location in sample.locations for line in location.lines if line.function
        ]
        own = (name.removeprefix("tests.record.test_heap.") for name in names)
        name = next((name for name in own if name in sums), None)
        if name is not None:
            sums[name] = [a + b for a, b in zip(sums[name], sample.values, strict=True)]
    return sums


# The JIT compiler's own objects are charged to the lines that it compiles.
HAS_JIT = hasattr(sys, "_jit") and sys._jit.is_enabled()


def recorded_values(rate: int) -> dict[str, list[int]]:
    kept.clear()
    with record.heap(rate=rate) as recording:
        for function in FUNCTIONS:
            function()
    kept.clear()
    assert recording.profile is not None
    return by_function(recording.profile)


def test_the_exact_mode_counts_every_byte_to_the_line_that_asked() -> None:
    sums = recorded_values(1)
    # `kept` itself grows in there, by amounts that depend on what it held before.
    assert sums["keep_big"][0] - 40 <= 60
    assert 0 <= sums["keep_big"][1] - BIG < 50_000
    assert 0 <= sums["keep_big"][3] - BIG < 50_000
    # 100,000 blocks, the numbers of `range` past 256, and nothing left.
    assert 0 <= sums["drop"][0] - 100_000 <= 100_100
    assert DROPPED <= sums["drop"][1] <= DROPPED + 100_100 * 32
    assert sums["drop"][3] < (4000 if HAS_JIT else 1000)
    # A list of half a million slots of 8 bytes, with at most an eighth of slack.
    assert 500_000 * 8 <= sums["grow"][3] <= 500_000 * 9 + 1000
    assert sums["keep_small"][2] - 150_000 <= 50_100


@pytest.mark.skipif(HAS_JIT, reason="the JIT compiler allocates for the loops that it has found hot")
def test_the_exact_modes_counts_are_the_same_every_time_without_collections_of_garbage() -> None:
    recorded_values(1)  # fills the free lists
    gc.collect()
    gc.disable()  # a collection runs callbacks and finalizers, which allocate on the line that it interrupts
    try:
        first, second = recorded_values(1)["drop"], recorded_values(1)["drop"]
    finally:
        gc.enable()
    assert first == second


@pytest.mark.parametrize("rate", [16 * 1024, 128 * 1024])
def test_the_sampled_mode_agrees_with_the_exact_one(rate: int) -> None:
    exact, sampled = recorded_values(1), recorded_values(rate)
    for name, position in (("keep_big", 1), ("keep_big", 3), ("drop", 1), ("grow", 3), ("keep_small", 3)):
        truth = exact[name][position]
        # n samples are right to 1/sqrt(n); five standard deviations, and what one sample more or less is worth.
        tolerance = max(0.05, 5 / math.sqrt(truth / rate))
        assert sampled[name][position] == pytest.approx(truth, rel=tolerance), name


def test_an_allocation_is_charged_to_its_line_with_its_size_as_label() -> None:
    with record.heap(rate=1) as recording:
        held = bytes(123_456)
        line = sys._getframe().f_lineno - 1
    assert recording.profile is not None
    found = [s for s in recording.profile.samples if s.numeric_labels.get("bytes") == [123_456 + 33]]
    assert [sample.values for sample in found] == [[1, 123_489, 1, 123_489]]
    assert found[0].locations[0].lines[0].line == line
    assert len(held) == 123_456


def test_the_profile_has_the_types_of_gos_and_the_rate_as_period(tmp_path: Path) -> None:
    path = tmp_path / "heap.prof"
    with record.heap(path, rate=4096, default_sample_type="alloc_space"):
        keep_big()
    kept.clear()
    profile = decode(path.read_bytes())
    assert [f"{kind.type}/{kind.unit}" for kind in profile.sample_types] == [
        "alloc_objects/count",
        "alloc_space/bytes",
        "inuse_objects/count",
        "inuse_space/bytes",
    ]
    assert profile.period_type is not None
    assert (profile.period_type.type, profile.period_type.unit, profile.period) == ("space", "bytes", 4096)
    assert profile.default_sample_type == "alloc_space"


def test_samples_are_scaled_back_by_the_chance_of_being_sampled() -> None:
    factor = 1 / (1 - math.exp(-1000 / 524288))
    sums = [[10, 3], [10_000, 0], [5, 3], [5_000, 0]]
    assert [list(column) for column in scale_sampled(sums, 524288)] == [
        [int(10 * factor), 3],
        [int(10_000 * factor), 0],
        [int(5 * factor), 3],
        [int(5_000 * factor), 0],
    ]
    assert [list(column) for column in scale_sampled(sums, 1)] == sums


def test_a_snapshot_grows_from_one_to_the_next_by_what_was_kept() -> None:
    with record.heap(rate=1) as recording:
        before = by_function(recording.snapshot())
        keep_big()
        after = by_function(recording.snapshot())
    kept.clear()
    assert 0 <= after["keep_big"][3] - before["keep_big"][3] - BIG < 50_000


def test_garbage_is_collected_first_where_that_is_asked() -> None:
    class Ring:
        def __init__(self) -> None:
            self.me = self
            self.load = bytes(1_000_000)

    def leave_garbage() -> None:
        Ring()

    gc.disable()
    try:
        with record.heap(rate=1) as dirty:
            leave_garbage()
        with record.heap(rate=1, gc_first=True) as clean:
            leave_garbage()
    finally:
        gc.enable()
    in_use = [sum(s.values[3] for s in r.profile.samples) for r in (dirty, clean) if r.profile is not None]
    assert in_use[0] >= 1_000_000 > in_use[1]


def test_blocks_that_outlive_their_recording_are_freed_and_resized_well() -> None:
    for rate in (1, 64, 4096):
        with record.heap(rate=rate):
            blocks = [bytearray(size % 3000) for size in range(20_000)]
            lists = [[None] * (size % 50) for size in range(20_000)]
        for block, items in zip(blocks, lists, strict=True):
            block += b"x" * 100
            items.extend([None] * 20)
        assert all(block.endswith(b"x") for block in blocks)
        del blocks, lists


def test_contents_survive_every_kind_of_resize_while_sampled() -> None:
    with record.heap(rate=64):
        for size in (0, 1, 100, 511, 512, 513, 5000, 100_000):
            block = bytearray(b"a" * size)
            for _ in range(30):
                block += b"bc" * 17
            assert block == bytearray(b"a" * size + b"bc" * 17 * 30)
            del block[size:]
            assert block == bytearray(b"a" * size)


def test_every_allocator_of_the_interpreter_is_profiled_alike() -> None:
    script = """
from tests.record.test_heap import BIG, DROPPED, recorded_values
exact, sampled = recorded_values(1), recorded_values(65536)
assert 0 <= exact["keep_big"][3] - BIG < 50_000, exact
assert abs(sampled["keep_big"][3] - BIG) < BIG / 10, sampled
assert abs(sampled["drop"][1] - exact["drop"][1]) < DROPPED / 5, sampled
"""
    for allocator in ("debug", "malloc", "malloc_debug"):
        environment = os.environ | {"PYTHONMALLOC": allocator}
        command = [sys.executable, "-c", script]
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=120, cwd=PROJECT, env=environment
        )
        assert answer.returncode == 0, f"{allocator}: {answer.stderr}"


def test_a_tracer_above_ours_does_no_harm_and_the_next_recording_works() -> None:
    recording = record.heap(rate=65536)
    recording.start()
    tracemalloc.start()
    keep_big()
    recording.stop()
    kept.clear()
    with record.heap(rate=65536) as second:
        keep_big()
    tracemalloc.stop()
    kept.clear()
    assert second.profile is not None
    assert by_function(second.profile)["keep_big"][3] == pytest.approx(BIG, rel=0.1)
    with record.heap(rate=65536):
        drop()


def test_threads_that_allocate_together_are_all_counted() -> None:
    threads = [threading.Thread(target=drop) for _ in range(4)]
    with record.heap(rate=1) as recording:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert recording.profile is not None
    assert by_function(recording.profile)["drop"][1] >= 4 * DROPPED


def test_a_second_start_is_refused() -> None:
    with record.heap(), pytest.raises(ProfilerBusyError, match="a heap profile is being taken already"):
        record.heap().start()


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 byte"):
        record.heap(rate=0)


def test_without_the_extension_tracemalloc_gives_memory_in_use_and_says_so() -> None:
    script = """
from conduit import record
with record.heap() as recording:
    held = [bytes(1 << 20) for _ in range(10)]
types = [kind.type for kind in recording.profile.sample_types]
assert types == ["inuse_objects", "inuse_space"], types
assert sum(sample.values[1] for sample in recording.profile.samples) >= 10 << 20
assert "memory in use only" in recording.warnings[0] and "CONDUIT_NATIVE=off" in recording.warnings[0]
"""
    environment = os.environ | {"CONDUIT_NATIVE": "off"}
    command = [sys.executable, "-c", script]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert answer.returncode == 0, answer.stderr


def test_sampled_blocks_of_all_sizes_share_a_bounded_number_of_entries() -> None:
    with record.heap(rate=1024) as recording:
        for size in range(2_000, 42_000, 4):
            bytearray(size)
    assert recording.profile is not None
    sizes = {sample.numeric_labels["bytes"][0] for sample in recording.profile.samples}
    assert len(sizes) < 120  # 10,000 sizes were allocated


_BLOCK = 54_321 + 33  # of `bytes`: the head and a terminating zero


def nested(turns: str, made: list[bytes]) -> None:
    """Goes down by the left or the right call for each letter, and allocates once at the end."""
    if not turns:
        made.append(bytes(54_321))
    elif turns[0] == "l":
        nested(turns[1:], made)
    else:
        nested(turns[1:], made)


def test_the_exact_mode_tells_every_way_to_a_line_apart_in_any_order() -> None:
    chance = random.Random(7)
    ways = ["".join(chance.choices("lr", k=chance.randrange(9))) for _ in range(60)]
    order = chance.choices(ways, k=1500)
    first = nested.__code__.co_firstlineno
    with record.heap(rate=1) as recording:
        for way in order:
            nested(way, [])
    assert recording.profile is not None
    found: Counter[str] = Counter()
    for sample in recording.profile.samples:
        if sample.numeric_labels.get("bytes") != [_BLOCK]:
            continue
        calls = [location.lines[0] for location in sample.locations]
        lines = [
            call.line - first for call in calls if call.function and call.function.name.endswith("nested")
        ]
        assert lines[0] == 3
        way = "".join({5: "l", 7: "r"}[line] for line in reversed(lines[1:]))
        found[way] += sample.values[0]
        assert sample.values == [sample.values[0], sample.values[0] * _BLOCK, 0, 0]
    assert found == Counter(order)


def test_of_a_stack_that_is_too_deep_the_innermost_calls_are_kept() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 1000)
    try:
        with record.heap(rate=1) as recording:
            for depth in (700, 701, 3, 700):
                nested("l" * depth, [])
    finally:
        sys.setrecursionlimit(limit)
    assert recording.profile is not None
    found = [s for s in recording.profile.samples if s.numeric_labels.get("bytes") == [_BLOCK]]
    deep = [sample for sample in found if len(sample.locations) == 512]
    assert sum(sample.values[0] for sample in deep) == 3
    assert sum(sample.values[0] for sample in found) == 4


START_AND_STOP = """
from conduit import record

def held():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

def record_often(times):
    for _ in range(times):
        with record.heap():
            [bytes(2000) for _ in range(200)]

record_often(300)
before = held()
record_often(3000)
print(held() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
def test_starting_and_stopping_keeps_no_memory() -> None:
    done = subprocess.run([sys.executable, "-c", START_AND_STOP], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 500  # kB; some 100 bytes a call would be as much
