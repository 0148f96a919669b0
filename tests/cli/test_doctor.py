from __future__ import annotations

import os
from typing import TYPE_CHECKING

from conduit import _native

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Command = Callable[..., subprocess.CompletedProcess[str]]


def test_the_doctor_names_interpreter_platform_and_extension(conduit_command: Command) -> None:
    answer = conduit_command("doctor")
    assert answer.returncode == (0 if _native.available() else 1)
    names = {line.split("  ")[0] for line in answer.stdout.splitlines()}
    assert {"conduit", "python", "platform", "C extension", "B/op, allocs/op"} <= names


def test_without_the_extension_the_doctor_says_why_and_exits_with_1(conduit_command: Command) -> None:
    answer = conduit_command("doctor", env=os.environ | {"CONDUIT_NATIVE": "off"})
    assert answer.returncode == 1
    assert "turned off by CONDUIT_NATIVE=off" in answer.stdout
    assert "n/a: needs the C extension" in answer.stdout


def test_the_doctor_takes_no_arguments(conduit_command: Command) -> None:
    answer = conduit_command("doctor", "please")
    assert answer.returncode == 2
    assert "takes no arguments" in answer.stderr
