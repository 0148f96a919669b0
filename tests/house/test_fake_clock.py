"""The fake clock keeps the promises of the real one that tests of logic rest on."""

from __future__ import annotations

import threading

import pytest

from tests.fakes.clock import FakeClock


def test_time_stands_still_until_a_test_moves_it() -> None:
    clock = FakeClock(start_ns=5)
    assert [clock.monotonic_ns(), clock.time_ns()] == [5, 5]
    clock.advance(1.5)
    assert clock.perf_counter_ns() == 1_500_000_005
    assert FakeClock(2_000_000_000).monotonic() == 2.0


def test_a_sleep_takes_no_real_time_and_is_noted() -> None:
    clock = FakeClock()
    clock.sleep(3600)
    clock.sleep(0.25)
    assert (clock.sleeps, clock.monotonic()) == ([3600, 0.25], 3600.25)
    with pytest.raises(ValueError, match="non-negative"):
        clock.sleep(-1)


def test_a_ticking_clock_ends_a_loop_that_waits_without_sleeping() -> None:
    clock = FakeClock(tick_ns=10)
    assert [clock.monotonic_ns() for _ in range(3)] == [0, 10, 20]


def test_planned_calls_are_made_in_order_at_their_own_times() -> None:
    clock = FakeClock()
    seen: list[tuple[str, float]] = []
    clock.call_at(2, lambda: seen.append(("second", clock.monotonic())))
    clock.call_at(1, lambda: seen.append(("first", clock.monotonic())))
    clock.call_at(9, lambda: seen.append(("never", clock.monotonic())))
    clock.sleep(3)
    assert seen == [("first", 1.0), ("second", 2.0)]
    assert clock.monotonic() == 3.0


def test_waiting_ends_with_the_event_or_with_the_timeout() -> None:
    clock, event = FakeClock(), threading.Event()
    assert clock.wait(event, 2) is False
    assert clock.monotonic() == 2.0
    clock.call_at(1, event.set)
    assert clock.wait(event, 5) is True
    assert clock.monotonic() == 3.0
    with pytest.raises(AssertionError, match="without a timeout"):
        clock.wait(threading.Event())
