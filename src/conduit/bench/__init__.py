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

    from conduit.bench.comparison import Comparison, Options, compare
    from conduit.bench.loop import Benchmark
    from conduit.bench.result import BenchmarkFailedError, BenchmarkResult
    from conduit.bench.single import benchmark

_HOME_OF_NAME = {
    "Benchmark": "conduit.bench.loop",
    "BenchmarkFailedError": "conduit.bench.result",
    "BenchmarkResult": "conduit.bench.result",
    "Comparison": "conduit.bench.comparison",
    "Options": "conduit.bench.comparison",
    "benchmark": "conduit.bench.single",
    "compare": "conduit.bench.comparison",
}

__all__ = [
    "Benchmark",
    "BenchmarkFailedError",
    "BenchmarkResult",
    "Comparison",
    "Options",
    "benchmark",
    "compare",
]


def __getattr__(name: str) -> Any:
    # Running a benchmark does not load what compares two, and the other way round.
    home = _HOME_OF_NAME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
