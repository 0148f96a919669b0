"""The function that costs grow with is the one that they were made from, and others that fit as well are named."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from conduit.bench.statistics.growth import FUNCTIONS, Growth, fit_growth

SIZES = [10.0, 40.0, 160.0, 640.0, 2_560.0, 10_240.0]


def fitted(costs: Mapping[float, float]) -> Growth:
    growth = fit_growth(costs)
    assert isinstance(growth, Growth), growth
    return growth


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_function_that_made_the_costs_is_found_among_two_percent_of_noise(name: str) -> None:
    random = Random(name)
    for _ in range(20):
        costs = {n: (3 + 0.5 * FUNCTIONS[name](n)) * random.gauss(1, 0.02) for n in SIZES}
        growth = fitted(costs)
        assert name in (growth.function, *growth.alike)
        assert growth.errors[name] < 0.1


@pytest.mark.parametrize(("name", "wrong"), [("n", "n²"), ("n²", "n"), ("n log n", "n²"), ("constant", "n")])
def test_functions_that_lie_far_apart_are_told_apart(name: str, wrong: str) -> None:
    random = Random(1)
    for _ in range(50):
        growth = fitted({n: (3 + 0.5 * FUNCTIONS[name](n)) * random.gauss(1, 0.02) for n in SIZES})
        assert wrong not in (growth.function, *growth.alike)


@pytest.mark.parametrize("power", [0.5, 1, 2, 3])
def test_the_exponent_is_that_of_the_power(power: float) -> None:
    assert fitted({n: 2 * n**power for n in SIZES}).exponent == pytest.approx(power)


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [([1, 10, 100], "3 sizes; a fit needs 4"), ([10, 12, 14, 16], "a fit needs a factor of 8")],
)
def test_too_few_sizes_and_too_close_ones_are_refused(sizes: list[int], reason: str) -> None:
    growth = fit_growth({n: float(n) for n in sizes})
    assert isinstance(growth, str)
    assert reason in growth


def lines(name: str, cost: object, sizes: list[float]) -> str:
    assert callable(cost)
    return "".join(
        f"Benchmark{name}/n={n:g}/kind=a-8 10 {cost(n) * (1 + i / 100)} ns/op\n"
        for n in sizes
        for i in range(3)
    )


def benchstat(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "conduit", "benchstat", *arguments], cwd=folder, capture_output=True, text=True
    )


def test_benchstat_prints_a_table_a_plot_and_the_growth(tmp_path: Path) -> None:
    text = lines("Sort", lambda n: 5 * n * math.log(n), SIZES) + lines("Get", lambda n: 40, SIZES)
    (tmp_path / "new.txt").write_text(text)
    ran = benchstat("-growth=/n", "new.txt", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    first, second = ran.stdout.split("\n\n")
    assert first.splitlines()[0] == "Sort/kind=a-8"
    assert "growth: n log n, within " in first
    assert first.splitlines()[-2].count("█") == 24
    assert "10_240" in first
    assert "growth: constant, within " in second
    documents = json.loads(benchstat("-growth=/n", "-format=json", "new.txt", folder=tmp_path).stdout)
    assert [(one["benchmark"], one["growth"]["function"]) for one in documents] == [
        ("Sort/kind=a-8", "n log n"),
        ("Get/kind=a-8", "constant"),
    ]
    assert [size["size"] for size in documents[0]["sizes"]] == SIZES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-growth=n", "new.txt"], "expected a parameter of the names, such as /n"),
        (["-growth=/kind", "new.txt"], "no name has a number for /kind"),
        (["-growth=/n", "-col=/n", "new.txt"], "-col has no effect on -growth"),
        (["-growth=/n", "-format=csv", "new.txt"], "-format text or json"),
    ],
)
def test_what_cannot_be_answered_is_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text(lines("Sort", lambda n: n, SIZES))
    ran = benchstat(*arguments, folder=tmp_path)
    assert ran.returncode == 2
    assert message in ran.stderr
