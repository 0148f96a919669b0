from __future__ import annotations

import math

import pytest

from conduit.bench.against.counts import (
    decide_counts,
    decide_instructions,
    missing_counts,
    summarize_counts,
)


def test_a_count_that_never_varied_in_three_processes_is_exact() -> None:
    summary = summarize_counts([(100, 110)] * 3)
    assert (summary.is_exact, summary.p) == (True, None)
    assert summary.delta == pytest.approx(0.1)
    assert decide_counts(summary) == "different"


@pytest.mark.parametrize("processes", [1, 2])
def test_a_difference_seen_in_too_few_processes_is_unresolved(processes: int) -> None:
    summary = summarize_counts([(100, 110)] * processes)
    assert not summary.is_exact
    assert decide_counts(summary) == "unresolved"
    assert missing_counts(summary) == f"needs pairs: {processes} of at least 3"


def test_counts_that_vary_alike_on_both_sides_are_the_same() -> None:
    summary = summarize_counts([(seed * 100, seed * 100) for seed in range(1, 9)])
    assert not summary.is_exact
    assert summary.delta == 0
    assert decide_counts(summary) == "same"


def test_counts_that_vary_and_are_larger_in_every_pair_differ() -> None:
    summary = summarize_counts([(seed * 100, seed * 120) for seed in range(1, 9)])
    assert summary.delta == pytest.approx(0.2)
    assert decide_counts(summary) == "different"


def test_counts_that_vary_in_both_directions_are_no_difference() -> None:
    summary = summarize_counts([(100, 300), (300, 100), (200, 250), (250, 180), (100, 160), (160, 90)])
    assert decide_counts(summary) != "different"


def test_a_count_from_zero_is_an_infinite_difference() -> None:
    assert summarize_counts([(0, 5)] * 3).delta == math.inf


@pytest.mark.parametrize(
    ("pairs", "state"),
    [
        ([(1000.0, 1001.0), (1000.0, 1001.0)], "same"),  # below what a library's address can cost
        ([(1000.0, 1010.0), (1000.5, 1010.0)], "different"),
        ([(1000.0, 1004.0), (1003.0, 1004.0)], "same"),  # one side's processes differ by nearly as much
        ([(1000.0, 2000.0), (1100.0, 2000.0)], "unresolved"),
    ],
)
def test_instructions_differ_where_the_sides_differ_by_more_than_processes_of_one_side(
    pairs: list[tuple[float, float]], state: str
) -> None:
    assert decide_instructions(summarize_counts(pairs)) == state


def test_only_the_count_that_differs_between_processes_has_a_range() -> None:
    from conduit.bench.against.seeds import varying_warning

    text = str(varying_warning([(588570, 3849), (588574, 3849), (588574, 3849)]))
    assert "588570 to 588574 B/op in 3 processes" in text
    assert "3849" not in text
