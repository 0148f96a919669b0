"""What kill -9 leaves of the files that commands write."""

from __future__ import annotations

import random

import pytest

from tests.cli.killed import COMMANDS, kill_often


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_leaves_its_file_as_before_or_whole(name: str) -> None:
    assert kill_often(name, 10, random.Random(1).random)["new"] < 10
