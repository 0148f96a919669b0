from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import conduit.bench
from conduit._native import available
from conduit.bench import Benchmark, BenchmarkFailedError, benchmark
from conduit.errors import BenchmarkMisuseError

if TYPE_CHECKING:
    from collections.abc import Callable


def list_of(length: int) -> list[int]:
    return [0] * length


def test_a_benchmark_function_is_measured_with_all_that_a_test_wants_to_know() -> None:
    def bench_lists(b: Benchmark) -> None:
        b.report_metric(7, "hits/op")
        for _ in b:
            list_of(100)

    result = benchmark(bench_lists, benchtime="1ms", count=3, bytecodes=True)
    assert result.name == "BenchmarkLists"
    assert len(result.samples) == 3
    assert result.n == sum(sample.n for sample in result.samples)
    assert result.ns_per_op == sorted(sample.ns_per_op for sample in result.samples)[1] > 0
    assert result.metrics["hits/op"] == 7.0
    assert result.value("bytecodes/op") == result.metrics["bytecodes/op"] > 0
    assert result.value("no/op") is None
    if available():
        assert (result.bytes_per_op, result.allocs_per_op) == (808, 2)
    else:
        assert (result.bytes_per_op, result.allocs_per_op) == (None, None)
        assert "no-allocations" in [warning.code for warning in result.warnings]


def test_a_function_without_arguments_is_the_operation_itself() -> None:
    calls: list[int] = []
    assert benchmark(lambda: calls.append(1), benchtime="20x", allocations=False).n == 20
    assert len(calls) == 21


def test_an_async_operation_is_awaited() -> None:
    calls: list[int] = []

    async def operation() -> None:
        calls.append(1)

    assert benchmark(operation, benchtime="20x", allocations=False).n == 20
    assert len(calls) == 21


def test_a_built_in_without_a_signature_is_an_operation() -> None:
    assert benchmark(dict, benchtime="5x").n == 5


def test_a_failure_is_raised_with_the_benchmarks_log() -> None:
    def broken(b: Benchmark) -> None:
        b.log("before")
        raise LookupError("no such table")

    with pytest.raises(
        BenchmarkFailedError, match=r"(?s)Benchmark\w* failed.*before.*LookupError: no such table"
    ) as caught:
        benchmark(broken)
    assert caught.value.name == "BenchmarkBroken" or caught.value.name == "Benchmarkbroken"


def test_skipping_is_not_a_result_either() -> None:
    with pytest.raises(BenchmarkFailedError, match="skipped"):
        benchmark(lambda b: b.skip("not here"))


def test_sub_benchmarks_have_to_be_measured_one_by_one() -> None:
    with pytest.raises(BenchmarkMisuseError, match="measure each by itself"):
        benchmark(lambda b: b.run("child", lambda b: [0 for _ in b]), benchtime="1x")


@pytest.mark.parametrize(
    "arguments",
    [{"count": 0}, {"benchtime": "0x"}, {"benchtime": "soon"}, {"benchtime": "0s"}, {"benchtime": "x"}],
)
def test_a_wrong_argument_is_a_value_error(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"count|invalid"):
        benchmark(lambda: None, **arguments)  # type: ignore[arg-type]


def test_the_wings_face_loads_what_it_names_and_nothing_else() -> None:
    assert all(getattr(conduit.bench, name) is not None for name in conduit.bench.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = conduit.bench.nothing


def test_a_function_that_never_uses_b_is_warned_about_because_it_ran_once() -> None:
    def without_loop(b: Benchmark) -> None:
        sum(range(1000))

    def by_count(b: Benchmark) -> None:
        for _ in range(b.n):
            sum(range(1000))

    def in_closure(b: Benchmark) -> None:
        def times() -> int:
            return b.n

        for _ in range(times()):
            sum(range(1000))

    def codes(function: Callable[[Benchmark], None]) -> list[str]:
        return [warning.code for warning in benchmark(function, benchtime="20x", allocations=False).warnings]

    assert "no-loop" in codes(without_loop)
    assert "no-loop" not in codes(by_count) + codes(in_closure)
