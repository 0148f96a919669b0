"""THE PAST OF A BENCHMARK: runs kept, read as series, and searched for the commits at which something moved.

`store` keeps one file a run, in Go's benchmark text, so that everything that reads such text reads a history too.
`series` arranges the runs of a store by benchmark, unit, machine and Python; `steps` finds lasting changes in a
series. Used by `conduit history` and `conduit bench -save`.
"""
