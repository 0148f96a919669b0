"""Gives the memory of an idle tracer's ring back to the system.

viztracer's ring buffer is made once for a process and never freed (see `trace._tracer`): 36 MB for 400,000 events,
which stay resident after the last trace. A ring that has been cleared holds no data, and pages that are given back read
as zero, as those of a new ring do. The ring is found through the tracer's own structure. It is left alone unless the
header of the allocation shows that it is a separate mapping of about the expected size.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import TYPE_CHECKING

from conduit.record.freed_memory import give_back

if TYPE_CHECKING:
    from viztracer import VizTracer

_WORD = ctypes.sizeof(ctypes.c_size_t)
_HEADER = 2 * _WORD  # of glibc's malloc: before a block that is a mapping of its own, and nothing before that
_IS_MAPPING = 2
_FLAGS = 7
_BYTES_PER_EVENT = range(48, 257)
_DONTNEED = 4


def release(tracer: VizTracer, max_events: int) -> bool:
    """Give the pages of the cleared ring of `tracer` back; return whether it was found. Needs glibc on Linux."""
    ring = _find_ring(tracer, max_events)
    if ring is None:
        return False
    start, size = ring
    # `PyDLL` keeps the interpreter's lock, so that no thread writes an event during the call.
    madvise = ctypes.PyDLL(None).madvise
    madvise.restype = ctypes.c_int
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    page = mmap.PAGESIZE
    is_released: bool = madvise(start + page, size - page, _DONTNEED) == 0  # the header's page stays
    give_back()  # what writing the file took
    return is_released


def _find_ring(tracer: VizTracer, max_events: int) -> tuple[int, int] | None:
    """Return start and size of the mapping that is the ring, or None."""
    if not sys.platform.startswith("linux") or _WORD != 8:
        return None
    words = (ctypes.c_size_t * (type(tracer).__basicsize__ // _WORD)).from_address(id(tracer))
    mappings = _writable_mappings()
    for word in words:
        start = word - _HEADER
        if start <= 0 or start % mmap.PAGESIZE:
            continue
        if not any(low <= start < high for low, high in mappings):
            continue
        header = ctypes.c_size_t.from_address(word - _WORD).value
        size = header & ~_FLAGS
        lies_inside = any(low <= start and start + size <= high for low, high in mappings)
        if header & _IS_MAPPING and lies_inside and size // (max_events + 1) in _BYTES_PER_EVENT:
            return start, size
    return None


def _writable_mappings() -> list[tuple[int, int]]:
    """Return the process's private anonymous mappings that are writable."""
    found = []
    with open("/proc/self/maps") as file:  # noqa: PTH123
        for line in file:
            fields = line.split()
            if fields[1] == "rw-p" and fields[4] == "0":
                low, _, high = fields[0].partition("-")
                found.append((int(low, 16), int(high, 16)))
    return found
