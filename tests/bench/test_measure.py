from __future__ import annotations

import gc
import itertools
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit._native import available
from conduit.bench.result import Measurement
from conduit.bench.run.loop import Benchmark
from conduit.bench.run.measure import (
    MAX_ITERATIONS,
    Options,
    Run,
    call,
    count_allocations,
    count_instructions,
    measure,
    next_n,
    spread_warning,
)
from conduit.errors import BenchmarkMisuseError
from tests.native.operations import EXPECTED, list_of_a_hundred_new_integers


def ran(function: Callable[[Benchmark], object], n: int = 1, **options: object) -> Benchmark:
    run = Run("BenchmarkX", function, Options(**options))  # type: ignore[arg-type]
    return call(run, Benchmark("BenchmarkX", n))


def measured(function: Callable[[Benchmark], object], **options: object) -> Measurement:
    settings: dict[str, object] = {"goal_ns": 1_000_000, **options}
    run = Run("BenchmarkX", function, Options(**settings))  # type: ignore[arg-type]
    return measure(run, call(run, Benchmark("BenchmarkX", 1)), 1)


def looping(operation: Callable[[], object]) -> Callable[[Benchmark], None]:
    def bench(b: Benchmark) -> None:
        for _ in b:
            operation()

    return bench


def counting_by_range(operation: Callable[[], object]) -> Callable[[Benchmark], None]:
    def bench(b: Benchmark) -> None:
        for _ in range(b.n):
            operation()

    return bench


# Calibration.


@given(st.integers(1, 10**12), st.integers(1, 10**9), st.integers(0, 10**12))
def test_n_grows_by_at_least_one_and_at_most_a_hundred_times(goal: int, last: int, elapsed: int) -> None:
    n = next_n(goal, last, elapsed, last)
    assert min(last + 1, MAX_ITERATIONS) <= n <= min(max(100 * last, last + 1), MAX_ITERATIONS)


@pytest.mark.parametrize(
    ("goal", "last", "elapsed", "expected"),
    [
        (1_000_000_000, 1, 100, 100),
        (1_000_000_000, 10_000, 500_000, 1_000_000),
        (1_000_000_000, 1_000_000, 50_000_000, 24_000_000),
        (1_000_000_000, 1, 900_000_000, 2),
        (1_000_000_000, 3, 0, 300),
        (10**12, 10**9, 1, 10**9),
    ],
)
def test_n_is_predicted_with_a_fifth_more(goal: int, last: int, elapsed: int, expected: int) -> None:
    assert next_n(goal, last, elapsed, last) == expected


def test_the_last_run_counts_and_each_run_gets_its_n() -> None:
    seen: list[int] = []

    def bench(b: Benchmark) -> None:
        seen.append(b.n)
        for _ in b:
            pass

    result = measured(bench)
    assert seen[0] == 1
    assert seen == sorted(set(seen))
    assert result.n == seen[-1]


def test_a_fixed_number_of_iterations_is_run_exactly_and_once_where_it_is_one() -> None:
    seen: list[int] = []

    def bench(b: Benchmark) -> None:
        seen.append(b.n)
        for _ in b:
            pass

    assert measured(bench, iterations=17).n == 17
    assert measured(bench, iterations=1).n == 1
    assert seen == [1, 17, 1]


def test_warming_up_runs_before_the_measurement() -> None:
    seen: list[int] = []

    def bench(b: Benchmark) -> None:
        seen.append(b.n)
        for _ in b:
            pass

    measured(bench, iterations=5, warm_up_iterations=50)
    assert seen == [1, 50, 5]


# The loop and the timer.


