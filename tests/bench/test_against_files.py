"""One set of benchmarks, two versions of the code: which files run on the old side, and what is said of them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from conduit._native import available
from tests.bench.commands import Command
from tests.bench.test_against import git

BENCHMARK = "from shop import total\ndef bench_total(b):\n    xs = list(range(1000))\n    for _ in b:\n        total(xs)\n"
FRESH = "def bench_fresh(b):\n    from shop import fresh\n    for _ in b:\n        fresh()\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository whose working copy has twice the work in its benchmark, and a second benchmark of new code."""
    root = tmp_path / "shop"
    (root / "benchmarks").mkdir(parents=True)
    (root / "benchmarks" / "bench_shop.py").write_text(BENCHMARK)
    (root / "shop.py").write_text("def total(xs): return sum(xs)\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    (root / "benchmarks" / "bench_shop.py").write_text(BENCHMARK.replace("1000", "2000") + FRESH)
    (root / "shop.py").write_text("def total(xs): return sum(xs)\ndef fresh(): pass\n")
    return root


def rows_of(stdout: str) -> dict[tuple[str, str], dict[str, object]]:
    return {(row["name"].rpartition(":")[2], row["unit"]): row for row in json.loads(stdout)["rows"]}


def test_an_edited_benchmark_runs_on_both_versions_of_the_code(shop: Path, conduit_command: Command) -> None:
    run = conduit_command("bench", "-against=HEAD", "-budget=4s", "-format=json", cwd=shop)
    row = rows_of(run.stdout)["BenchmarkTotal", "sec/op"]
    assert abs(float(row["delta"])) < 0.4  # the work of both sides is the same: 2000 numbers
    assert "both sides ran the working copy's benchmarks/bench_shop.py, which differs at HEAD" in run.stderr
    assert run.returncode == 0


def test_each_sides_own_files_run_where_asked_and_their_difference_is_told(
    shop: Path, conduit_command: Command
) -> None:
    run = conduit_command("bench", "-against=HEAD", "-budget=4s", "-format=json", "-own-benchmarks", cwd=shop)
    row = rows_of(run.stdout)["BenchmarkTotal", "sec/op"]
    assert float(row["delta"]) > 0.4
    assert "each side ran its own benchmarks/bench_shop.py, which differ" in run.stderr


def test_a_benchmark_that_needs_new_code_says_so_in_its_row_and_closes_only_a_strict_gate(
    shop: Path, conduit_command: Command
) -> None:
    run = conduit_command("bench", "-against=HEAD", "-budget=1s", "-gate", "-bench=Total|Fresh", cwd=shop)
    assert "Fresh" in run.stdout
    assert "not on the old side: ImportError: cannot import name 'fresh' from 'shop'" in run.stdout
    assert run.returncode == 0
    strict = conduit_command("bench", "-against=HEAD", "-budget=1s", "-gate=strict", cwd=shop)
    assert strict.returncode == 1
    assert "gate: closed: 1 on one side only: Fresh" in strict.stderr


def test_a_folder_given_as_the_old_side_is_not_changed(
    shop: Path, tmp_path: Path, conduit_command: Command
) -> None:
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(shop), str(other))
    run = conduit_command("bench", f"-against={other}", "-budget=1s", "-format=json", cwd=shop)
    assert "not on the old side: ImportError" in run.stdout
    assert git(other, "status", "--porcelain") == ""


@pytest.mark.parametrize("given", ["src", "{here}/src", "{here}/src{separator}lib"])
def test_a_folder_of_the_working_copy_in_pythonpath_is_the_old_sides_own_on_the_old_side(
    tmp_path: Path, given: str, conduit_command: Command
) -> None:
    for side, count in (("old", 100), ("new", 5000)):
        root = tmp_path / side
        (root / "src" / "shop").mkdir(parents=True)
        (root / "src" / "shop" / "__init__.py").write_text(f"def total(): return list(range({count}))\n")
        (root / "benchmarks").mkdir()
        (root / "benchmarks" / "bench_shop.py").write_text(
            "from shop import total\ndef bench_total(b):\n    for _ in b:\n        total()\n"
        )
        (root / "pyproject.toml").write_text("")
    # An environment of its own has no sources before what PYTHONPATH names.
    python = tmp_path / "old" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    here = tmp_path / "new"
    path = given.format(here=here, separator=os.pathsep)
    environment = {**os.environ, "PYTHONPATH": path}
    run = conduit_command("bench", "-against=../old", "-budget=1s", "-format=json", cwd=here, env=environment)
    row = rows_of(run.stdout)["BenchmarkTotal", "allocs/op"]
    assert float(row["delta"]) > 1, run.stderr


