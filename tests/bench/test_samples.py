from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit.bench.statistics import samples
from conduit.bench.statistics.go_math import exp, log

few_values = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=5)


def enumerated_p(old: list[float], new: list[float]) -> float:
    """The two-sided p by dealing the pooled values in every possible way."""

    def u(indices: tuple[int, ...], pool: list[float]) -> Fraction:
        rest = [pool[i] for i in range(len(pool)) if i not in indices]
        pairs = itertools.product([pool[i] for i in indices], rest)
        return sum((Fraction(a > b) + Fraction(a == b, 2) for a, b in pairs), Fraction())

    pool = old + new
    seen = u(tuple(range(len(old))), pool)
    dealt = [u(indices, pool) for indices in itertools.combinations(range(len(pool)), len(old))]
    below = Fraction(sum(value <= seen for value in dealt), len(dealt))
    above = Fraction(sum(value >= seen for value in dealt), len(dealt))
    return float(min(Fraction(1), 2 * min(below, above)))


@given(few_values, few_values)
def test_the_exact_p_counts_every_way_to_deal_the_values(old: list[float], new: list[float]) -> None:
    p = samples.u_test(sorted(old), sorted(new))
    if len({*old, *new}) == 1:
        assert p is None or len(old) == len(new) == 1
    else:
        assert p == pytest.approx(enumerated_p(old, new), abs=1e-12)


@given(st.lists(st.floats(1, 2), min_size=1, max_size=60), st.lists(st.floats(1, 2), min_size=1, max_size=60))
def test_p_is_a_probability_and_does_not_depend_on_which_sample_is_first(
    old: list[float], new: list[float]
) -> None:
    one = samples.u_test(sorted(old), sorted(new))
    other = samples.u_test(sorted(new), sorted(old))
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert 0 <= one <= 1
        assert one == pytest.approx(other, abs=1e-9)


@pytest.mark.parametrize(
    ("n", "interval"), [(6, (1, 6)), (8, (1, 7)), (10, (2, 9)), (20, (6, 15)), (30, (10, 21)), (5, (0, 5))]
)
def test_the_median_lies_between_known_order_statistics(n: int, interval: tuple[int, int]) -> None:
    assert samples.median_interval(n, 0.95) == interval


@given(st.integers(1, 200), st.floats(0, 0.999))
def test_an_interval_has_at_least_the_confidence_that_was_asked_for(n: int, confidence: float) -> None:
    low, high = samples.median_interval(n, confidence)
    mass = sum(math.comb(n, k) for k in range(low, high)) / 2**n
    # Above 30 values the normal approximation is used, which is good to a percent.
    assert mass >= confidence - (1e-9 if n <= 30 else 0.01)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40))
def test_the_centre_is_the_median(values: list[float]) -> None:
    ordered = sorted(values)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    assert samples.summarize(ordered, 0.95).center == pytest.approx(middle, rel=1e-9, abs=1e-6)


@given(st.floats(1e-300, 1e300))
def test_logarithm_and_exponential_agree_with_the_library_to_the_last_bits(x: float) -> None:
    assert log(x) == pytest.approx(math.log(x), rel=1e-15, abs=1e-15)
    assert exp(log(x)) == pytest.approx(x, rel=1e-12)


def test_an_exact_unit_shows_its_most_frequent_value_and_warnings_the_others() -> None:
    summary = samples.summarize_exact([5.0, 6.0, 6.0])
    assert (summary.center, summary.low, summary.high) == (6.0, 5.0, 6.0)
    assert summary.warnings == ("exact distribution expected, but values range from 5 to 6",)


def test_values_that_are_no_numbers_are_never_a_difference() -> None:
    outcome = samples.compare([math.nan, 1.0], [2.0, 3.0], 0.05)
    assert outcome.p == 1.0
    assert outcome.warnings


def test_students_distribution_agrees_with_its_tables() -> None:
    assert samples.student_p(2.228, 10) == pytest.approx(0.05, abs=1e-4)
    assert samples.student_p(1.0, 1) == pytest.approx(0.5, abs=1e-9)
    assert samples.student_p(0.0, 5) == pytest.approx(1.0)
