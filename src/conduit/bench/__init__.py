"""Benchmarks: run, written, read and compared as Go's tools do.

Follows Go's `testing` package (the argument `b`, calibration, name matching, output) and the text format of
golang.org/design/14313-benchmark-format. `run` runs benchmarks, `text` reads and writes results, `compare` compares
them, `against` compares two revisions, and `statistics` has the tests. It imports neither profilers nor the registry;
callers pass context managers that surround a run. Used by the command line, `conduit.history` and the pytest plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from conduit.bench.api import benchmark
    from conduit.bench.compare.comparison import Comparison, Options, compare_benchmarks
    from conduit.bench.declare import parametrize, setup
    from conduit.bench.imports import bench_import
    from conduit.bench.result import BenchmarkFailedError, BenchmarkResult
    from conduit.bench.run.loop import Benchmark

_HOME_OF_NAME = {
    "Benchmark": "conduit.bench.run.loop",
    "BenchmarkFailedError": "conduit.bench.result",
    "BenchmarkResult": "conduit.bench.result",
    "Comparison": "conduit.bench.compare.comparison",
    "Options": "conduit.bench.compare.comparison",
    "bench_import": "conduit.bench.imports",
    "benchmark": "conduit.bench.api",
    "compare_benchmarks": "conduit.bench.compare.comparison",
    "parametrize": "conduit.bench.declare",
    "setup": "conduit.bench.declare",
}

__all__ = [
    "Benchmark",
    "BenchmarkFailedError",
    "BenchmarkResult",
    "Comparison",
    "Options",
    "bench_import",
    "benchmark",
    "compare_benchmarks",
    "parametrize",
    "setup",
]


def __getattr__(name: str) -> Any:
    # Running a benchmark does not load what compares two, and the other way round.
    home = _HOME_OF_NAME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
