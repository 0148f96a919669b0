"""`-advice` says what the profiling guide would: what is hot, what is too short, what the harness takes, what grew."""

from __future__ import annotations

import pytest

from conduit.profile.merge import difference
from conduit.profile.model import Profile
from conduit.report.options import Options
from conduit.report.pipeline import prepare_report, print_report
from tests.report.making import HEAP, MILLISECOND, profile_of


def _advice(profile: Profile, *, compared: bool = False) -> str:
    report = prepare_report(profile, "advice", Options(), pytest.fail)
    report = report._replace(compared=compared)
    return print_report(report).decode()


def _cpu(*rows: tuple[str, int], duration_nanos: int = 10**10) -> Profile:
    return profile_of(
        [([("main", "m.py", 1), (name, "f.py", 2)], [count, count * 10 * MILLISECOND]) for name, count in rows],
        duration_nanos=duration_nanos,
    )  # fmt: skip


def test_a_function_that_takes_more_than_a_fifth_is_named_with_the_command_to_look_at_it() -> None:
    text = _advice(_cpu(("app.hot", 800), *((f"app.cold{number}", 50) for number in range(4))))
    assert "- The function app.hot alone takes 80.00% (8s flat)." in text
    assert r"-list='^app\.hot$'" in text
    assert "cold" not in text


def test_a_line_on_whose_behalf_a_library_works_is_named_where_none_of_its_functions_stands_out() -> None:
    library = "/venv/lib/python3.11/site-packages/pandas/core/apply.py"
    own = [("__main__.<module>", "/srv/report.py", 33), ("__main__.enrich", "/srv/report.py", 24)]
    rows = [([*own, (f"pandas.f{number}", library, number)], [100, 10**9]) for number in range(7)]
    other = [([own[0], (f"app.g{number}", "/srv/app.py", 1)], [100, 10**9]) for number in range(3)]
    text = _advice(profile_of([*rows, *other], duration_nanos=10**10))
    assert (
        "- The line report.py:24 in __main__.enrich, with what it calls in libraries, takes 70.00% (7s)."
        in text
    )
    assert r"-list='^__main__\.enrich$'" in text
    assert "five heaviest" not in text


def test_a_line_and_its_own_lambda_are_one_finding_also_where_a_library_function_stands_out() -> None:
    library = ("pandas.apply", "/venv/lib/python3.11/site-packages/pandas/core/apply.py", 7)
    own = [("__main__.main", "/srv/sales.py", 33), ("__main__.with_tax", "/srv/sales.py", 26)]
    called = ("__main__.with_tax.<locals>.<lambda>", "/srv/sales.py", 26)
    rows = [([*own, library], [400, 4 * 10**9]), ([*own, library, called], [300, 3 * 10**9])]
    other = [([own[0], (f"app.g{number}", "/srv/app.py", number)], [100, 10**9]) for number in range(3)]
    text = _advice(profile_of([*rows, *other], duration_nanos=10**10))
    assert "- The function pandas.apply alone takes 40.00%" in text
    assert (
        "- The line sales.py:26 in __main__.with_tax, with what it calls in libraries, takes 70.00%" in text
    )
    assert "<lambda>, with" not in text


def test_a_line_of_a_script_and_its_own_lambda_are_one_finding() -> None:
    stack = [("__main__.<module>", "/srv/a.py", 3), ("__main__.<lambda>", "/srv/a.py", 3)]
    text = _advice(
        profile_of(
            [
                (stack[:1], [150, 15 * 10**8]),
                (stack, [150, 15 * 10**8]),
                ([("f", "f.py", 1)], [700, 7 * 10**9]),
            ]
        )
    )
    assert "- The line a.py:3 in __main__.<module>, with what it calls in libraries, takes 30.00%" in text


def test_a_flat_profile_is_said_to_be_flat() -> None:
    text = _advice(_cpu(*((f"app.f{number}", 100) for number in range(10))))
    assert "- No function takes 20% by itself; the five heaviest take 50.00% together." in text


def test_too_few_samples_and_too_short_a_time_are_said_before_anything_else() -> None:
    assert _advice(_cpu(("app.f", 25))).startswith("- There are only 25 samples")
    assert _advice(_cpu(("app.f", 500), duration_nanos=10**8)).startswith("- The profile covers only 100ms")


def test_a_harness_that_dominates_is_told_apart_from_what_it_measures() -> None:
    text = _advice(_cpu(("testing.(*B).launch", 900), ("app.f", 100)))
    assert "the harness itself takes 90.00%" in text.lower()
    assert "Give each iteration more work" in text


def test_an_empty_profile_is_said_to_be_empty() -> None:
    assert _advice(profile_of([])).startswith("- The profile has no cpu samples.")


def test_growth_between_two_heap_profiles_names_what_grew() -> None:
    def heap(size: int) -> Profile:
        return profile_of(
            [
                ([("main", "m.py", 1), ("cache.put", "c.py", 2)], [9, size * 2, 9, size]),
                ([("main", "m.py", 1), ("load", "l.py", 2)], [1, 4 << 20, 1, 4 << 20]),
            ],
            HEAP,
        )

    grown = difference(heap(50 << 20), heap(10 << 20))
    text = _advice(grown, compared=True)
    assert (
        "- Inuse_space has grown by 40MB since the base." in text or "inuse_space has grown by 40MB" in text
    )
    assert "cache.put has 40MB more than in the base" in text
    same = difference(heap(10 << 20), heap(11 << 20))
    assert "has not grown: the net change is -1MB" in _advice(same, compared=True)


def test_growth_in_a_library_names_the_line_of_the_program_that_led_there() -> None:
    library = ("pandas.take", "/venv/lib/python3.11/site-packages/pandas/core/take.py", 7)
    own = [("__main__.<module>", "/srv/report.py", 33), ("__main__.keep", "/srv/report.py", 24)]

    def heap(size: int) -> Profile:
        return profile_of([([*own, library], [9, size * 2, 9, size])], HEAP)

    text = _advice(difference(heap(50 << 20), heap(10 << 20)), compared=True)
    assert "- The function pandas.take has 40MB more than in the base." in text
    assert (
        "- The line report.py:24 in __main__.keep, with what it calls in libraries, has 40MB more than in the base."
        in text
    )
    assert r"-list='^__main__\.keep$'" in text


def test_what_has_grown_in_a_profile_that_has_not_is_no_contradiction() -> None:
    before, after = _cpu(("app.f", 300), ("app.g", 100)), _cpu(("app.f", 100), ("app.g", 300))
    text = _advice(difference(after, before), compared=True)
    assert "has not grown: the net change is 0" in text
    assert "The function app.g has 2s more" in text
    assert "Nothing needs doing" not in text


def test_a_heap_profile_says_how_much_of_what_was_allocated_is_still_there() -> None:
    profile = profile_of([([("f", "f.py", 1)], [10, 100 << 20, 1, 5 << 20])], HEAP)
    assert "5MB of the 100MB allocated are still in use (5.0%)" in _advice(profile)


def test_samples_without_a_stack_are_no_reason_to_fail() -> None:
    assert "takes" not in _advice(profile_of([([], [1000, 10**10])]))
