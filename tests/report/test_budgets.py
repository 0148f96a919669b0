"""Budgets close the gate exactly where a function or the profile takes more than it may."""

from __future__ import annotations

from pathlib import Path

import pytest

from conduit.cli import main
from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import encode
from conduit.profile.model import ValueType
from conduit.report.budgets import check_profile, read_budgets
from conduit.report.errors import ReportError
from conduit.report.options import Options
from tests.report.making import HEAP, MILLISECOND, profile_of

PROFILE = profile_of(
    [
        ([("main", "m.py", 1), ("Registry.build", "r.py", 2)], [30, 300 * MILLISECOND]),
        ([("main", "m.py", 1), ("Registry.load", "r.py", 9), ("json.loads", "j.py", 3)], [70, 700 * MILLISECOND]),
    ]
)  # fmt: skip


def _over(rule: str, **options: object) -> list[str]:
    verdicts = check_profile(PROFILE, read_budgets(rule), Options(**options), pytest.fail)
    return [overrun.function for verdict in verdicts for overrun in verdict.overruns]


@pytest.mark.parametrize(
    ("rule", "over"),
    [
        ('{match = "Registry\\\\.", max_flat = "20%"}', ["Registry.build"]),
        ('{match = "Registry\\\\.", max_flat = "30%"}', []),
        ('{match = "Registry\\\\.", max_cum = "50%"}', ["Registry.load"]),
        ('{match = "^json", max_flat = "699ms"}', ["json.loads"]),
        ('{match = "^json", max_flat = "0.7s"}', []),
        ('{match = ".", max_flat = 299999999}', ["json.loads", "Registry.build"]),
        ('{match = "json", max_flat = 69, sample_type = "samples"}', ["json.loads"]),
        ('{max_total = "999ms"}', ["the whole profile"]),
        ('{max_total = "1s"}', []),
    ],
)
def test_a_rule_is_broken_by_what_exceeds_it(rule: str, over: list[str]) -> None:
    assert _over(rule) == over


def test_amounts_are_compared_after_dividing() -> None:
    rule = '{match = "json", max_flat = "100ms"}'
    assert _over(rule, divide_by=10.0) == []
    assert _over(rule, divide_by=2.0) == ["json.loads"]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("{match = }", "not a rule in TOML's notation"),
        ('{match = "x"}', "a rule needs a limit"),
        ('{max_flat = "20%"}', "match must be a regular expression"),
        ('{match = "x", max_flat = "much"}', "must be a share"),
        ('{match = "x", max_flat = true}', "must be a share"),
        ('{match = "x", max_flat = "1s", colour = "red"}', "unknown key 'colour'"),
        ('{match = "(", max_flat = "20%"}', "missing closing"),
        ('{match = "x", max_flat = "20MB"}', "cannot be compared with cpu"),
        ('{max_total = "20%"}', "is an amount"),
        ("/nowhere/budgets.toml", "no such file"),
    ],
)
def test_a_bad_rule_is_refused_with_the_reason(rule: str, reason: str) -> None:
    with pytest.raises(ReportError, match=reason):
        _over(rule)


def test_a_profile_without_samples_does_not_pass_in_silence() -> None:
    with pytest.raises(ReportError, match="the profile has no cpu samples"):
        check_profile(profile_of([]), read_budgets('{max_total = "1s"}'), Options(), pytest.fail)


def test_the_command_exits_with_1_over_a_budget_of_pyproject_and_names_the_function(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.conduit.budgets]\nregistry = {match = "Registry[.]", max_flat = "20%"}\n'
        'unused = {match = "^nobody$", max_flat = "1%"}\n',
        encoding="utf-8",
    )
    path = tmp_path / "cpu.pb.gz"
    path.write_bytes(encode(PROFILE))
    status = main(["pprof", "-check", str(tmp_path / "pyproject.toml"), str(path)])
    captured = capsys.readouterr()
    assert status == 1
    assert captured.out.splitlines() == [
        "registry: Registry[.] may take at most 20% flat of cpu",
        "     300ms  30.00%  Registry.build",
        "1 of 2 budgets kept",
    ]
    assert captured.err == "unused: no function of the profile matches ^nobody$\n"


def test_the_command_exits_with_0_within_budgets_and_2_for_a_bad_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "heap.pb.gz"
    path.write_bytes(encode(profile_of([([("f", "f.py", 1)], [1, 2 << 20, 1, 1 << 20])], HEAP)))
    rule = '{max_total = "1GB", sample_type = "alloc_space"}'
    assert main(["pprof", "-check", rule, str(path)]) == 0
    assert capsys.readouterr().out == "1 of 1 budgets kept\n"
    assert main(["pprof", "-check", "{}", str(path)]) == 2


def test_an_expression_without_the_modules_that_recorded_names_have_is_told_the_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = ProfileBuilder(
        [ValueType("samples", "count")], name_function=lambda frame: (f"shop.{frame[0]}", "total")
    )
    builder.add([("Cart.total", "/shop.py", 2, 1)], [1])
    path = tmp_path / "cpu.pb.gz"
    path.write_bytes(encode(builder.build()))
    (tmp_path / "budgets.toml").write_text(
        '[tool.conduit.budgets]\ncart = {match = "^Cart.total$", max_flat = "1%"}\n'
    )
    assert main(["pprof", "-check", str(tmp_path / "budgets.toml"), str(path)]) == 0
    hint = "; names begin with their modules: shop.Cart.total\n"
    assert capsys.readouterr().err == f"cart: no function of the profile matches ^Cart.total${hint}"
    main(["pprof", "-top", "-focus=^total$", str(path)])
    assert f"Focus expression matched no samples{hint}" in capsys.readouterr().err
    main(["pprof", "-top", "-focus=^nothing$", str(path)])
    assert "Focus expression matched no samples\n" in capsys.readouterr().err
