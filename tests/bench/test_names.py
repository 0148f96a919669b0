from __future__ import annotations

import pytest

from conduit.bench.names import Match, NameFilter, UniqueNames, go_name, numbered, rewrite
from tests.bench.gotest import Case, case, cases
from tests.bench.test_writer import without_processors

EVERY_NAME = [without_processors(match[1], case("plain")) for match in case("plain").results()]
SELECTING = [
    case
    for case in cases()
    if "bench" in case.flags
    and not {"json", "short", "fail"} & set(case.name.split("_"))
    and case.flags.get("count") != "0"
    and case.name not in ("regex_bad", "bad_benchtime", "bad_benchtime2", "cpuprofile_two_pkgs")
]


@pytest.mark.parametrize("case", SELECTING, ids=lambda case: case.name)
def test_a_pattern_selects_the_benchmarks_that_go_ran(case: Case) -> None:
    selected = NameFilter(case.flags["bench"], case.flags.get("skip", ""))
    expected = dict.fromkeys(without_processors(match[1], case) for match in case.results())
    selected_names = [name for name in EVERY_NAME if selected.match(name) == (True, False)]
    assert selected_names == list(expected)


def test_a_name_with_fewer_levels_than_the_pattern_matches_only_as_a_parent() -> None:
    assert NameFilter("Sort/alg").match("BenchmarkSort") == (True, True)
    assert NameFilter("Sort/alg").match("BenchmarkFib") == (False, False)


def test_skipping_a_sub_benchmark_does_not_skip_its_parent() -> None:
    names = NameFilter(".", "Fib/n=1")
    assert names.match("BenchmarkFib").matches
    assert not names.match("BenchmarkFib/n=10").matches
    assert names.match("BenchmarkFib/n=5").matches


def test_slashes_and_bars_within_brackets_do_not_separate() -> None:
    assert NameFilter("[/|]x").match("Benchmark|x").matches
    assert NameFilter("(A|B)/c").match("BenchmarkB/c") == (True, False)
    assert NameFilter(r"a\/b").match("Benchmarka/b") == (False, False)


def test_a_bad_pattern_is_named_with_its_element() -> None:
    with pytest.raises(ValueError, match=r'invalid regexp for element 1 of -bench \("\("\)'):
        NameFilter("Fib/(")


@pytest.mark.parametrize(
    ("python", "go"),
    [
        ("bench_registry_init", "BenchmarkRegistryInit"),
        ("bench_depth3_cold", "BenchmarkDepth3Cold"),
        ("bench_", "Benchmark"),
        ("bench_HTTPServer", "BenchmarkHTTPServer"),
        ("bench__private", "BenchmarkPrivate"),
    ],
)
def test_a_python_name_becomes_gos_name(python: str, go: str) -> None:
    assert go_name(python) == go


def test_spaces_become_underscores_and_what_cannot_be_printed_is_escaped() -> None:
    assert rewrite("with space\tand\x01é\u200b\x07") == "with_space_and\\x01é\\u200b\\a"


def test_names_used_twice_and_empty_names_are_numbered() -> None:
    names = UniqueNames()
    claimed = [names.claim("P", name) for name in ("a", "a", "", "", "a#01", "b#01", "b", "b")]
    assert claimed == ["P/a", "P/a#01", "P/#00", "P/#01", "P/a#01#01", "P/b#01", "P/b", "P/b#02"]
    assert len(set(claimed)) == len(claimed)


def test_one_processor_is_not_written_behind_the_name() -> None:
    assert (numbered("X", 1), numbered("X", 4)) == ("X", "X-4")


def test_a_pattern_that_matches_fully_decides_over_one_that_matches_partially_whatever_their_order() -> None:
    for pattern in ("Render/n=16$|Async", "Async|Render/n=16$"):
        names = NameFilter(pattern)
        assert names.match("BenchmarkRenderAsync") == Match(True, False)
        assert names.match("BenchmarkRender") == Match(True, True)
        assert names.match("BenchmarkRender/n=4") == Match(False, False)
