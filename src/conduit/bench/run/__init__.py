"""Running benchmarks by the rules of Go's `testing` package: discovery, calibration, timing, counting, events.

`session` runs whole files, `runner` one file, `measure` one benchmark; `loop` is the `b` argument of a function.
"""
