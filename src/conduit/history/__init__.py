"""Benchmark results over time: stored runs, read as series and searched for the commits at which a series changed.

`store` keeps a file for each run, in Go's benchmark text, so any program that reads such text can read a history.
`series` arranges the runs of a store by benchmark, unit, machine and Python version; `steps` finds lasting changes in
a series. Used by `conduit history`, its page in `conduit.web`, and `conduit bench -save`.
"""
