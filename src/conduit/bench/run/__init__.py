"""RUNNING: benchmark files are found, their functions calibrated, timed and counted, and what happens is told as events.

The rules are those of Go's `testing` package. `session` runs whole files, `runner` one file, `measure` one
benchmark; `loop` is the `b` that a benchmark function receives."""