def test_a_helper_module_of_the_benchmarks_folder_is_todays_on_both_sides(
    shop: Path, conduit_command: Command
) -> None:
    (shop / "benchmarks" / "inputs.py").write_text("numbers = list(range(10))\n")
    (shop / "benchmarks" / "bench_helped.py").write_text(
        "from inputs import numbers\nfrom shop import total\ndef bench_helped(b):\n    for _ in b:\n        total(numbers)\n"
    )
    run = conduit_command("bench", "-against=HEAD", "-budget=1s", "-bench=Helped", "-format=json", cwd=shop)
    assert ("BenchmarkHelped", "sec/op") in rows_of(run.stdout)
    assert run.returncode == 0


def test_a_module_that_the_old_environment_lacks_is_named_with_the_remedy(
    shop: Path, conduit_command: Command, tmp_path: Path
) -> None:
    (shop / "requirements.txt").write_text("# nothing\n")
    git(shop, "add", ".")
    git(shop, "commit", "-q", "-m", "with an environment of its own")
    (shop / "benchmarks" / "bench_needs.py").write_text(
        "import msgspec\ndef bench_needs(b):\n    for _ in b:\n        msgspec.json.encode(1)\n"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PIP_NO_INDEX": "1"}
    run = conduit_command("bench", "-against=HEAD", "-budget=1s", cwd=shop, env=environment)
    assert "not on the old side: ModuleNotFoundError: No module named 'msgspec'" in run.stdout
    assert "has no module msgspec" in run.stderr
    assert "-against-env=shared" in run.stderr


# Of 200 places three processes hardly ever have the same one.
TAGS = """
TAGS = {f"tag {number}" for number in range(200)}
def first_long():
    for t in TAGS:
        if t == "tag 0": return [t] * 100
        [t] * 1000
"""


@pytest.mark.skipif(not available(), reason="the native extension is not built")
def test_counts_that_depend_on_the_hash_seed_are_no_difference_between_equal_commits(
    tmp_path: Path, conduit_command: Command
) -> None:
    root = tmp_path / "tags"
    (root / "benchmarks").mkdir(parents=True)
    (root / "tags.py").write_text(TAGS)
    (root / "benchmarks" / "bench_tags.py").write_text(
        "from tags import first_long\ndef bench_scan(b):\n    for _ in b:\n        first_long()\n"
    )
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    run = conduit_command(
        "bench", "-against=HEAD", "-budget=5s", "-gate", "-format=json", "-seed=1", cwd=root
    )
    row = rows_of(run.stdout)["BenchmarkScan", "B/op"]
    counted = row["counted"]
    assert isinstance(counted, dict)
    assert not counted["is_exact"]
    assert row["note"].startswith(("varies", "needs pairs"))  # type: ignore[attr-defined]
    assert (row["delta"], row["grade"] in ("same", "undecided")) == (0.0, True)
    assert run.returncode == 0


@pytest.mark.skipif(not available(), reason="memory is counted by the extension")
def test_the_most_memory_held_at_once_is_compared_too(shop: Path, conduit_command: Command) -> None:
    (shop / "shop.py").write_text("def total(xs): return sum(bytearray(500_000)) + sum(xs)\n")
    run = conduit_command(
        "bench", "-against=HEAD", "-budget=1ns", "-format=json", "-peakmem", "-bench=Total", cwd=shop
    )
    row = rows_of(run.stdout)["BenchmarkTotal", "peak-B/op"]
    assert row["old"] < 10_000  # type: ignore[operator]
    assert 500_000 <= row["new"] < 510_000  # type: ignore[operator]
    assert row["state"] == "different"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind")
def test_instructions_of_both_sides_are_compared_on_request(shop: Path, conduit_command: Command) -> None:
    (shop / "shop.py").write_text("def total(xs): return sum(xs) + sum(xs)\n")
    run = conduit_command(
        "bench", "-against=HEAD", "-budget=1ns", "-format=json", "-instructions", "-bench=Total", cwd=shop
    )
    row = rows_of(run.stdout)["BenchmarkTotal", "instructions/op"]
    assert 0.8 < float(row["delta"]) < 1.05  # type: ignore[arg-type]
    assert row["state"] == "different"
