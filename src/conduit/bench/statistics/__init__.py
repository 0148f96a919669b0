"""Statistics of repeated measurements: medians, intervals and tests, after golang.org/x/perf/benchmath."""
