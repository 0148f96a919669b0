from __future__ import annotations

from collections import Counter

from conduit.record.remote_charges import BETWEEN, Charges

A, B = [("a", "f.py", 1, 1)], [("b", "f.py", 2, 2)]


def settled(charges: Charges, *, is_last: bool = False) -> Counter[tuple[int, str]]:
    found: Counter[tuple[int, str]] = Counter()
    for tid, cpu_ns, frames in charges.settle(is_last=is_last):
        found[tid, frames[0][0]] += cpu_ns
    return found


def test_a_threads_time_is_divided_among_the_stacks_on_which_it_was_found_running() -> None:
    charges = Charges()
    charges.add(1, 500, A)  # what it had used before the first look is not charged
    for cpu_ns, frames in [(510, A), (540, None), (550, B), (601, A)]:
        charges.add(1, cpu_ns, frames)
    assert settled(charges) == {(1, "a"): 76, (1, "b"): 25}


def test_time_without_a_stack_goes_to_the_next_stack_and_at_the_end_to_a_frame_that_says_so() -> None:
    charges = Charges()
    for cpu_ns in (100, 130):
        charges.add(1, cpu_ns, None)
        charges.add(2, cpu_ns, None)
    assert settled(charges) == {}
    charges.add(1, 150, B)
    assert settled(charges) == {(1, "b"): 50}
    assert settled(charges, is_last=True) == {(2, BETWEEN[0]): 30}


def test_a_stack_that_was_found_before_the_clock_moved_gets_its_time_when_it_does() -> None:
    charges = Charges()
    charges.add(1, 100, A)
    assert settled(charges) == {}
    charges.add(1, 140, None)
    assert settled(charges) == {(1, "a"): 40}


def test_every_nanosecond_of_every_clock_is_charged_once() -> None:
    charges = Charges()
    total: Counter[tuple[int, str]] = Counter()
    for turn in range(100):
        for tid in (1, 2, 3):
            charges.add(tid, turn * (tid + 6), A if (turn * tid) % 7 == 0 else None)
        if turn % 9 == 0:
            total += settled(charges)
    total += settled(charges, is_last=True)
    by_thread = Counter({tid: sum(ns for (one, _), ns in total.items() if one == tid) for tid in (1, 2, 3)})
    assert by_thread == {1: 99 * 7, 2: 99 * 8, 3: 99 * 9}
