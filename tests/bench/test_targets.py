from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit.bench.result import AllocationCount, BenchmarkResult, Measurement
from conduit.bench.run.targets import Target, format_amount, judge, parse_amount, read_targets
from conduit.bench.text.reader import name_inputs, read_benchmarks
from conduit.bench.text.unit_metadata import UnitMetadata
from conduit.errors import ConfigurationError
from tests.bench.commands import GOOD, Command


def result(name: str, ns: int, **fields: object) -> BenchmarkResult:
    return BenchmarkResult(name, (Measurement(name, 2, 1, ns, **fields),))  # type: ignore[arg-type]


def read(tmp_path: Path, text: str) -> list[Target]:
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    return read_targets(path)


def test_targets_are_read_with_their_units(tmp_path: Path) -> None:
    text = """
    [tool.conduit.targets."SimpleQueries/*"]
    time = { target = "1ms", acceptable = "5ms", unacceptable = "10ms" }
    memory = { acceptable = "2kB" }
    allocs = { target = 0, acceptable = "3 allocs" }
    "hits/s" = { target = "1000" }
    """
    assert read(tmp_path, text) == [
        Target("SimpleQueries/*", "ns/op", 1e6, 5e6, 1e7),
        Target("SimpleQueries/*", "B/op", None, 2048.0),
        Target("SimpleQueries/*", "allocs/op", 0.0, 3.0),
        Target("SimpleQueries/*", "hits/s", 1000.0),
    ]


@pytest.mark.parametrize(
    ("value", "grade"),
    [
        (1.0, "target met"),
        (2.0, "acceptable"),
        (5.0, "acceptable"),
        (5.1, "missed"),
        (10.0, "missed"),
        (10.1, "unacceptable"),
    ],
)
def test_a_value_is_graded_on_both_sides_of_each_limit(value: float, grade: str) -> None:
    assert Target("X", "ns/op", 1.0, 5.0, 10.0).grade(value) == grade


def test_rates_are_better_when_they_are_higher() -> None:
    target = Target("X", "MB/s", 100.0, 50.0, 10.0)
    assert [target.grade(value) for value in (100, 60, 20, 5)] == [
        "target met",
        "acceptable",
        "missed",
        "unacceptable",
    ]


def test_limits_that_are_not_set_decide_nothing() -> None:
    assert Target("X", "ns/op", target=1.0).grade(2.0) == "missed"
    assert Target("X", "ns/op", unacceptable=9.0).grade(2.0) == "acceptable"
    assert Target("X", "ns/op", unacceptable=9.0).grade(10.0) == "unacceptable"


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_smaller_value_is_never_graded_worse(one: float, other: float) -> None:
    target = Target("X", "ns/op", 1e3, 1e6, 1e8)
    order = ["target met", "acceptable", "missed", "unacceptable"]
    better, worse = sorted((one, other))
    assert order.index(target.grade(better)) <= order.index(target.grade(worse))


def test_patterns_match_with_and_without_the_prefix_and_across_levels() -> None:
    assert Target("Simple*", "ns/op").matches("BenchmarkSimpleQueries/Resource/hit")
    assert Target("BenchmarkSimpleQueries/*", "ns/op").matches("BenchmarkSimpleQueries/Resource")
    assert not Target("SimpleQueries", "ns/op").matches("BenchmarkSimpleQueries/Resource")


def test_repetitions_are_judged_by_their_median() -> None:
    samples = tuple(Measurement("BenchmarkX", 2, 1, ns) for ns in (1, 100, 3))
    [verdict] = judge([Target("X", "ns/op", 3.0, 50.0)], [BenchmarkResult("BenchmarkX", samples)], {})
    assert (verdict.value, verdict.grade) == (3, "target met")


def test_what_was_not_measured_does_not_pass_and_says_why() -> None:
    targets = [Target("X", "allocs/op", 1.0), Target("Gone", "ns/op", 1.0), Target("X", "ns/op", 10.0)]
    verdicts = judge(targets, [result("BenchmarkX", 5)], {"allocs/op": "no compiler"})
    assert [verdict.passes for verdict in verdicts] == [False, False, True]
    assert [verdict.reason for verdict in verdicts] == ["no compiler", "no such benchmark ran", ""]
    assert len(judge(targets, [result("BenchmarkX", 5)], {}, reports_absent=False)) == 2


