"""Profiles from columns are byte for byte those of the same stacks added one by one, on random tables."""

from __future__ import annotations

import ctypes
from array import array
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit._native import available
from conduit._native.heap import HeapSites
from conduit._native.sampler import RawSamples
from conduit._native.stacks import RawStacks
from conduit._native.waits import Waits
from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import encode_uncompressed
from conduit.profile.model import ValueType
from conduit.record import waits
from conduit.record.clocks import Reconciled, TimedSamples, Unsampled
from conduit.record.cpu import CpuRecording
from conduit.record.heap import _add_sites, scale_sampled
from conduit.record.naming import (
    MODULE_RUNNER,
    NO_FRAMES,
    OWN_FOLDER,
    UNREADABLE,
    WRAPPERS,
    drop_harness_frames,
    frame_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from conduit.record.naming import Frame

HARNESS = "/srv/harness.py"
FILES = ("/srv/app.py", "/srv/lib.py", HARNESS, MODULE_RUNNER, WRAPPERS[0], OWN_FOLDER + "cpu.py")
# Two of these are equal but for their identity, and two have the same name in different files.
CODES = [
    frame_of.__code__.replace(co_name=name, co_qualname=name, co_filename=file, co_firstlineno=10)
    for name, file in [("f", FILES[0]), *(("f", file) for file in FILES), ("g", FILES[0])]
]
PERIOD_NS = 10_000_000
LINES = (-1, 0, 10, 11)
PLACES = [(code, line) for code in range(len(CODES)) for line in LINES]
FRAMES = [frame_of(CODES[code], line) for code, line in PLACES]
# Most stacks hold frames of the program, many that harness, some our own: else nothing would be left of them.
ORDINARY = [number for number, frame in enumerate(FRAMES) if frame[1] in FILES[:2]]
OTHERS = [number for number, frame in enumerate(FRAMES) if frame[1] not in FILES[:2]]
STACKS = st.lists(st.one_of(st.sampled_from(ORDINARY), st.sampled_from(ORDINARY + OTHERS)), max_size=6)
LABELS = st.sampled_from([(), (("thread", "a"),), (("route", "/x"),), (("route", "/x"), ("task", "t"))])
IS_HARNESS = st.sampled_from([None, HARNESS.__eq__])
SYMBOL = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value or 0
needs_native = pytest.mark.skipif(not available(), reason="the C extension is not built here")


def raw_stacks(stacks: Sequence[Sequence[int]]) -> RawStacks:
    bounds, frames = as_stacks(stacks)
    return RawStacks(
        CODES, array("i", [number for place in PLACES for number in place]).tobytes(), bounds, frames
    )


def as_stacks(stacks: Sequence[Sequence[int]]) -> tuple[bytes, bytes]:
    stops = list(accumulate(map(len, stacks)))
    bounds = array("q", [0, *stops[:-1], *stops] if stops else [])
    return bounds.tobytes(), array("I", [frame for stack in stacks for frame in stack]).tobytes()


def as_columns(rows: Iterable[Sequence[float]], kind: str = "q") -> bytes:
    return array(kind, [number for column in zip(*rows, strict=True) for number in column]).tobytes()


def new_builder(types: int) -> ProfileBuilder:
    return ProfileBuilder([ValueType(f"type {number}", "count") for number in range(types)])


class Sample(NamedTuple):
    """A sample of a CPU profile; the thread is the number of one of two names."""

    stack: list[int]
    readable: bool
    counter: int
    cpu_ns: float
    thread: int
    task: str | None
    labels: tuple[tuple[str, str], ...]


SAMPLES = st.builds(
    Sample,
    STACKS,
    st.sampled_from([True, True, True, False]),
    st.sampled_from([0, SYMBOL]),
    st.floats(0, 1e9),
    st.integers(0, 1),
    st.sampled_from([None, "", "task"]),
    LABELS,
)


@needs_native
@given(st.lists(SAMPLES, max_size=12), IS_HARNESS, st.booleans(), st.randoms())
def test_a_cpu_profile_from_columns_is_that_of_its_samples_added_one_by_one(
    samples: list[Sample], is_harness: Callable[[str], bool] | None, keeps_harness: bool, random: Any
) -> None:
    order = list(range(len(samples)))
    random.shuffle(order)  # as the threads of a recording put it
    stacks = raw_stacks([one.stack if one.readable else [] for one in samples])
    numbers = as_columns([(one.thread, 0, one.counter, 0, 1, 1024, one.readable) for one in samples])
    recording = CpuRecording(is_harness=is_harness, passes_over_harness=keeps_harness)
    timed = TimedSamples()
    for number in order:
        timed.add([number], [samples[number].cpu_ns], f"thread {samples[number].thread}")
    unsampled = [Unsampled("[not sampled]", 3 * PERIOD_NS, "thread 0", CODES[0])]
    recording._reconciled = Reconciled(timed, unsampled)
    found, expected = new_builder(2), new_builder(2)
    tasks = [one.task for one in samples]
    recording._add_to(found, RawSamples(stacks, numbers, tasks, [one.labels for one in samples]))
    add_one_by_one(expected, [samples[number] for number in order], is_harness, keeps_harness)
    assert encode_uncompressed(found.build()) == encode_uncompressed(expected.build())


def add_one_by_one(
    builder: ProfileBuilder,
    samples: list[Sample],
    is_harness: Callable[[str], bool] | None,
    keeps_harness: bool,
) -> None:
    from conduit._native.sampler import line_of, symbol_of

    sums: dict[Any, float] = {}
    for one in samples:
        frames: list[Frame] = [FRAMES[number] for number in one.stack] if one.readable else []
        kept = drop_harness_frames(frames, is_harness)
        rest = [frame for frame in frames if frame[1] not in WRAPPERS]
        is_own = not rest or any(frame[1].startswith(OWN_FOLDER) for frame in rest)
        if frames and not kept and (is_own or not keeps_harness):
            continue
        symbol = symbol_of(one.counter) if one.counter and one.readable else None
        if not one.readable:
            kept = [UNREADABLE]
        elif symbol is not None:
            file, name = symbol
            kept = [(name or f"[{file.rpartition('/')[2]}]", file, 0, 0), *kept]
        key = tuple(kept or [NO_FRAMES]), one.labels, f"thread {one.thread}", one.task or ""
        sums[key] = sums.get(key, 0.0) + one.cpu_ns
    for (stack, labels, thread, task), total in sums.items():
        values = [max(1, round(total / PERIOD_NS)), round(total)]
        builder.add(stack, values, {**dict(labels), "thread": thread, "task": task})
    function = frame_of(CODES[0], line_of(CODES[0], 0))
    builder.add([("[not sampled]", "", 0, 0), function], [3, 3 * PERIOD_NS], {"thread": "thread 0"})


def sums_of(allocated: int, held: int, size: int) -> tuple[int, int, int, int]:
    """Blocks and bytes allocated, and those of them in use."""
    in_use = min(allocated, held)
    return allocated, allocated * size, in_use, in_use * size


SUMS = st.builds(sums_of, st.integers(0, 1 << 20), st.integers(0, 1 << 20), st.integers(1, 1 << 30))
SITES = st.lists(st.tuples(STACKS, st.integers(0, 3), SUMS, LABELS), max_size=12)


@given(SITES, st.sampled_from([1, 4096]), IS_HARNESS)
def test_a_heap_profile_from_columns_is_that_of_its_sites_added_one_by_one(
    sites: list[tuple[list[int], int, tuple[int, int, int, int], tuple[tuple[str, str], ...]]],
    rate: int,
    is_harness: Callable[[str], bool] | None,
) -> None:
    found, expected = new_builder(4), new_builder(4)
    columns = HeapSites(
        raw_stacks([stack for stack, _, _, _ in sites]),
        as_columns([(size, *sums) for _, size, sums, _ in sites]),
        [labels for _, _, _, labels in sites],
    )
    _add_sites(found, columns, rate, is_harness)
    for stack, size, sums, labels in sites:
        frames = [FRAMES[number] for number in stack]
        kept = drop_harness_frames(frames, is_harness)
        if kept or not frames:
            values = [column[0] for column in scale_sampled([[one] for one in sums], rate)]
            expected.add(kept or [NO_FRAMES], values, dict(labels), {"bytes": size})
    assert encode_uncompressed(found.build()) == encode_uncompressed(expected.build())


class Wait(NamedTuple):
    """Waits of one stack, and how much of them there was before the recording."""

    stack: list[int]
    made: list[int]
    times: float
    delay_ns: float
    before: float
    reason: str
    labels: tuple[tuple[str, str], ...]


WAITS = st.builds(
    Wait,
    STACKS.filter(bool),
    st.lists(st.sampled_from(ORDINARY), max_size=2),
    st.integers(0, 1000).map(lambda quarters: quarters / 4),
    st.integers(0, 1 << 50).map(float),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from(["lock", "sleep"]),
    LABELS,
)


@given(st.lists(WAITS, max_size=12), st.integers(0, 12), IS_HARNESS, st.booleans())
def test_a_profile_of_waits_from_columns_is_that_of_its_stacks_added_one_by_one(
    rows: list[Wait], known: int, is_harness: Callable[[str], bool] | None, by_lock: bool
) -> None:
    now = wait_columns([(one, 1) for one in rows])
    then = wait_columns([(one, one.before) for one in rows[:known]])
    texts = waits._locks(now) if by_lock else now.reasons
    key = "lock" if by_lock else "wait"
    found = waits._profile(
        waits._Counted(now, key, texts), 1, waits._Counted(then, key, texts[:known]), is_harness
    )
    assert waits._count(waits._Counted(now, key, texts)) == len(
        {
            (tuple(FRAMES[number] for number in one.stack), one.labels, text)
            for one, text in zip(rows, texts, strict=True)
        }
    )
    sums: dict[Any, list[float]] = {}
    for number, (one, text) in enumerate(zip(rows, texts, strict=True)):
        stack = tuple(FRAMES[number] for number in one.stack)
        old = one.before if number < known else 0.0
        total = sums.setdefault((stack, tuple({**dict(one.labels), key: text}.items())), [0.0, 0.0])
        total[0] += one.times - one.times * old
        total[1] += one.delay_ns - one.delay_ns * old
    expected = new_builder(2)
    for (stack, labels), (count, delay_ns) in sums.items():
        kept: list[Frame] = drop_harness_frames(list(stack), is_harness)
        values = [round(count), round(delay_ns)]
        if kept and any(values):
            expected.add(kept, values, dict(labels))
    samples = [(sample.locations, sample.labels, sample.values) for sample in found.samples]
    wanted = [(sample.locations, sample.labels, sample.values) for sample in expected.build().samples]
    assert [described(*one) for one in samples] == [described(*one) for one in wanted]


def wait_columns(rows: list[tuple[Wait, float]]) -> Waits:
    both = [stack for one, _ in rows for stack in (one.stack, one.made)]
    positions, frames = as_stacks(both)
    bounds = memoryview(positions).cast("q").tolist()
    return Waits(
        FRAMES,
        array("q", bounds[::2]).tobytes(),
        array("q", bounds[1::2]).tobytes(),
        frames,
        as_columns([(one.times * part, one.delay_ns * part) for one, part in rows], "d"),
        [one.reason for one, _ in rows],
        [one.labels for one, _ in rows],
    )


def described(locations: Any, labels: dict[str, list[str]], values: list[int]) -> Any:
    """A sample by what its locations say, since names with modules are given to the profile of waits only."""
    places = [
        (line.function.filename, line.function.start_line, line.line, location.address)
        for location in locations
        for line in location.lines
    ]
    return places, labels, values


def test_waits_of_a_notification_do_not_count() -> None:
    notified = ("Condition.notify", "/usr/lib/python3/threading.py", 5, 1)
    other = ("work", "/srv/app.py", 5, 1)
    bounds = array("q", [0, 1, 1, 2]).tobytes()
    sums = array("d", [1, 1, 10, 10]).tobytes()
    frames = array("I", [0, 1]).tobytes()
    columns = Waits(
        [notified, other], bounds, array("q", [1, 2] * 2).tobytes(), frames, sums, ["lock"] * 2, [()] * 2
    )
    assert waits._locks(columns) == [None, ""]
    profile = waits._profile(waits._Counted(columns, "lock", waits._locks(columns)), 1)
    assert [sample.values for sample in profile.samples] == [[1, 10]]
