from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import conduit.bench
from conduit.bench.compare.verdicts import (
    Gates,
    Levels,
    correct_by_holm,
    grade_of,
    judge,
    read_gates,
    worsening,
)
from conduit.errors import ConfigurationError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path


def write(path: Path, values: list[float], unit: str = "ns/op", name: str = "A", head: str = "") -> Path:
    path.write_text(head + "".join(f"Benchmark{name} 1 {value} {unit}\n" for value in values))
    return path


def spread(center: float, n: int = 10) -> list[float]:
    return [center * (1 + (i - n / 2) / 1000) for i in range(n)]


def grades(old: Path, new: Path, gates: Gates | None = None) -> list[str]:
    return [row.grade for row in judge(conduit.bench.compare_benchmarks(old, new).rows, gates or Gates())]


@pytest.mark.parametrize(
    ("percent", "grade"),
    [
        (4, "noise"), (5.1, "minor"), (19, "minor"), (21, "moderate"), (49, "moderate"), (51, "major"),
        (-4, "noise"), (-6, "faster"), (-19, "faster"), (-21, "verify"),
    ],
)  # fmt: skip
def test_every_difference_has_the_guides_verdict(tmp_path: Path, percent: float, grade: str) -> None:
    old = write(tmp_path / "old", spread(100))
    assert grades(old, write(tmp_path / "new", spread(100 + percent))) == [grade]


def test_where_higher_is_better_half_the_speed_is_twice_the_time(tmp_path: Path) -> None:
    old, new = write(tmp_path / "old", spread(100), "MB/s"), write(tmp_path / "new", spread(60), "MB/s")
    assert worsening(-0.5, 1) == 1.0
    assert grades(old, new) == ["major"]
    assert grades(new, old) == ["verify"]


def test_a_unit_of_which_nobody_said_what_is_better_gets_no_verdict(tmp_path: Path) -> None:
    old, new = (
        write(tmp_path / "old", spread(100), "widgets"),
        write(tmp_path / "new", spread(300), "widgets"),
    )
    assert grades(old, new) == ["unknown"]
    write(old, spread(100), "widgets", head="Unit widgets better=lower\n")
    assert grades(old, new) == ["major"]


def test_counts_that_never_vary_are_decided_by_one_run_and_times_are_not(tmp_path: Path) -> None:
    old, new = write(tmp_path / "old", [100], "allocs/op"), write(tmp_path / "new", [130], "allocs/op")
    assert grades(old, new) == ["moderate"]
    assert grades(write(old, [100]), write(new, [130])) == ["undecided"]


def test_fifty_rows_need_more_evidence_than_one() -> None:
    corrected = correct_by_holm([0.01] + [0.9] * 49)
    assert corrected[0] == pytest.approx(0.5)
    assert correct_by_holm([0.01]) == [0.01]


@given(st.lists(st.floats(0, 1), max_size=20))
def test_correction_never_makes_p_smaller_and_keeps_the_order(p_values: list[float]) -> None:
    corrected = correct_by_holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, corrected, strict=True))
    pairs = sorted(zip(p_values, corrected, strict=True))
    assert [q for _, q in pairs] == sorted(corrected)


@given(st.floats(-1, 10, exclude_min=True), st.floats(-1, 10, exclude_min=True))
def test_a_larger_worsening_never_has_a_milder_grade(one: float, other: float) -> None:
    order = ["verify", "faster", "noise", "minor", "moderate", "major"]
    mild, bad = sorted([one, other])
    assert order.index(grade_of(mild, Levels())) <= order.index(grade_of(bad, Levels()))


def test_levels_are_read_from_the_project_and_hold_per_metric(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(
        '[tool.conduit.gates]\nminor = 3\nfail = "major"\n[tool.conduit.gates."B/op"]\nmoderate = "10%"\nmajor="20%"\n'
    )
    gates = read_gates(path)
    assert gates.levels("sec/op") == Levels(minor=0.03, fail="major")
    assert gates.levels("B/op") == Levels(minor=0.03, moderate=0.1, major=0.2, fail="major")
    assert read_gates(tmp_path / "none").levels("ns/op") == Levels()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("minor = -1", "gates.minor"),
        ('minor = "lots"', "gates.minor"),
        ('fail = "awful"', "gates.fail"),
        ("minor = 30", "minor <= moderate"),
        ("typo = 3", "gates.typo"),
        ("minor = true", "gates.minor"),
    ],
)
def test_a_wrong_level_is_refused_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.conduit.gates]\n{text}\n")
    with pytest.raises(ConfigurationError, match=place):
        read_gates(tmp_path / "pyproject.toml")