def test_allocations_of_zero_meet_a_target_of_zero() -> None:
    measured = result("BenchmarkX", 5, allocations=AllocationCount(100, 0, 0))
    [verdict] = judge([Target("X", "allocs/op", 0.0)], [measured], {})
    assert verdict.grade == "target met"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.conduit.targets.X]\ntime = 5", "targets.'X'.time: expected at least one of target"),
        ("[tool.conduit.targets]\nX = 5", "targets.'X': expected metrics"),
        ("[tool.conduit]\ntargets = 5", "targets: expected a table"),
        ("[tool.conduit.targets.X]\ntime = { goal = '5ms' }", "unknown limit 'goal'"),
        ("[tool.conduit.targets.X]\ntime = { target = '5 parsecs' }", "time.target: invalid duration"),
        ("[tool.conduit.targets.X]\nmemory = { target = 'much' }", "memory.target: invalid size"),
        ("[tool.conduit.targets.X]\nallocs = { target = '3 bytes' }", "expected a number of allocs/op"),
        ("[tool.conduit.targets.X]\nallocs = { target = true }", "expected a number or a text"),
        ("[tool", "not TOML"),
    ],
)
def test_a_wrong_entry_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message.replace("(", r"\(")):
        read(tmp_path, text)


@pytest.mark.parametrize(("unit", "text"), [("ns/op", "10ms"), ("B/op", "2kB"), ("allocs/op", "3")])
def test_an_amount_that_is_printed_reads_as_itself(unit: str, text: str) -> None:
    assert format_amount(unit, parse_amount(unit, text)) == text
    assert format_amount(unit, None) == "-"


TARGETS = """
[tool.conduit.targets.Call]
time = { target = "10s", acceptable = "20s" }
allocs = { target = "5 allocs", acceptable = "10 allocs" }
[tool.conduit.targets.Slow]
time = { target = "1ns", acceptable = "2ns", unacceptable = "3ns" }
"""


def test_checking_prints_a_verdict_for_each_and_closes_where_acceptable_is_missed(
    run_bench: Command, project: Path
) -> None:
    (project / "pyproject.toml").write_text(TARGETS)
    slow = "def bench_slow(b):\n    for _ in b:\n        sum(range(1000))\n"
    answer = run_bench("--check", "-benchtime=20x", bench_a=GOOD + slow)
    assert answer.returncode == 1
    rows = {tuple(line.split()[:2]): line for line in answer.stdout.splitlines()}
    assert rows["Call", "ns/op"].endswith("target met")
    assert rows["Slow", "ns/op"].endswith("unacceptable")
    only_good = run_bench("--check", "-benchtime=20x", "-bench=Call")
    assert only_good.returncode == 0, only_good.stdout
    assert "Slow" not in only_good.stdout


def test_checking_a_whole_suite_that_lacks_a_benchmark_with_a_target_does_not_pass(
    run_bench: Command, project: Path
) -> None:
    (project / "pyproject.toml").write_text(TARGETS)
    answer = run_bench("--check", "-benchtime=20x", bench_a=GOOD)
    assert answer.returncode == 1
    assert "not measured: no such benchmark ran" in answer.stdout


def test_checking_without_any_targets_is_a_wrong_call(run_bench: Command) -> None:
    answer = run_bench("--check", "-benchtime=1x", bench_a=GOOD)
    assert answer.returncode == 2
    assert "pyproject.toml has no targets; write some, such as [tool.conduit.targets.NAME]" in answer.stderr
    assert answer.stdout == ""  # before anything runs


def test_no_line_of_the_table_is_a_line_of_the_benchmark_format(run_bench: Command, project: Path) -> None:
    (project / "pyproject.toml").write_text(TARGETS)
    answer = run_bench("--check", "-benchmem", "-benchtime=20x", "-bench=Call", "-o", "out.txt", bench_a=GOOD)
    assert "verdict" in answer.stdout
    records = list(read_benchmarks(name_inputs([str(project / "out.txt")])[0], UnitMetadata()))
    assert [type(record).__name__ for record in records] == ["Result"]
    assert {"goos", "goarch", "pkg", "python"} <= set(records[0].configuration.values)  # type: ignore[union-attr]
