"""Whether allocation counts of tests (the fixtures `bench` and `benchmark`) are the same under other hash seeds.

A count can depend on the order of a set, which the hash seed of a process decides. After the session the tests that
counted run again, one iteration each, in interpreters with other seeds; a difference becomes a warning, as it does for
`conduit bench` (see `against.seeds`).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.against.seeds import unchecked_warning, varying_warning
from conduit.bench.text.reader import InputFile, Reader, Result
from conduit.bench.text.unit_metadata import UnitMetadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conduit.bench.result import MeasurementWarning

    Counts = Mapping[str, tuple[int, int]]

MAX_TESTS_S = 20.0
"""Tests that take longer are not repeated unless that is asked for."""
LEAST_TIMEOUT_S = 60.0


class Repetition(NamedTuple):
    """How to run pytest again: its arguments, the ids of the tests, the folder, and a limit in seconds."""

    arguments: Sequence[str]
    node_ids: Sequence[str]
    folder: Path
    timeout_s: float


def has_own_seed() -> bool:
    """Return whether processes have hash seeds of their own: the user has not fixed one."""
    return os.environ.get("PYTHONHASHSEED", "random") == "random"


def counts_of_text(lines: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return (B/op, allocs/op) by package and benchmark, `tests/test_a:BenchmarkB-2`; of repetitions the last."""
    reader = Reader(InputFile("pytest", "pytest"), UnitMetadata())
    found: dict[str, tuple[int, int]] = {}
    for number, line in enumerate(lines, 1):
        for record in reader.records(line, number):
            if not isinstance(record, Result):
                continue
            values = dict(zip((column.unit for column in record.columns), record.values, strict=True))
            if "B/op" in values and "allocs/op" in values:
                name = f"{record.configuration.get('pkg')}:Benchmark{record.name}"
                found[name] = int(values["B/op"]), int(values["allocs/op"])
    return found


def check_counts(own: Counts, repetition: Repetition, seeds: int) -> dict[str, MeasurementWarning]:
    """Count again under `seeds` other hash seeds; return a warning for each benchmark that differs or lacks there."""
    others: list[Counts] = []
    for _ in range(seeds):
        try:
            others.append(_counts_elsewhere(repetition))
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = (
                "they took too long there" if isinstance(error, subprocess.TimeoutExpired) else str(error)
            )
            return dict.fromkeys(own, unchecked_warning(reason, "--bench-seeds=0 does without"))
    warnings = {}
    for name, counts in own.items():
        found = [counts, *(other[name] for other in others if name in other)]
        if len(set(found)) > 1:
            warnings[name] = varying_warning(found)
        elif len(found) <= seeds:
            reason = "the test did not pass under another hash seed"
            warnings[name] = unchecked_warning(reason, "run it with PYTHONHASHSEED=1, 2, …")
    return warnings


def _counts_elsewhere(repetition: Repetition) -> Counts:
    with tempfile.TemporaryDirectory(prefix="conduit-seeds-") as folder:
        written = Path(folder) / "counts.txt"
        ours = ["--benchtime=1x", "--bench-seeds=0", f"--bench-out={written}", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", *repetition.arguments, *ours]
        subprocess.run(
            [*command, *repetition.node_ids],
            cwd=repetition.folder,
            env={
                **{key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"},
                "PYTHONHASHSEED": str(random.SystemRandom().randrange(1, 1 << 32)),
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=repetition.timeout_s,
            check=False,
        )
        text = written.read_text(encoding="utf-8") if written.exists() else ""
    return counts_of_text(text.splitlines())
