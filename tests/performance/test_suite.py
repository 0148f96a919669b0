"""The project's own suite: its names, and that every benchmark of it runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from tests.conftest import PROJECT

NAMES = [
    "RegistryInit",
    *[f"SimpleQueries/{name}" for name in ("Resource", "Resources", "Schema", "RelationshipsFrom")],
    *[f"RouteQueries/{name}" for name in ("All", "ByMethod", "ByPath", "ByResource", "ByMethodAndResource")],
    *[f"PatternQueries/{name}" for name in ("All", "ByCategory", "ByName")],
    *[f"DependencyQueries/{name}" for name in ("Depth1", "Unlimited", "Reverse", "Filtered")],
    *[f"ComplexQueries/{name}" for name in ("Depth3Cold", "Depth3Cached", "Depth5Cold", "Depth5Cached")],
    "MemoryEfficiency/50",
    "ParallelResource",
    "MixedWorkload",
    *[f"Scaling/{size}" for size in (50, 500)],
]


@pytest.fixture(scope="module")
def printed() -> str:
    import sys

    command = [
        sys.executable,
        "-m",
        "conduit",
        "bench",
        "-v",
        "-short",
        "-benchtime=1x",
        "benchmarks/bench_registry.py",
    ]
    answer = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_suite_measures_it(printed: str, name: str) -> None:
    assert re.search(rf"(?m)^Benchmark{re.escape(name)}(-\d+)? *\t +1\t", printed)


def test_the_largest_documents_are_left_to_a_full_run(printed: str) -> None:
    skipped = re.findall(r"--- SKIP: Benchmark(\S+)", printed)
    assert {"Scaling/5000", "Scaling/50000"} <= set(skipped)


def test_every_target_is_for_a_benchmark_that_the_suite_has(
    conduit_command: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    answer = conduit_command(
        "bench", "--check", "-short", "-benchtime=1x", "benchmarks/bench_registry.py", cwd=PROJECT
    )
    assert "verdict" in answer.stdout
    assert "not measured: no such benchmark" not in answer.stdout
    assert answer.returncode == 0, answer.stdout