def test_the_gate_exits_with_1_on_a_regression_and_with_0_otherwise(
    tmp_path: Path, conduit_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    old, new = write(tmp_path / "old", spread(100)), write(tmp_path / "new", spread(130))
    closed = conduit_command("benchstat", "--gate", str(old), str(new), cwd=tmp_path)
    assert closed.returncode == 1
    assert "gate: A: sec/op: +30.00%: moderate regression" in closed.stderr
    assert "vs base" in closed.stdout
    assert conduit_command("benchstat", "--gate", str(new), str(old), cwd=tmp_path).returncode == 0


def test_too_few_samples_are_said_and_close_only_the_strict_gate(
    tmp_path: Path, conduit_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    old, new = write(tmp_path / "old", spread(100, 2)), write(tmp_path / "new", spread(200, 2))
    for flag, status, words in (("--gate", 0, "not passed"), ("--gate=strict", 1, "closed")):
        run = conduit_command("benchstat", flag, str(old), str(new), cwd=tmp_path)
        assert run.returncode == status
        assert "too few samples to decide" in run.stderr
        assert words in run.stderr


def test_json_has_no_token_that_is_not_json_and_markdown_no_open_cell(
    tmp_path: Path, conduit_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    old = write(tmp_path / "old", [0.0, 0.0], name="A|b")
    new = write(tmp_path / "new", [5.0, float("inf")], name="A|b")
    run = conduit_command("benchstat", "-format=json", str(old), str(new), cwd=tmp_path)
    document = json.loads(run.stdout, parse_constant=lambda token: pytest.fail(f"not JSON: {token}"))
    assert document["rows"][0]["name"] == "A|b"
    page = conduit_command("benchstat", "-format=markdown", str(old), str(new), cwd=tmp_path).stdout
    row = next(line for line in page.splitlines() if "A\\|b" in line)
    assert row.count("|") - row.count("\\|") == 8


@pytest.mark.parametrize("flag", ["--gate", "-format=json", "-format=markdown"])
def test_who_wants_a_verdict_on_nothing_is_told_so(
    tmp_path: Path, conduit_command: Callable[..., subprocess.CompletedProcess[str]], flag: str
) -> None:
    (tmp_path / "empty").write_text("")
    run = conduit_command("benchstat", flag, str(tmp_path / "empty"), cwd=tmp_path)
    assert run.returncode == 2
    assert "no benchmark results" in run.stderr


def test_what_is_on_one_side_only_is_listed(tmp_path: Path) -> None:
    old = write(tmp_path / "old", spread(100), name="Gone")
    new = write(tmp_path / "new", spread(100), name="New")
    assert conduit.bench.compare_benchmarks(old, new).unpaired == [
        ("Gone", "sec/op", "old"),
        ("New", "sec/op", "new"),
    ]


@pytest.mark.parametrize(
    "flags", [["-format=classic", "-filter=*"], ["-format=classic", "-gate"], ["-geomean"], ["-csv"]]
)
def test_a_flag_that_would_do_nothing_is_refused(
    tmp_path: Path, conduit_command: Callable[..., subprocess.CompletedProcess[str]], flags: list[str]
) -> None:
    run = conduit_command("benchstat", *flags, str(write(tmp_path / "old", [1.0])))
    assert run.returncode == 2
    assert "-format classic" in run.stderr


def test_the_gate_names_what_has_no_counterpart_and_what_is_slower_without_closing_it(
    tmp_path: Path, conduit_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    old, new = write(tmp_path / "old", spread(100)), write(tmp_path / "new", spread(110))
    old.write_text(old.read_text() + "BenchmarkGone 1 1 ns/op\n")
    run = conduit_command("benchstat", "--gate", str(old), str(new), cwd=tmp_path)
    assert run.returncode == 0
    assert "gate: A: sec/op: +10.00%: minor regression" in run.stderr
    assert f"gate: Gone: sec/op: only in {old}" in run.stderr


def test_a_difference_that_is_one_of_many_is_not_said_to_be_missing_beside_its_p() -> None:
    from types import SimpleNamespace
    from typing import Any

    from conduit.bench.compare.exports import verdict_text
    from conduit.bench.compare.verdicts import Judged

    row: Any = SimpleNamespace(p=0.015, alpha=0.05)
    assert verdict_text(Judged(row, "same", 0.5, 0.3, False)) == (
        "not significant among this many comparisons (corrected p=0.300)"
    )
    row = SimpleNamespace(p=0.2, alpha=0.05)
    assert verdict_text(Judged(row, "same", 0.5, 1.0, False)) == "no significant difference"
