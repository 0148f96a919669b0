from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from conduit.cli import main
from tests.bench import benchstat_goldens as goldens
from tests.conftest import OWN_GOLDEN, SHARED_GOLDEN

if TYPE_CHECKING:
    from pathlib import Path

SETS = [
    pytest.param(OWN_GOLDEN / "benchstat", id="own"),
    pytest.param(
        SHARED_GOLDEN / "benchstat",
        id="shared",
        marks=pytest.mark.skipif(
            not SHARED_GOLDEN.is_dir(), reason="the complete goldens are not on this machine"
        ),
    ),
]


class Run(NamedTuple):
    status: int
    stdout: str
    stderr: str


class _Stream(io.TextIOWrapper):
    def __init__(self, content: bytes = b"") -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8", errors="surrogateescape", newline="\n")

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode("utf-8", "surrogateescape")  # type: ignore[attr-defined,no-any-return]


def replay(case: goldens.Case, monkeypatch: pytest.MonkeyPatch, *flags: str) -> Run:
    """Runs a case in this process: six hundred interpreters would take a minute to start."""
    with monkeypatch.context() as lent:
        streams = _Stream(), _Stream()
        lent.setattr(sys, "stdin", _Stream(case["stdin"].encode()))
        lent.setattr(sys, "stdout", streams[0])
        lent.setattr(sys, "stderr", streams[1])
        status = main(["benchstat", *flags, *case["args"]])
        return Run(status, streams[0].text(), streams[1].text())


def has_zero_times(case: goldens.Case) -> bool:
    return any("zeros.txt" in argument for argument in case["args"])


@pytest.mark.parametrize("folder", SETS)
def test_every_recorded_run_is_repeated_character_for_character_but_for_the_known_departures(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "in")
    exact = 0
    wrong = []
    for case in goldens.load_cases(folder, "benchstat"):
        run = replay(case, monkeypatch)
        if run == (goldens.expected_status(case), case["stdout"], case["stderr"]):
            exact += 1
        elif not explained(case, run):
            wrong.append((case["id"], case["args"]))
    assert not wrong
    assert exact > 100


@pytest.mark.parametrize("folder", SETS)
def test_every_recorded_run_of_the_classic_tool_is_repeated_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "in")
    exact = 0
    wrong = []
    for case in goldens.load_cases(folder, "benchstat_v1"):
        run = replay(case, monkeypatch, "-format=classic")
        if run == (goldens.expected_status(case), case["stdout"], case["stderr"]):
            exact += 1
        elif not explained(case, run):
            wrong.append((case["id"], case["args"]))
    assert not wrong
    assert exact > 30


def explained(case: goldens.Case, run: Run) -> bool:
    """Whether a run differs from the recorded one by nothing but the known departures."""
    if case["args"][:2] == ["-format", "html"]:  # a format that the original refuses
        return run.status == 0 and run.stdout.startswith("<!DOCTYPE html>")
    if run.status != goldens.expected_status(case):
        return False
    if goldens.prints_usage(case):  # the help is ours; what was wrong is said in the same words
        said = case["stderr"].split("Usage:")[0].split("usage:")[0]
        return run.stderr.startswith(said)
    expected, printed = goldens.tables_of(case["stdout"]), goldens.tables_of(run.stdout)
    if (
        expected == printed
    ):  # .config keys sort by first appearance; warnings of a sheet move with their cells
        return sorted(line.split(": ", 1)[1] for line in case["stderr"].splitlines()) == sorted(
            line.split(": ", 1)[1] for line in run.stderr.splitlines()
        )
    if has_zero_times(case):
        return goldens.without_rows_of_time(expected) == goldens.without_rows_of_time(printed)
    masked = goldens.with_unequal_tests_masked
    return [(configuration, masked(text)) for configuration, text in expected] == [
        (configuration, masked(text)) for configuration, text in printed
    ]


@pytest.mark.parametrize("folder", SETS)
def test_the_p_values_that_the_original_gets_wrong_are_right(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "in")
    cases = {case["id"]: case for case in goldens.load_cases(folder, "benchstat")}
    checked = 0
    for entry in json.loads((folder / "tie_bug_cases.json").read_text()):
        if entry["unit"] not in ("sec/op", "allocs/op", "B/op"):
            continue
        case = cases[entry["case"]]
        if "-format=csv" not in case["args"] and "csv" not in case["args"]:
            continue
        run = replay(case, monkeypatch)
        blocks = [block for block in run.stdout.split("\n\n") if f",{entry['unit']},CI" in block]
        row = next(
            line for block in blocks for line in block.splitlines() if line.startswith(entry["row"] + ",")
        )
        assert f"p={entry['correct_two_sided_p']:.3f} " in row
        checked += 1
    assert checked
