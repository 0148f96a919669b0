"""Comparison of old and new results: filters them, arranges them in tables, compares cells and prints.

Filters and projections follow golang.org/x/perf/benchproc, the tables golang.org/x/perf/cmd/benchstat.
"""
