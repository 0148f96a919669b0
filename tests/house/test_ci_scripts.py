"""The scripts of .ci: what they say to a wrong call."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SID = Path(__file__).resolve().parents[2] / ".ci" / "sid"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ([], 2, "sid: the commands are make, has and run"),
        (["fly"], 2, "sid: there is no command fly; the commands are make, has and run"),
        (["has"], 2, "sid: has: name one program, as in: .ci/sid has python3.15"),
        (["has", "python3.15"], 1, " has no python3.15"),
        (["run", "."], 2, "sid: run: name a folder and a program, as in: .ci/sid run . python3.15 -V"),
    ],
)
def test_the_folder_of_the_newest_pythons_says_what_was_wrong_with_a_call(
    tmp_path: Path, words: list[str], status: int, message: str
) -> None:
    done = subprocess.run(
        [SID, *words],
        env=os.environ | {"CONDUIT_SID": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.splitlines()[-1].endswith(message), done.stderr
    assert "unbound variable" not in done.stderr
