from __future__ import annotations

import math
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit.bench.statistics.paired import (
    ALPHA,
    PairedSummary,
    PairTimes,
    decide,
    missing_evidence,
    needs_more_pairs,
    signed_rank_p,
    summarize_pairs,
)


def noisy_pairs(rng: random.Random, count: int, slowdown: float, noise: float = 1.0) -> list[PairTimes]:
    """A busy machine: a cost of 100, spells of up to twice that which a pair shares, and each process's own luck."""

    def pair() -> PairTimes:
        spell = noise * rng.expovariate(2)
        spells = [1 + spell * rng.random() for _ in range(20)]
        return PairTimes(process(100.0, spells), process(100.0 * (1 + slowdown), spells))

    def process(cost: float, spells: list[float]) -> tuple[float, ...]:
        luck = 1 + noise * 0.03 * rng.random()
        return tuple(cost * luck * spell * (1 + noise * 0.2 * rng.random() ** 3) for spell in spells)

    return [pair() for _ in range(count)]


def test_identical_code_is_hardly_ever_called_different_however_often_one_looks() -> None:
    rng = random.Random(1)
    alarms = 0
    for _ in range(300):
        pairs = noisy_pairs(rng, 20, 0.0)
        alarms += any(decide(summarize_pairs(pairs[:k])) == "different" for k in range(4, 21))
    assert alarms <= 6


def test_a_slowdown_of_five_percent_is_found_through_spells_of_twice_the_cost() -> None:
    rng = random.Random(2)
    found = sum(decide(summarize_pairs(noisy_pairs(rng, 24, 0.05))) == "different" for _ in range(100))
    assert found >= 95


def test_a_slowdown_of_three_percent_is_found_where_processes_differ_by_one_percent() -> None:
    rng = random.Random(11)

    def process(cost: float) -> tuple[float, ...]:
        cost *= math.exp(rng.gauss(0, 0.012))
        return tuple(cost * (1 + 0.003 * abs(rng.gauss(0, 1))) for _ in range(20))

    def pairs(slowdown: float) -> list[PairTimes]:
        return [PairTimes(process(100), process(100 * (1 + slowdown))) for _ in range(13)]

    assert sum(decide(summarize_pairs(pairs(0.03))) == "different" for _ in range(200)) >= 180
    assert sum(decide(summarize_pairs(pairs(0.0))) == "different" for _ in range(400)) <= 2


def test_few_pairs_decide_nothing() -> None:
    rng = random.Random(3)
    summary = summarize_pairs(noisy_pairs(rng, 5, 0.08, noise=0.0))
    assert decide(summary) == "unresolved"
    assert needs_more_pairs(summary)
    assert decide(summarize_pairs(noisy_pairs(rng, 3, 0.5, noise=0.1))) == "unresolved"


def test_a_spell_of_noise_over_a_third_of_the_pairs_is_no_difference() -> None:
    rng = random.Random(6)
    for _ in range(50):
        disturbed = [
            PairTimes(pair.old, tuple(1.5 * time for time in pair.new)) for pair in noisy_pairs(rng, 6, 0.0)
        ]
        assert decide(summarize_pairs(noisy_pairs(rng, 12, 0.0) + disturbed)) != "different"


def test_one_lucky_process_is_no_difference() -> None:
    rng = random.Random(7)
    for _ in range(50):
        lucky = PairTimes((90.0,) * 20, (100.0,) * 20)
        assert decide(summarize_pairs([*noisy_pairs(rng, 15, 0.0), lucky])) != "different"


def test_a_large_family_needs_more_pairs() -> None:
    rng = random.Random(4)
    pairs = noisy_pairs(rng, 8, 0.08, noise=0.0)
    assert decide(summarize_pairs(pairs), family=1) == "different"
    assert decide(summarize_pairs(pairs), family=50) == "unresolved"
    assert decide(summarize_pairs(pairs * 2), family=50) == "different"


def evidence(floor: float, typical: float, typical_p: float) -> PairedSummary:
    return PairedSummary(16, 100.0, 100 * (1 + floor), floor, 100.0, 100 * (1 + typical), typical, typical_p)


