"""HOW A PROFILE IS MADE: recordings of where a program's time and memory go, written as pprof files.

Each kind is a file here and one function of the same name: `cpu` (CPU time of all threads, by the C extension), `wall`
(where threads are, waiting included), `heap` (who allocates, and whose memory is still there), `block`, `mutex` and
`gil` (waits and who causes them), and `trace` (a timeline of calls). They give recordings that are context managers
and have `start` and `stop`; `threads` dumps every stack at once. Recordings are turned into profiles by
`conduit.profile`; nothing here prints or reads a profile. The command line, the benchmarks' flags and the debug
endpoint use this room.
"""

from __future__ import annotations

from conduit.record.cpu import cpu
from conduit.record.heap import heap
from conduit.record.trace import region, trace
from conduit.record.waits import block, gil, mutex
from conduit.record.wall import wall

__all__ = ["block", "cpu", "gil", "heap", "mutex", "region", "trace", "wall"]
