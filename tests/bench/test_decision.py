from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit.bench.decision import ALPHA, Evidence, PairTimes, decide, floor_p, wants_more, weigh


def noisy_pairs(chance: random.Random, count: int, slowdown: float, noise: float = 0.3) -> list[PairTimes]:
    """Processes on a busy machine: a cost of 100, never less, plus what a process and a batch happen to meet."""

    def process(cost: float) -> tuple[float, ...]:
        luck = noise * chance.expovariate(1) * chance.random()
        return tuple(cost * (1 + 0.002 * chance.random() + luck * chance.random()) for _ in range(20))

    return [PairTimes(process(100.0), process(100.0 * (1 + slowdown))) for _ in range(count)]


def test_identical_code_is_hardly_ever_called_different_however_often_one_looks() -> None:
    chance = random.Random(1)
    alarms = 0
    for _ in range(300):
        pairs = noisy_pairs(chance, 20, 0.0)
        alarms += any(decide(weigh(pairs[:k])) == "different" for k in range(6, 21))
    assert alarms <= 6


def test_a_slowdown_of_five_percent_is_found_through_thirty_percent_of_noise() -> None:
    chance = random.Random(2)
    found = sum(decide(weigh(noisy_pairs(chance, 24, 0.05))) == "different" for _ in range(100))
    assert found >= 95


def test_few_pairs_decide_nothing() -> None:
    chance = random.Random(3)
    evidence = weigh(noisy_pairs(chance, 5, 0.5, noise=0.0))
    assert decide(evidence) == "unresolved"
    assert wants_more(evidence)


def test_a_large_family_needs_more_processes_below_the_other_floor() -> None:
    chance = random.Random(4)
    pairs = noisy_pairs(chance, 8, 0.5, noise=0.0)
    assert decide(weigh(pairs), family=1) == "different"
    assert decide(weigh(pairs), family=50) == "unresolved"
    assert decide(weigh(pairs * 2), family=50) == "different"


def evidence(floor: float, floor_p: float, typical: float, typical_p: float) -> Evidence:
    return Evidence(
        16, 100.0, 100 * (1 + floor), floor, floor_p, 100.0, 100 * (1 + typical), typical, typical_p
    )


@pytest.mark.parametrize(
    ("what", "state"),
    [
        (evidence(0.10, 0.001, 0.10, 0.001), "different"),
        (evidence(0.10, 0.001, 0.00, 0.90), "different"),
        (evidence(0.10, 0.001, -0.10, 0.001), "unresolved"),
        (evidence(0.00, 1.0, 0.00, 0.9), "same"),
        (evidence(0.00, 1.0, 0.30, 0.001), "unresolved"),
        (evidence(0.10, 0.50, 0.10, 0.001), "unresolved"),
    ],
)
def test_floor_and_typical_have_to_agree(what: Evidence, state: str) -> None:
    assert decide(what) == state


@given(st.lists(st.tuples(st.floats(1, 2), st.floats(1, 2)), min_size=1, max_size=20))
def test_the_floors_evidence_does_not_depend_on_which_side_is_old(pairs: list[tuple[float, float]]) -> None:
    old, new = [a for a, _ in pairs], [b for _, b in pairs]
    assert floor_p(old, new) == floor_p(new, old)
    assert 0 < floor_p(old, new) <= 1


def test_of_equal_sides_the_floors_are_that_far_apart_as_seldom_as_is_said() -> None:
    chance = random.Random(5)
    seldom = 0
    for _ in range(4000):
        values = [(chance.random(), chance.random()) for _ in range(16)]
        seldom += floor_p([a for a, _ in values], [b for _, b in values]) <= ALPHA
    assert seldom / 4000 <= ALPHA * 1.2
