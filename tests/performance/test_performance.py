"""The registry against the acceptable limits of [tool.conduit.targets], which are those of the profiling guide.

`pytest -v -k TestPerformance` runs them; the measured values are in the log and at the end of the run. Times are
those of the fastest of a few repetitions, because a limit is about the code and not about what else the machine does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from benchmarks.documents import plain_document, small_document
from conduit._native import available
from conduit.bench import BenchmarkResult
from conduit.bench.run.targets import Target, format_amount, read_targets
from conduit.metadata import Registry, decode
from tests.conftest import PROJECT

Bench = Callable[..., BenchmarkResult]
log = logging.getLogger(__name__)
SHORT = "50ms"  # for a repetition: the fastest of five is the same as of whole seconds, in a twentieth of the time
counts = pytest.mark.skipif(
    not available(), reason="the native extension is not built: allocations are not counted"
)


def limit(name: str, unit: str) -> Target:
    """The target for a benchmark of the suite, from the project's configuration."""
    targets = read_targets(PROJECT / "pyproject.toml")
    return next(target for target in targets if target.unit == unit and target.matches(name))


def assert_acceptable(name: str, unit: str, value: float | None) -> None:
    target = limit(name, unit)
    assert value is not None
    measured, acceptable = format_amount(unit, value), format_amount(unit, target.acceptable)
    log.info("%s: %s, acceptable up to %s", name, measured, acceptable)
    assert target.grade(value) in ("target met", "acceptable"), (
        f"{name}: {measured}, acceptable up to {acceptable}"
    )


def fastest(result: BenchmarkResult) -> float:
    return min(sample.ns_per_op for sample in result.samples)


def least_cpu(result: BenchmarkResult) -> float:
    return min(sample.cpu_ns / sample.n for sample in result.samples)


class TestPerformance:
    def test_the_limits_are_those_of_the_guide(self) -> None:
        assert limit("RegistryInit", "ns/op").acceptable == 50e6
        assert limit("SimpleQueries/Resource", "ns/op").acceptable == 5e6
        assert limit("ComplexQueries/Depth3Cold", "ns/op").acceptable == 50e6
        assert limit("MemoryEfficiency/50", "B/op").acceptable == 50 * 2**20

    def test_registry_init(self, bench: Bench) -> None:
        document = plain_document(50)
        result = bench(lambda: Registry.from_json(document), benchtime=SHORT, count=5)
        assert_acceptable("RegistryInit", "ns/op", fastest(result))

    def test_simple_query(self, bench: Bench) -> None:
        registry = Registry.from_json(small_document())
        result = bench(lambda: registry.resource("Post"), benchtime=SHORT, count=5)
        assert_acceptable("SimpleQueries/Resource", "ns/op", fastest(result))

    def test_complex_query_cold(self, bench: Bench) -> None:
        metadata = decode(small_document())
        result = bench(lambda: Registry(metadata).dependencies("Comment", 3), benchtime=SHORT, count=5)
        assert_acceptable("ComplexQueries/Depth3Cold", "ns/op", fastest(result))

    def test_complex_query_cached(self, bench: Bench) -> None:
        registry = Registry.from_json(small_document())
        result = bench(lambda: registry.dependencies("Comment", 3), benchtime=SHORT, count=5)
        assert_acceptable("ComplexQueries/Depth3Cached", "ns/op", fastest(result))

    @counts
    def test_memory(self, bench: Bench) -> None:
        document = plain_document(50)
        result = bench(lambda: Registry.from_json(document).document.warm(), benchtime="10x")
        assert_acceptable("MemoryEfficiency/50", "B/op", result.bytes_per_op)

    @counts
    def test_minimal_allocations(self, bench: Bench) -> None:
        registry = Registry.from_json(small_document()).warm()
        simple = bench(lambda: registry.resource("Post"), name="simple", benchtime="1000x")
        cached = bench(lambda: registry.dependencies("Comment", 3), name="cached", benchtime="1000x")
        assert_acceptable("SimpleQueries/Resource", "allocs/op", simple.allocs_per_op)
        assert_acceptable("ComplexQueries/Depth3Cached", "allocs/op", cached.allocs_per_op)
        assert (simple.allocs_per_op, cached.allocs_per_op) == (0, 0)

    def test_loading_scales_no_worse_than_linearly(self, bench: Bench) -> None:
        small, large = plain_document(200), plain_document(2_000)
        # Single turns, many of them: each must find the processor's caches to itself once.
        one = least_cpu(
            bench(lambda: Registry.from_json(small), name="200", benchtime="1x", count=20, allocations=False)
        )
        ten = least_cpu(
            bench(lambda: Registry.from_json(large), name="2000", benchtime="1x", count=20, allocations=False)
        )
        log.info("10 times the resources take %.1f times the time", ten / one)
        assert ten / one < 20, (
            f"10 times the resources take {ten / one:.1f} times the time; linear would be 10"
        )

    def test_a_simple_query_costs_the_same_at_any_size(self, bench: Bench) -> None:
        small = Registry.from_json(plain_document(50))
        large = Registry.from_json(plain_document(4_000))
        few = least_cpu(
            bench(
                lambda: small.resource("Resource7"), name="50", benchtime="20000x", count=5, allocations=False
            )
        )
        many = least_cpu(
            bench(
                lambda: large.resource("Resource7"),
                name="4000",
                benchtime="20000x",
                count=5,
                allocations=False,
            )
        )
        log.info("a query of 4,000 resources takes %.2f times that of 50", many / few)
        assert many / few < 3

    def test_the_cache_is_effective(self, bench: Bench) -> None:
        metadata = decode(small_document())
        registry = Registry(metadata)
        cold = least_cpu(
            bench(
                lambda: Registry(metadata).dependencies("Comment", 3),
                name="cold",
                benchtime=SHORT,
                count=5,
                allocations=False,
            )
        )
        cached = least_cpu(
            bench(
                lambda: registry.dependencies("Comment", 3),
                name="cached",
                benchtime=SHORT,
                count=5,
                allocations=False,
            )
        )
        log.info("a kept answer is %.0f times quicker than a cold one", cold / cached)
        assert cold / cached > 5, f"a kept answer is only {cold / cached:.1f} times quicker than a cold one"