class Clock:
    """A clock that stands still unless the test moves it."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def pass_ns(self, duration_ns: int) -> None:
        self.now_ns += duration_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("conduit.bench.run.loop.perf_counter_ns", clock)
    return clock


def test_only_the_n_turns_of_the_loop_are_measured(clock: Clock) -> None:
    def bench(b: Benchmark) -> None:
        clock.pass_ns(1_000)
        turns = 0
        for _ in b:
            turns += 1
            clock.pass_ns(7)
        clock.pass_ns(2_000)
        assert turns == b.n == 10
        assert b.elapsed_ns == 70

    assert ran(bench, 10).elapsed_ns == 70


def test_without_the_loop_everything_from_call_to_return_is_measured(clock: Clock) -> None:
    assert ran(lambda b: clock.pass_ns(5)).elapsed_ns == 5


def test_a_loop_left_early_is_refused_with_what_to_look_for() -> None:
    def bench(b: Benchmark) -> None:
        for _ in b:
            break

    with pytest.raises(BenchmarkMisuseError, match="ended 2 iterations early"):
        ran(bench, 3)


def test_a_second_loop_in_one_run_is_refused() -> None:
    def bench(b: Benchmark) -> None:
        for _ in b:
            pass
        b.start_timer()
        for _ in b:
            pass

    with pytest.raises(BenchmarkMisuseError, match="entered twice"):
        ran(bench)


def test_a_loop_with_the_timer_stopped_is_refused() -> None:
    def bench(b: Benchmark) -> None:
        b.stop_timer()
        for _ in b:
            pass

    with pytest.raises(BenchmarkMisuseError, match="timer stopped"):
        ran(bench)


def test_time_between_stop_and_start_is_not_measured(clock: Clock) -> None:
    def bench(b: Benchmark) -> None:
        for _ in b:
            clock.pass_ns(3)
            b.stop_timer()
            clock.pass_ns(100)
            b.start_timer()
            clock.pass_ns(4)

    assert ran(bench, 10).elapsed_ns == 70


def test_resetting_forgets_time_and_metrics(clock: Clock) -> None:
    def bench(b: Benchmark) -> None:
        b.report_metric(1, "old/op")
        clock.pass_ns(100)
        b.reset_timer()
        clock.pass_ns(9)
        b.report_metric(2, "new/op")

    finished = ran(bench)
    assert finished.elapsed_ns == 9
    assert finished.metrics == {"new/op": 2.0}


@pytest.mark.parametrize("unit", ["", "a b", " x", "x\n"])
def test_a_metric_unit_with_white_space_is_refused(unit: str) -> None:
    with pytest.raises(ValueError, match="metric unit"):
        Benchmark("BenchmarkX", 1).report_metric(1, unit)


def test_a_coroutine_function_runs_in_an_event_loop_that_is_not_measured() -> None:
    import asyncio

    async def bench(b: Benchmark) -> None:
        for _ in b:
            await asyncio.sleep(0)

    assert ran(bench, 20).elapsed_ns > 0


@pytest.mark.parametrize(("mode", "enabled"), [("off", False), ("on", True), ("collect", False)])
def test_the_collector_is_what_was_asked_for_while_measuring_and_as_before_after_it(
    mode: str, enabled: bool
) -> None:
    states: list[bool] = []
    before = gc.isenabled()
    ran(lambda b: states.append(gc.isenabled()), gc_mode=mode)
    assert states == [enabled]
    assert gc.isenabled() == before


def test_collecting_at_the_end_of_a_run_is_part_of_its_time(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conduit.bench.run.measure.gc.collect", lambda: clock.pass_ns(1_000))
    bench = looping(lambda: clock.pass_ns(1))
    assert ran(bench, 10, gc_mode="collect").elapsed_ns == 1_010
    assert ran(bench, 10, gc_mode="off").elapsed_ns == 10


# Threads.


def test_threads_share_the_iterations_and_none_is_lost() -> None:
    done: list[int] = []

    def bench(b: Benchmark) -> None:
        def work(worker: object) -> None:
            done.append(sum(1 for _ in worker))  # type: ignore[attr-defined]

        b.run_parallel(work, threads=3)

    ran(bench, 10_000)
    assert len(done) == 3
    assert sum(done) == 10_000


def test_an_exception_in_a_thread_is_raised_in_the_benchmark() -> None:
    def bench(b: Benchmark) -> None:
        def work(worker: object) -> None:
            raise KeyError("in a thread")

        b.run_parallel(work, threads=2)

    with pytest.raises(KeyError, match="in a thread"):
        ran(bench, 10)


def test_a_thread_that_leaves_its_loop_early_is_refused() -> None:
    def bench(b: Benchmark) -> None:
        def work(worker: object) -> None:
            for _ in worker:  # type: ignore[attr-defined]
                return

        b.run_parallel(work, threads=2)

    with pytest.raises(BenchmarkMisuseError, match="returned before"):
        ran(bench, 100)


# Exact counts.


def expected_in_the_loop(operation: Callable[[], object]) -> tuple[int, int]:
    """What the operation allocates while the benchmark's own loop runs.

    From 3.14 on a free list keeps 100 ints. An operation that uses as many allocates those that the loop's own ints push
    out of it: two on 3.14, one on 3.15.
    """
    allocations, size = EXPECTED[operation]
    if operation is list_of_a_hundred_new_integers and sys.version_info >= (3, 14):
        pushed_out = 2 if sys.version_info < (3, 15) else 1
        return allocations + pushed_out, size + 32 * pushed_out
    return allocations, size


@pytest.mark.skipif(not available(), reason="the native extension is not built")
@pytest.mark.parametrize("shape", [looping, counting_by_range])
@pytest.mark.parametrize("operation", EXPECTED, ids=lambda operation: operation.__name__)
def test_allocations_are_those_counted_by_hand_whatever_the_shape_of_the_loop(
    operation: Callable[[], object], shape: Callable[[Callable[[], object]], Callable[[Benchmark], None]]
) -> None:
    run = Run("BenchmarkX", shape(operation), Options())
    counted, warnings = count_allocations(run, call(run, Benchmark("BenchmarkX", 50)))
    expected = expected_in_the_loop(operation) if shape is looping else EXPECTED[operation]
    assert (counted.allocations_per_op, counted.bytes_per_op) == expected
    assert not warnings


@pytest.mark.skipif(not available(), reason="the native extension is not built")
@pytest.mark.parametrize("operation", EXPECTED, ids=lambda operation: operation.__name__)
def test_what_is_allocated_while_the_timer_is_stopped_does_not_count(operation: Callable[[], object]) -> None:
    def bench(b: Benchmark) -> None:
        for _ in b:
            b.stop_timer()
            kept = [object() for _ in range(20)]
            b.start_timer()
            operation()
            del kept

    run = Run("BenchmarkX", bench, Options())
    counted, _ = count_allocations(run, call(run, Benchmark("BenchmarkX", 50)))
    assert (counted.allocations_per_op, counted.bytes_per_op) == expected_in_the_loop(operation)


@pytest.mark.skipif(not available(), reason="the native extension is not built")
def test_an_operation_that_allocates_differently_every_time_is_warninged() -> None:
    turns = iter(range(10**6))

    def bench(b: Benchmark) -> None:
        for _ in b:
            [object()] * next(turns)

    run = Run("BenchmarkX", bench, Options())
    _, warnings = count_allocations(run, call(run, Benchmark("BenchmarkX", 50)))
    assert [warning.code for warning in warnings] == ["unrepeatable-allocations"]


def kept_growing(every: int) -> Callable[[], object]:
    """An operation of one object, of which every so many also pay for a block that outlives them."""
    turns = itertools.cycle([*[False] * (every - 1), True])
    kept: list[bytearray] = []

    def operation() -> None:
        object()
        if next(turns):
            kept.append(bytearray(50_000))

    return operation


@pytest.mark.skipif(not available(), reason="the native extension is not built")
def test_what_only_a_few_iterations_allocate_is_a_warning_and_not_in_the_number() -> None:
    run = Run("BenchmarkX", looping(kept_growing(50)), Options())
    counted, warnings = count_allocations(run, call(run, Benchmark("BenchmarkX", 50)))
    assert (counted.allocations_per_op, counted.bytes_per_op) == (1, 16)
    assert [warning.code for warning in warnings] == ["irregular-allocations"]


@pytest.mark.skipif(not available(), reason="the native extension is not built")
def test_counting_an_operation_leaves_the_loops_own_rules_in_force() -> None:
    def bench(b: Benchmark) -> None:
        for turn in enumerate(b):
            if turn[0] == 1 and b.n > 1:
                break

    run = Run("BenchmarkX", bench, Options())
    with pytest.raises(BenchmarkMisuseError, match="iterations early"):
        count_allocations(run, call(run, Benchmark("BenchmarkX", 1)))


def test_instructions_are_the_same_every_time_and_grow_with_the_operation() -> None:
    def loop_of(turns: int) -> Callable[[], object]:
        def operation() -> int:
            total = 0
            for i in range(turns):
                total += i
            return total

        return operation

    def count(turns: int) -> int:
        return count_instructions(Run("BenchmarkX", looping(loop_of(turns)), Options()))

    assert {count(100) for _ in range(3)} == {count(100)}
    per_turn = (count(101) - count(1)) / 100
    assert per_turn == int(per_turn) > 0
    assert count(51) == count(1) + 50 * per_turn


def test_instructions_in_threads_are_counted_too_and_the_same_every_time() -> None:
    def bench(b: Benchmark) -> None:
        def work(worker: object) -> None:
            for _ in worker:  # type: ignore[attr-defined]
                sum([1, 2, 3])

        b.run_parallel(work, threads=2)

    counted = {count_instructions(Run("BenchmarkX", bench, Options(), threads=2)) for _ in range(4)}
    assert len(counted) == 1
    assert counted.pop() > 5


def test_counting_instructions_leaves_no_trace_function_behind() -> None:
    import sys

    def bench(b: Benchmark) -> None:
        frame = sys._getframe()
        for _ in b:
            pass
        assert frame.f_trace is None

    count_instructions(Run("BenchmarkX", bench, Options()))
    assert sys.gettrace() is None


# Doubts.


def test_a_benchmark_that_never_loops_is_too_quick_to_be_true() -> None:
    result = measured(lambda b: None)
    assert "too-quick" in [warning.code for warning in result.warnings]
    assert "for _ in b" in next(warning.remedy for warning in result.warnings if warning.code == "too-quick")


def test_an_honest_loop_is_not_too_quick() -> None:
    result = measured(looping(lambda: None))
    assert "too-quick" not in [warning.code for warning in result.warnings]


def test_too_few_iterations_are_warninged_unless_they_were_asked_for() -> None:
    slow = looping(lambda: sum(range(300_000)))
    assert "few-iterations" in [warning.code for warning in measured(slow, goal_ns=1).warnings]
    assert "few-iterations" not in [warning.code for warning in measured(slow, iterations=1).warnings]


def test_repetitions_far_apart_are_warninged_and_close_ones_are_not() -> None:
    def times(*ns: int) -> list[Measurement]:
        return [Measurement("X", 1, 1, value) for value in ns]

    warning = spread_warning(times(100, 120))
    assert warning is not None
    assert "20%" in warning.cause
    assert spread_warning(times(100, 109)) is None
    assert spread_warning(times(100)) is None


def test_the_loops_own_cost_can_be_subtracted() -> None:
    plain = measured(looping(lambda: None), iterations=20_000)
    lessened = measured(looping(lambda: None), iterations=20_000, subtracts_loop=True)
    assert plain.loop_ns == 0.0
    assert lessened.ns_per_op == pytest.approx(lessened.elapsed_ns / lessened.n - lessened.loop_ns)
    assert lessened.loop_ns > 0