@pytest.mark.parametrize(
    ("what", "state"),
    [
        (evidence(0.10, 0.10, 0.001), "different"),
        (evidence(-0.10, -0.10, 0.001), "different"),
        (evidence(0.02, 0.04, 0.001), "different"),
        (evidence(0.10, 0.00, 0.900), "unresolved"),
        (evidence(0.10, -0.10, 0.001), "unresolved"),
        (evidence(0.00, 0.00, 0.900), "same"),
        (evidence(0.01, 0.01, 0.001), "same"),
        (evidence(0.00, 0.30, 0.001), "unresolved"),
        (evidence(0.10, 0.10, 0.500), "unresolved"),
        (evidence(0.006, 0.021, 0.001), "different"),
        (evidence(0.004, 0.021, 0.001), "unresolved"),
        (evidence(-0.006, 0.021, 0.001), "unresolved"),
        (evidence(0.039, 0.019, 0.001), "same"),
        (evidence(0.041, 0.019, 0.001), "unresolved"),
        (evidence(0.03, 0.03, 0.021), "unresolved"),
    ],
)
def test_floor_and_typical_have_to_agree(what: PairedSummary, state: str) -> None:
    assert decide(what) == state


@given(st.lists(st.integers(-5, 5), max_size=9))
def test_the_signed_rank_test_counts_every_choice_of_signs(differences: list[int]) -> None:
    nonzero = sorted((d for d in differences if d), key=abs)
    sizes = [abs(d) for d in nonzero]
    ranks = [sum(s < size for s in sizes) + (sizes.count(size) + 1) / 2 for size in sizes]
    middle = sum(ranks) / 2
    off = abs(sum(r for r, d in zip(ranks, nonzero, strict=True) if d > 0) - middle)
    sums = [
        sum(r for r, up in zip(ranks, ups, strict=True) if up) for ups in product((0, 1), repeat=len(ranks))
    ]
    as_far = sum(abs(total - middle) >= off for total in sums) / len(sums)
    assert signed_rank_p(differences) == pytest.approx(as_far)


def test_the_signed_rank_test_is_the_same_from_both_sides_and_goes_over_smoothly_to_its_approximation() -> (
    None
):
    rng = random.Random(5)
    for count in (40, 41):
        differences = [rng.gauss(0.3, 1) for _ in range(count)]
        p = signed_rank_p(differences)
        assert signed_rank_p([-d for d in differences]) == p
        assert signed_rank_p(differences[:40]) == pytest.approx(p, abs=0.03)


def test_of_equal_sides_the_pairs_are_that_far_apart_as_seldom_as_is_said() -> None:
    rng = random.Random(5)
    seldom = sum(
        signed_rank_p([rng.random() - rng.random() for _ in range(16)]) <= ALPHA for _ in range(4000)
    )
    assert 0.5 * ALPHA <= seldom / 4000 <= ALPHA * 1.2


@pytest.mark.parametrize("change", [-0.78, -0.71, 0.5, 2.0])
def test_a_large_difference_is_decided_by_few_pairs_however_many_benchmarks_there_are(change: float) -> None:
    rng = random.Random(8)
    for _ in range(50):
        assert decide(summarize_pairs(noisy_pairs(rng, 6, change)), family=50) == "different"


@pytest.mark.parametrize("noise", [0.3, 1.0, 4.0])
def test_large_noise_without_a_difference_is_hardly_ever_a_large_difference(noise: float) -> None:
    rng = random.Random(9)
    alarms = 0
    for _ in range(400):
        ratios = [rng.gauss(0, 0.1 * noise) for _ in range(20)]
        pairs = [PairTimes((100.0,) * 3, (100.0 * math.exp(ratio),) * 3) for ratio in ratios]
        alarms += any(decide(summarize_pairs(pairs[:k])) == "different" for k in range(4, 6))
    assert alarms <= 4  # EARLY_ALPHA is 1 %


def test_an_unresolved_benchmark_names_what_it_lacks() -> None:
    rng = random.Random(10)
    few = summarize_pairs(noisy_pairs(rng, 5, 0.08, noise=0.0))
    assert missing_evidence(few, family=10) == "needs pairs: 5 of at least 10"
    restless = [PairTimes((100.0,) * 3, (100.0 * (1 + 0.4 * (-1) ** i),) * 3) for i in range(12)]
    assert missing_evidence(summarize_pairs(restless)).startswith("needs a quiet machine: pairs spread by ±")
