"""The page's scripts under Node's own test runner, against what Python computes."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conduit.bench.statistics.samples import compare, quantile, sort_values, u_test
from conduit.profile.measurement import label, percentage
from conduit.web.amounts import amounts_document

TESTS = Path(__file__).parent / "javascript"


def run_node(test: str, cases: dict[str, Any], folder: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not on this machine (apt-get install nodejs)")
    path = folder / "cases.json"
    path.write_text(json.dumps(cases))
    done = subprocess.run(
        [node, "--test", str(TESTS / test)],
        env={**os.environ, "CASES": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_amounts_and_shares_have_the_text_that_reports_print(tmp_path: Path) -> None:
    generator = random.Random(14)
    values = [0, 1, -1, 999, 1000, 1023, 1024, 1125, 12_345, -4_623_840, 2**53]
    values += [int(generator.paretovariate(0.15)) % 2**53 for _ in range(3000)]
    units = ("nanoseconds", "microseconds", "seconds", "bytes", "kilobytes", "count", "gcu", "furlongs")
    amounts = [
        {"value": value, "amounts": amounts_document(unit, 1.0), "text": label(value, unit)}
        for unit in units
        for value in values
    ]
    pairs = [(value, generator.choice([1, 8, 1000, 100_000, 2**40])) for value in values]
    pairs += [(5, 0), (32402, 10000), (12345, 100_000), (1, 800), (3, 800), (9995, 10_000), (1, 10**9)]
    shares = [{"value": v, "total": total, "text": percentage(v, total).strip()} for v, total in pairs]
    run_node("units.test.js", {"amounts": amounts, "shares": shares}, tmp_path)


def test_two_commits_of_a_history_are_tested_as_benchstat_tests_them(tmp_path: Path) -> None:
    generator = random.Random(24)
    pairs: list[dict[str, Any]] = []
    for number in range(300):
        sizes = (generator.randint(1, 12), generator.randint(1, 12))
        if number % 60 == 0:
            sizes = (60, 55)  # beyond the exact test
        levels = generator.choice([3, 30, 10**9])  # with many ties, some, none
        shift = generator.choice([0, 0, levels // 3])
        samples = [
            sort_values([float(generator.randrange(1, levels) + by) for _ in range(size)])
            for size, by in zip(sizes, (0, shift), strict=True)
        ]
        before, after = (quantile(sample, 0.5) for sample in samples)
        told = compare(samples[0], samples[1], 0.05)
        pairs.append(
            {
                "old": samples[0],
                "fresh": samples[1],
                "p": u_test(samples[0], samples[1]),
                "before": before,
                "after": after,
                "delta": told.delta_text(before, after),
                "text": f"({told.text})",
            }
        )
    assert {pair["delta"] == "~" for pair in pairs} == {True, False}
    run_node("history_data.test.js", {"pairs": pairs}, tmp_path)


def test_the_flame_graphs_tree_is_laid_out_pivoted_and_grafted_exactly(tmp_path: Path) -> None:
    run_node("flame_tree.test.js", {}, tmp_path)


def test_groups_of_functions_have_colours_of_their_own(tmp_path: Path) -> None:
    run_node("palette.test.js", {}, tmp_path)


def test_a_saved_picture_holds_its_boxes(tmp_path: Path) -> None:
    run_node("exporting.test.js", {}, tmp_path)


@pytest.mark.parametrize(
    "test", ["time_strip.test.js", "time_range.test.js"], ids=lambda name: name.partition(".")[0]
)
def test_a_module_does_as_its_own_tests_say(test: str, tmp_path: Path) -> None:
    run_node(test, {}, tmp_path)
