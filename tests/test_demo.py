from __future__ import annotations

import re
import subprocess
import sys

from examples.demo import COMMANDS, PROFILES, SUITE, has_profilers
from tests.conftest import PROJECT


def test_the_demo_runs_every_command_on_a_real_document_and_shows_its_answer() -> None:
    done = subprocess.run(
        [sys.executable, "examples/demo.py"], cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers = re.split(r"^\$ ", done.stdout, flags=re.MULTILINE)[1:]
    profiles = [command.format(folder=".") for command in PROFILES] if has_profilers() else []
    assert [answer.splitlines()[0] for answer in answers] == [*COMMANDS, SUITE, *profiles]
    expected = (
        "191 resources and 60 routes",
        "… and 168 more lines",
        "FIELDS (10)",
        "/admin/sessions/{id}",
        "/admin/identities/{id}",
        "3 depend on session directly",
        "settingsFlow",
        "8 of 9 fields `action`",
        "MemoryEfficiency/50              kept-B",
        *(("BenchmarkRegistryInit", "Type: cpu", "Type: alloc_space") if profiles else ()),
    )
    for answer, text in zip(answers, expected, strict=True):
        assert text in answer


def test_the_demo_leaves_nothing_behind() -> None:
    assert not (PROJECT / "examples" / "metadata.json").exists()
