"""Old against new: results filtered, arranged in tables, compared cell by cell, and printed.

Filters and projections follow golang.org/x/perf/benchproc, the tables golang.org/x/perf/cmd/benchstat."""
