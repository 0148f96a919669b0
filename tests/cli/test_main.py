from __future__ import annotations

import pytest

from conduit.cli import COMMANDS, main


def test_help_lists_every_command_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name}" in printed for name in COMMANDS)


def test_help_with_a_command_is_that_commands_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "bench"]) == 0
    assert capsys.readouterr().out.startswith("usage: conduit bench ")
    assert main(["help", "benhc"]) == 2
    assert "Did you mean `conduit bench`?" in capsys.readouterr().err


def test_no_command_at_all_is_a_wrong_call_that_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: conduit COMMAND" in capsys.readouterr().err


def test_an_unknown_command_is_named_and_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bnech"]) == 2
    assert "no command 'bnech'" in capsys.readouterr().err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("conduit 0.")
