"""Recordings of where a program's time and memory go, written as pprof files.

Each kind of profile has a function here: `cpu` (CPU time of all threads, sampled by the C extension), `wall` (where
threads are, including time spent waiting), `heap` (where memory is allocated, and which of it is still in use),
`block`, `mutex` and `gil` (waits and what causes them; all three in `waits`), and `trace` (a timeline of calls). These
functions return recordings, which are context managers with `start` and `stop`. `threads` returns the stacks of all
threads and tasks at one moment.

Recordings become profiles by `conduit.profile`, in the format of google/pprof's `profile.proto`; nothing here prints
or reads a profile. Used by the command line, the debug endpoint, `conduit.middleware` and the pages.
"""

from __future__ import annotations

from conduit.record.cpu import cpu
from conduit.record.heap import heap
from conduit.record.trace import region, trace
from conduit.record.waits import block, gil, mutex
from conduit.record.wall import wall

__all__ = ["block", "cpu", "gil", "heap", "mutex", "region", "trace", "wall"]
