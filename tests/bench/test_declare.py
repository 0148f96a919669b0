from __future__ import annotations

import re

import pytest

from conduit.bench import parametrize, setup
from tests.bench.commands import Command

NAMES = re.compile(r"^(Benchmark\S+?)(?:-\d+)?\s+\d+\s", re.MULTILINE)


def test_every_combination_is_a_sub_benchmark_and_the_first_written_varies_slowest(
    run_bench: Command,
) -> None:
    text = """
from conduit import bench
@bench.parametrize(n=[10, 1_000])
@bench.parametrize(kind={"list": list, "tuple": tuple})
def bench_sum(b, n, kind):
    numbers = kind(range(n))
    assert len(numbers) == n and type(numbers) is kind
    for _ in b:
        sum(numbers)
"""
    answer = run_bench("-benchtime=3x", bench_a=text)
    assert answer.returncode == 0, answer.stdout
    assert NAMES.findall(answer.stdout) == [
        "BenchmarkSum/n=10/kind=list",
        "BenchmarkSum/n=10/kind=tuple",
        "BenchmarkSum/n=1000/kind=list",
        "BenchmarkSum/n=1000/kind=tuple",
    ]
    chosen = run_bench("-benchtime=3x", "-bench=Sum/n=10$/tuple", bench_a=text)
    assert NAMES.findall(chosen.stdout) == ["BenchmarkSum/n=10/kind=tuple"]


SET_UP = """
import sys
from conduit import bench
def make(n):
    print("made", n, file=sys.stderr)
    return list(range(n))
def drop(numbers):
    print("dropped", len(numbers), file=sys.stderr)
@bench.parametrize(n=[3])
@bench.setup(make, drop, per="PER")
def bench_x(b, numbers, n):
    assert len(numbers) == n
    for _ in b:
        pass
"""


def test_a_set_up_per_run_is_made_and_torn_down_for_each_run(run_bench: Command) -> None:
    answer = run_bench("-benchtime=5x", bench_a=SET_UP.replace("PER", "run"))
    assert answer.stderr.split() == ["made", "3", "dropped", "3"] * 2


def test_a_set_up_per_benchmark_is_made_once(run_bench: Command) -> None:
    answer = run_bench("-benchtime=5x", "-count=3", bench_a=SET_UP.replace("PER", "benchmark"))
    assert answer.stderr.split() == ["made", "3", "dropped", "3"]


def test_async_benchmarks_have_set_ups_and_parameters(run_bench: Command) -> None:
    text = """
import asyncio
from conduit import bench
@bench.parametrize(n=[1, 2])
@bench.setup(lambda n: [n])
async def bench_x(b, numbers, n):
    assert numbers == [n]
    for _ in b:
        await asyncio.sleep(0)
"""
    answer = run_bench("-benchtime=3x", bench_a=text)
    assert NAMES.findall(answer.stdout) == ["BenchmarkX/n=1", "BenchmarkX/n=2"]


def test_a_set_up_is_not_timed_even_where_the_function_loops_by_itself(run_bench: Command) -> None:
    text = """
import time
from conduit import bench
@bench.setup(lambda: time.sleep(0.2))
def bench_x(b, nothing):
    for _ in range(b.n):
        pass
"""
    answer = run_bench("-benchtime=1000x", bench_a=text)
    found = re.search(r"([\d.]+) ns/op", answer.stdout)
    assert found is not None
    assert float(found[1]) < 200_000  # 0.2 s over 1000 iterations would be exactly that


def test_wrong_declarations_are_refused_when_they_are_made() -> None:
    with pytest.raises(ValueError, match="n has no values"):
        parametrize(n=[])
    with pytest.raises(ValueError, match="expected run or benchmark"):
        setup(list, per="day")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="two set-ups"):
        setup(list)(setup(list)(lambda b, x: None))
