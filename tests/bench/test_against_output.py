"""The words of `--against`: verdicts, p, the machine's load and the gate's last line."""

from __future__ import annotations

import os

import pytest

from conduit.bench.against.counts import CountSummary
from conduit.bench.against.interleaved import AgainstResult, AgainstRow
from conduit.cli.against_output import format_comparison, format_github, report_gate, verdict_text


def row(state: str, grade: str, delta: float, p: float | None, note: str = "") -> AgainstRow:
    summary = CountSummary(9, 100.0, 100 * (1 + delta), delta, p is None, p, (100, 100), (100, 100))
    values = ("a:BenchmarkA", "B/op", 100.0, 100 * (1 + delta), delta)
    return AgainstRow(*values, state, grade, False, counted=summary, note=note)  # type: ignore[arg-type]


def result() -> AgainstResult:
    return AgainstResult("old", "new", [], [], [])


def test_a_difference_that_is_certain_is_not_called_noise_and_one_that_was_seen_not_missing() -> None:
    assert verdict_text(row("different", "noise", 0.03, None)) == "too small to matter"
    seen = row("same", "same", -0.012, 0.0002, "varies between processes")
    assert verdict_text(seen) == "too small to matter (varies between processes)"
    assert verdict_text(row("same", "same", 0.01, 0.3)) == "no significant difference"
    assert verdict_text(row("same", "same", 0.0, None)) == "no significant difference"


def test_a_tiny_p_is_not_printed_as_zero() -> None:
    text = format_comparison(
        result(), [row("same", "same", -0.012, 0.0002), row("same", "same", 0.01, 0.02)], "text"
    )
    assert "<0.001" in text
    assert "0.020" in text
    assert "0.000" not in text


@pytest.mark.parametrize(("load", "is_remarked"), [(0.5, False), (12.25, True)])
def test_the_comment_says_the_load_and_whether_other_programs_took_part(
    monkeypatch: pytest.MonkeyPatch, load: float, is_remarked: bool
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 1.0, 1.0))
    monkeypatch.setattr("conduit.bench.run.machine.processors", lambda: 2)
    text = format_github(result(), [])
    assert f"- load {load:.1f} in the last minute" in text
    assert ("other programs used the processors" in text) == is_remarked


def test_an_open_gate_says_that_undecided_rows_are_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    undecided = row("unresolved", "undecided", 0.1, 0.5, "needs pairs: 2 of at least 7")
    assert report_gate([undecided], "on") == 0
    assert (
        "not passed: 1 of 1 comparisons is unresolved; raise -budget (no failure: -gate=strict makes it one)"
        in (capsys.readouterr().err)
    )
    assert report_gate([undecided], "strict") == 1
    assert "no failure" not in capsys.readouterr().err
