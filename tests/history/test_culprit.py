"""The commit that moved a benchmark is found, at the error that was promised, and what cannot be told is not claimed."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest

from conduit.history.culprit import (
    CannotMeasureError,
    NothingToFindError,
    find_culprit,
    where_counts_change,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMITS = [f"c{number}" for number in range(65)]


def machine(
    planted: int, delta: float, noise: float, seed: int, broken: Sequence[int] = ()
) -> Callable[[str, int], list[float]]:
    """Pairs of a commit against the first one: from the planted commit on, everything costs `delta` more."""
    rng = random.Random(seed)

    def measure(commit: str, count: int) -> list[float]:
        at = int(commit[1:])
        if at in broken:
            raise CannotMeasureError(f"{commit} does not build")
        cost = math.log1p(delta) if at >= planted else 0.0
        return [cost + rng.gauss(0, noise) for _ in range(count)]

    return measure


@pytest.mark.parametrize(("delta", "noise"), [(0.03, 0.008), (0.05, 0.015), (0.2, 0.06), (-0.1, 0.03)])
def test_planted_changes_are_found_in_95_of_100_searches_or_more(delta: float, noise: float) -> None:
    right = 0
    for seed in range(100):
        planted = random.Random(seed).randrange(1, 65)
        found = find_culprit(COMMITS, machine(planted, delta, noise, seed))
        right += found.first_bad == f"c{planted}" and found.suspects == (f"c{planted}",)
        assert f"c{planted}" in found.suspects or found.first_bad != f"c{planted}"
    assert right >= 95


def test_the_change_and_every_measured_commit_are_reported() -> None:
    found = find_culprit(COMMITS, machine(40, 0.2, 0.01, 1))
    assert (found.last_good, found.first_bad) == ("c39", "c40")
    assert found.delta == pytest.approx(0.2, abs=0.02)
    assert {probe.commit: probe.verdict for probe in found.probes}["c64"] == "bad"
    assert len(found.probes) <= 7


def test_ends_that_do_not_differ_have_no_culprit() -> None:
    with pytest.raises(NothingToFindError, match=r"in \d{2,3} pairs"):
        find_culprit(COMMITS, machine(99, 0.5, 0.01, 1))


def test_commits_that_cannot_be_measured_are_passed_over_and_stay_suspects() -> None:
    found = find_culprit(COMMITS, machine(33, 0.2, 0.01, 1, broken=(32, 33, 34)))
    assert found.last_good == "c31"
    assert found.suspects == ("c32", "c33", "c34", "c35")
    assert {probe.reason for probe in found.probes if probe.verdict == "broken"} == {
        f"c{at} does not build" for at in (32, 33, 34)
    }


def test_a_bad_end_that_cannot_be_measured_ends_the_search() -> None:
    with pytest.raises(CannotMeasureError, match="c64 does not build"):
        find_culprit(COMMITS, machine(3, 0.2, 0.01, 1, broken=(64,)))


def test_two_neighbours_need_one_measurement() -> None:
    found = find_culprit(["a0", "a1"], lambda commit, count: [0.1 + number / 1000 for number in range(count)])
    assert (found.suspects, len(found.probes)) == (("a1",), 1)


@pytest.mark.parametrize(
    ("suspects", "found"),
    [
        ([{"B/op": 8, "allocs/op": 1}, {"B/op": 9, "allocs/op": 2}], {1: ["B/op", "allocs/op"]}),
        ([{"B/op": 9, "allocs/op": 1}, {"B/op": 9, "allocs/op": 1}], {0: ["B/op"]}),
        ([{"B/op": 9, "allocs/op": 1}, {"B/op": 9, "allocs/op": 2}], {0: ["B/op"], 1: ["allocs/op"]}),
        ([{"B/op": 9}, {"B/op": 8}], {}),
        ([{"B/op": 8, "allocs/op": 1}, {"B/op": 8, "allocs/op": 1}], {}),
        ([{}, {"B/op": 9, "allocs/op": 2}], {}),
    ],
)
def test_counts_name_a_commit_only_where_they_change_once(
    suspects: list[dict[str, float]], found: dict[int, list[str]]
) -> None:
    assert where_counts_change({"B/op": 8, "allocs/op": 1}, suspects) == found


def test_a_range_of_one_commit_is_no_range() -> None:
    with pytest.raises(ValueError, match="got 1"):
        find_culprit(["a0"], lambda commit, count: [])
