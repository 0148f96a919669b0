"""How small a step a series can show: what is promised is found, and half of it is not."""

from __future__ import annotations

import math
import random

import pytest

from conduit.history.findings import visible_step_text
from conduit.history.sensitivity import AFTER, smallest_visible_step
from conduit.history.steps import find_steps


def noise(seed: int, count: int, spread: float) -> list[float]:
    rng = random.Random(seed)
    return [1 + rng.gauss(0, spread) for _ in range(count)]


def found_share(spread: float, change: float) -> float:
    """Return how often a step of the last 8 of 68 points is found."""
    found = 0
    for seed in range(40):
        values = noise(seed, 60 + AFTER, spread)
        values[60:] = [value * (1 + change) for value in values[60:]]
        found += any(abs(step.position - 60) <= 1 and step.delta > 0 for step in find_steps(values))
    return found / 40


@pytest.mark.parametrize("spread", [0.01, 0.05])
def test_the_smallest_step_of_a_series_is_found_and_half_of_it_is_not(spread: float) -> None:
    smallest = smallest_visible_step(noise(1, 200, spread), [])
    assert spread < smallest < 5 * spread
    assert found_share(spread, smallest) >= 0.9
    assert found_share(spread, smallest / 2) <= 0.5


def test_a_noisier_series_shows_only_larger_steps() -> None:
    sizes = [smallest_visible_step(noise(2, 100, spread), []) for spread in (0.002, 0.02, 0.2)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 0.01  # smaller changes are no steps
    assert sizes[2] > 0.3


def test_a_step_of_the_series_is_no_noise_of_it() -> None:
    values = noise(3, 60, 0.01) + [1.5 * value for value in noise(4, 60, 0.01)]
    steps = find_steps(values)
    assert len(steps) == 1
    assert smallest_visible_step(values, steps) < 0.05 < smallest_visible_step(values, [])


def test_values_that_never_vary_show_any_step_and_few_points_none() -> None:
    assert smallest_visible_step([3.0] * 5, []) == 0
    assert smallest_visible_step(noise(5, 2 * AFTER - 1, 0.01), []) == math.inf
    assert smallest_visible_step([1.0], []) == math.inf
    assert smallest_visible_step(noise(5, 2 * AFTER, 0.01), []) < 0.1


def test_neighbours_that_resemble_one_another_make_the_smallest_step_larger() -> None:
    independent = noise(6, 400, 0.02)
    blocks = [value for value in noise(7, 40, 0.02) for _ in range(10)]
    alike = [value * (1 + 0.1 * (other - 1)) for value, other in zip(blocks, independent, strict=True)]
    assert smallest_visible_step(alike, []) > 1.5 * smallest_visible_step(independent, [])


def test_a_series_that_is_not_known_to_be_independent_shows_only_larger_steps() -> None:
    values = noise(8, 80, 0.01)
    assert smallest_visible_step(values, [], independent=False) > 1.1 * smallest_visible_step(values, [])


def test_a_short_series_that_is_not_known_to_be_independent_shows_what_is_obvious() -> None:
    found = 0
    smallest = smallest_visible_step(noise(9, 30, 0.01), [], independent=False)
    for seed in range(40):
        values = noise(seed, 22 + AFTER, 0.01)
        values[22:] = [value * (1 + smallest) for value in values[22:]]
        steps = find_steps(values, independent=False)
        found += any(abs(step.position - 22) <= 1 and step.delta > 0 for step in steps)
    assert 0.05 < smallest < 0.2
    assert found >= 36


def test_values_of_zero_are_no_error() -> None:
    assert smallest_visible_step([0.0, 1.0, 2.0, 0.0] * 10, []) == math.inf


@pytest.mark.parametrize(
    ("smallest", "text"), [(0.0, "any"), (math.inf, "none"), (0.0512, "5.1%"), (0.64, "64%"), (3.4, "340%")]
)
def test_the_smallest_step_is_shown_in_percent(smallest: float, text: str) -> None:
    assert visible_step_text(smallest) == text
