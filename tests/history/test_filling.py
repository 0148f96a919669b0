"""Which commit is measured next, how long the rest takes, and what is kept of it."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from conduit.history.culprit import CannotMeasureError
from conduit.history.filler import Filler, Progress
from conduit.history.filling import Measurement, Schedule


def cost(level: float, rng: random.Random) -> Measurement:
    return Measurement({"a": [math.log(level) + rng.gauss(0, 0.005) for _ in range(6)]})


def visit(schedule: Schedule, levels: list[float], broken: tuple[int, ...] = ()) -> list[int]:
    rng = random.Random(5)
    visited = []
    while (position := schedule.next()) is not None:
        visited.append(position)
        if position in broken:
            schedule.gaps.add(position)
        else:
            schedule.measured[position] = cost(levels[position], rng)
    return visited


def test_the_coarse_pass_covers_the_range_evenly_whenever_it_is_stopped() -> None:
    visited = visit(Schedule(129), [1.0] * 129)
    assert visited[:5] == [128, 0, 64, 32, 96]
    assert len(visited) == len(set(visited)) <= 33
    for count in (3, 5, 9, 17):
        ordered = sorted(visited[:count])
        gaps = {b - a for a, b in pairwise(ordered)}
        assert max(gaps) <= 2 * min(gaps)


@pytest.mark.parametrize("planted", [1, 17, 333, 998, 999])
def test_a_step_is_narrowed_to_two_neighbours_with_a_few_more_commits(planted: int) -> None:
    schedule = Schedule(1000)
    visited = visit(schedule, [1.0] * planted + [1.05] * (1000 - planted))
    assert {planted - 1, planted} <= set(visited)
    assert len(visited) <= 32 + 2 + 6
    (move,) = schedule.moves()
    assert (move.before, move.after) == (planted - 1, planted)
    assert move.delta == pytest.approx(0.05, abs=0.01)


def test_a_count_that_changes_is_followed_where_the_time_does_not_move() -> None:
    schedule = Schedule(200)
    while (position := schedule.next()) is not None:
        count = 10.0 if position < 77 else 12.0
        schedule.measured[position] = Measurement({"a": [0.0, 0.001]}, {("a", "allocs/op"): [count] * 5})
    (move,) = schedule.moves()
    assert (move.before, move.after, move.unit, move.delta) == (76, 77, "allocs/op", pytest.approx(0.2))


def test_a_stated_step_measures_every_nth_commit_and_both_ends_and_nothing_else() -> None:
    assert sorted(visit(Schedule(100, 25), [1.0] * 50 + [2.0] * 50)) == [0, 25, 50, 75, 99]
    assert sorted(visit(Schedule(3, 25), [1.0, 1.0, 2.0])) == [0, 2]


def test_gaps_are_not_asked_for_again_and_a_step_beside_them_is_narrowed_as_far_as_it_goes() -> None:
    schedule = Schedule(500)
    visited = visit(schedule, [1.0] * 100 + [1.5] * 400, broken=(99, 100, 101))
    assert len(visited) == len(set(visited))
    (move,) = schedule.moves()
    assert (move.before, move.after) == (98, 102)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def run(
    count: int, each: float, budget: float, broken: tuple[int, ...] = ()
) -> tuple[bool, list[Progress], Schedule]:
    clock, schedule, told = Clock(), Schedule(count, 1), []

    def measure(position: int) -> Measurement:
        clock.seconds += each
        if position in broken:
            raise CannotMeasureError(f"{position} does not build")
        return Measurement({"a": [0.0, 0.0]})

    filler = Filler(
        schedule,
        measure,
        lambda at, reason: None,
        clock,
        budget,
        lambda at, reason, progress: told.append(progress),
    )
    return filler.run(), told, schedule


def test_the_estimate_is_what_it_takes_where_commits_take_equally_long() -> None:
    is_done, told, _ = run(10, each=4.0, budget=1000)
    assert is_done
    for progress in told:
        assert progress.spent + (progress.left or 0) == pytest.approx(40)
        assert progress.beyond_budget == 0


def test_the_budget_ends_the_run_and_is_part_of_the_estimate() -> None:
    is_done, told, schedule = run(10, each=4.0, budget=17)
    assert not is_done
    assert len(schedule.measured) == 5  # the one that was begun before the end is finished
    assert told[0].left == pytest.approx(13)
    assert told[0].beyond_budget == 5


def test_a_commit_that_cannot_be_measured_is_a_gap_and_the_rest_goes_on() -> None:
    is_done, told, schedule = run(5, each=1.0, budget=100, broken=(2, 3))
    assert (is_done, schedule.gaps, len(schedule.measured), told[-1].gaps) == (True, {2, 3}, 3, 2)
