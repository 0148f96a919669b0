"""Steps: lasting changes are found, noise and outliers are not."""

from __future__ import annotations

import math
import random
from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conduit.history.steps import find_steps

SEEDS = range(20)


def noise(rng: random.Random, count: int, spread: float) -> list[float]:
    return [1 + rng.gauss(0, spread) for _ in range(count)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_step_of_five_times_the_noise_is_found_within_eight_points(seed: int) -> None:
    rng = random.Random(seed)
    values = noise(rng, 60, 0.01) + [value * 1.05 for value in noise(rng, 8, 0.01)]
    (step,) = find_steps(values)
    assert abs(step.position - 60) <= 1
    assert step.low <= 0.05 <= step.high or abs(step.delta - 0.05) < 0.01
    assert step.holds


@pytest.mark.parametrize(("before", "after"), [(12, 8), (8, 8), (16, 8)])
def test_an_obvious_step_of_a_short_series_is_not_taken_for_neighbours_that_resemble_each_other(
    before: int, after: int
) -> None:
    missed = 0
    for seed in SEEDS:
        rng = random.Random(seed)
        values = noise(rng, before, 0.004) + [value * 1.5 for value in noise(rng, after, 0.004)]
        missed += [step.position for step in find_steps(values)] != [before]
    assert missed <= 2


def test_a_thousand_points_of_noise_have_no_step_in_nineteen_of_twenty_series() -> None:
    found = [len(find_steps(noise(random.Random(seed), 1000, 0.02))) for seed in SEEDS]
    assert sum(found) <= 1


def test_neighbours_that_resemble_each_other_are_not_taken_for_steps() -> None:
    found = 0
    for seed in SEEDS:
        rng = random.Random(seed)
        drift = accumulate(
            (rng.gauss(0, 0.02) for _ in range(500)), lambda level, shock: 0.6 * level + 0.8 * shock
        )
        found += len(find_steps([1 + value for value in drift]))
    assert found <= 5  # of 10,000 points


def test_an_obvious_step_is_found_although_neighbours_resemble_each_other() -> None:
    found = 0
    for seed in SEEDS:
        rng = random.Random(seed)
        levels = [rng.gauss(0, 0.01) for _ in range(7)]  # each of ten values
        values = [1 + levels[at // 10] + rng.gauss(0, 0.01) for at in range(68)]
        values[60:] = [1.25 * value for value in values[60:]]
        found += any(abs(step.position - 60) <= 1 for step in find_steps(values))
    assert found >= 18


def test_levels_of_ten_values_each_are_noise_and_no_steps() -> None:
    found = 0
    for seed in SEEDS:
        rng = random.Random(seed)
        levels = [rng.gauss(0, 0.01) for _ in range(50)]
        found += len(find_steps([1 + levels[at // 10] + rng.gauss(0, 0.01) for at in range(500)]))
    assert found <= 10  # of 10,000 points


def test_levels_in_a_short_series_are_steps_only_where_the_values_are_known_to_be_independent() -> None:
    found = {True: 0, False: 0}
    for seed in range(200):
        rng = random.Random(seed)
        levels = [rng.gauss(0, 0.01) for _ in range(4)]
        values = [1 + levels[at // 10] + rng.gauss(0, 0.01) for at in range(40)]
        for independent in found:
            found[independent] += len(find_steps(values, independent=independent))
    assert found[False] <= 8  # of 8,000 points
    assert found[True] > 3 * found[False]


def test_a_clear_step_is_found_within_eight_points_where_they_are_not_known_to_be_independent() -> None:
    for seed in SEEDS:
        rng = random.Random(seed)
        values = noise(rng, 60, 0.005) + [value * 1.05 for value in noise(rng, 8, 0.005)]
        (step,) = find_steps(values, independent=False)
        assert abs(step.position - 60) <= 1


def test_single_outliers_are_no_step() -> None:
    rng = random.Random(7)
    values = noise(rng, 200, 0.01)
    for position in range(5, 200, 17):
        values[position] *= 1.5
    assert find_steps(values) == []


def test_what_comes_back_is_two_steps_and_the_first_does_not_hold() -> None:
    rng = random.Random(3)
    values = noise(rng, 40, 0.01) + [1.2 * value for value in noise(rng, 30, 0.01)] + noise(rng, 40, 0.01)
    first, second = find_steps(values)
    assert (first.holds, second.holds) == (False, True)
    assert first.delta == pytest.approx(0.2, abs=0.02)
    assert second.delta == pytest.approx(-1 / 6, abs=0.02)


def test_a_change_of_an_exact_value_is_a_step_at_once() -> None:
    (step,) = find_steps([128.0] * 30 + [144.0])
    assert (step.position, step.before, step.after, step.p, step.points) == (30, 128, 144, 0, 1)


def test_an_exact_value_that_appears_from_zero_is_an_infinite_change() -> None:
    (step,) = find_steps([0.0, 0.0, 0.0, 2.0, 2.0])
    assert step.delta == math.inf


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 1.0], [0.0] * 100])
def test_what_does_not_move_has_no_step(values: list[float]) -> None:
    assert find_steps(values) == []


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        find_steps([1.0, value])


@given(
    st.lists(st.floats(0.5, 2.0), min_size=2, max_size=80),
    st.sampled_from([2.0**-30, 0.25, 2.0, 1024.0]),
)
def test_the_unit_of_the_values_changes_no_step(values: list[float], factor: float) -> None:
    scaled = find_steps([value * factor for value in values])
    assert [step.position for step in scaled] == [step.position for step in find_steps(values)]


@example([4.4e-249, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0])
@given(st.lists(st.floats(0.0, 1e9), max_size=120))
def test_steps_are_in_order_and_between_levels_that_differ(values: list[float]) -> None:
    steps = find_steps(values)
    assert [step.position for step in steps] == sorted({step.position for step in steps})
    for step in steps:
        assert 0 < step.position < len(values)
        assert step.before != step.after
