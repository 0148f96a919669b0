"""HOW FAST: benchmarks run, written down, read again and compared, as Go's tools do.

The wing follows Go's `testing` package (what a benchmark is given, how it is calibrated, how names are matched and
lines are printed) and the text format of golang.org/design/14313-benchmark-format. The command line and the
pytest plugin use it; it knows neither profilers nor the registry, and takes what wants to surround a run from
above.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from conduit.bench.api import benchmark
    from conduit.bench.compare.comparison import Comparison, Options, compare_benchmarks
    from conduit.bench.result import BenchmarkFailedError, BenchmarkResult
    from conduit.bench.run.loop import Benchmark

_HOME_OF_NAME = {
    "Benchmark": "conduit.bench.run.loop",
    "BenchmarkFailedError": "conduit.bench.result",
    "BenchmarkResult": "conduit.bench.result",
    "Comparison": "conduit.bench.compare.comparison",
    "Options": "conduit.bench.compare.comparison",
    "benchmark": "conduit.bench.api",
    "compare_benchmarks": "conduit.bench.compare.comparison",
}

__all__ = [
    "Benchmark",
    "BenchmarkFailedError",
    "BenchmarkResult",
    "Comparison",
    "Options",
    "benchmark",
    "compare_benchmarks",
]


def __getattr__(name: str) -> Any:
    # Running a benchmark does not load what compares two, and the other way round.
    home = _HOME_OF_NAME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
