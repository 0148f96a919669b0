"""Go's own runs of the benchmarks in the goldens: which lines they printed, for which flags."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import OWN_GOLDEN, SHARED_GOLDEN

RESULT = re.compile(r"(Benchmark\S+) *\t *(\d+)\t(.+)")
VALUE = re.compile(r" *(-?[\d.]+) (\S+)")


@dataclass(frozen=True)
class Case:
    name: str
    flags: dict[str, str]
    stdout: str

    def results(self) -> list[re.Match[str]]:
        return [match for line in self.stdout.splitlines() if (match := RESULT.fullmatch(line))]


def folder() -> Path:
    shared = SHARED_GOLDEN / "gotest"
    return shared if shared.is_dir() else OWN_GOLDEN / "gotest"


def cases() -> list[Case]:
    """Every case whose output is there (all of them beside the project, most of them in it)."""
    found = []
    for case in json.loads((folder() / "manifest.json").read_text())["cases"]:
        path = folder() / case["stdout"]
        if path.is_file():
            words = [word.partition("=") for word in case["cmd"] if word.startswith("-")]
            flags = {name.lstrip("-"): value for name, _, value in words}
            found.append(Case(case["name"], flags, path.read_text()))
    return found


def case(name: str) -> Case:
    return next(case for case in cases() if case.name == name)
