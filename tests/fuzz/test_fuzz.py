"""The fuzzer finds what it is for, and every reader withstands a few hundred damaged inputs of each run of the suite."""

from __future__ import annotations

import base64
import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.__main__ import run
from tests.fuzz.frame import Kind, fuzz, make_input
from tests.fuzz.kinds import all_kinds

if TYPE_CHECKING:
    from pathlib import Path


def fails_on_tens(data: bytes) -> None:
    if data.count(b"x") > 40:
        raise KeyError("planted")
    raise ValueError("documented")


def hangs(data: bytes) -> None:
    time.sleep(60)


def swells(data: bytes) -> None:
    held = [bytearray(1 << 28) for _ in range(8)]
    raise ValueError(len(held))


def test_an_error_that_is_not_documented_is_found_and_can_be_had_again() -> None:
    kind = Kind("planted", (b"x" * 20,), fails_on_tens, (ValueError,))
    failure = fuzz(kind, seed=7, inputs=5_000).failure
    assert failure is not None
    assert "KeyError: 'planted'" in failure.reason
    assert failure.data == make_input(kind, 7, failure.number)
    with pytest.raises(KeyError):
        kind.read(failure.data)


def test_the_last_lines_of_a_run_hold_what_is_needed_to_have_a_failure_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.fuzz.__main__.KEPT", tmp_path / "failures")
    planted = Kind("planted", (b"x" * 50,), fails_on_tens, (ValueError,))
    harmless = [Kind(f"harmless {number}", (b"abc",), len, ()) for number in range(30)]
    assert run([planted, *harmless], seed=9, seconds=0, inputs=20) == 1
    last = capsys.readouterr().out.splitlines()[-5:]
    assert last[0].startswith("fuzz: FAILED: planted: KeyError: 'planted'")
    match = re.search(r"in base64: (\S+)", last[1])
    assert match is not None
    with pytest.raises(KeyError):
        fails_on_tens(base64.b64decode(match[1]))
    number = re.search(r"--kind planted --seed 9 --input (\d+)$", last[3])
    assert number is not None
    assert make_input(planted, 9, int(number[1])) == base64.b64decode(match[1])


def test_an_input_that_takes_too_long_is_found() -> None:
    failure = fuzz(Kind("slow", (b"x",), hangs, ()), seed=1, inputs=3, seconds_for_one=0.5).failure
    assert failure is not None
    assert (failure.number, failure.reason) == (0, "took more than 0.5 s")


def test_an_input_that_takes_too_much_memory_is_found() -> None:
    failure = fuzz(Kind("large", (b"x",), swells, (ValueError,)), seed=1, inputs=3).failure
    assert failure is not None
    assert failure.reason.startswith("MemoryError")


def test_inputs_follow_from_seed_kind_and_number_alone() -> None:
    kind = Kind("any", (b"abc", b"def"), len, ())
    assert make_input(kind, 1, 5) == make_input(kind, 1, 5)
    assert len({make_input(kind, 1, number) for number in range(100)}) > 50


@pytest.mark.parametrize("name", sorted(all_kinds()))
def test_a_reader_gives_an_answer_or_its_documented_error(name: str) -> None:
    outcome = fuzz(all_kinds()[name], seed=20_260, inputs=300)
    assert outcome.failure is None, outcome.failure
    assert outcome.inputs == 300
