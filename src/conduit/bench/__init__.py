"""HOW FAST: benchmarks run, written down, read again and compared, as Go's tools do.

The wing follows Go's `testing` package (what a benchmark is given, how it is calibrated, how names are matched and
lines are printed) and the text format of golang.org/design/14313-benchmark-format. The command line and the
pytest plugin use it; it knows neither profilers nor the registry, and takes what wants to surround a run from
above.
"""

from __future__ import annotations
