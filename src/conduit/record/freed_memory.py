"""Gives freed memory back to the system.

glibc keeps freed memory in up to eight arenas for each core. Profiles are built in threads of their own, so each
arena would keep as much memory as the largest profile built in it. `malloc_trim` gives back free memory between
blocks in all arenas, but free memory at the end only of the first arena. In the other arenas, the thread that built
the profile gives it back itself.
"""

from __future__ import annotations

import threading
import time

from conduit._native.free_pages import drop_free_pages

_MIN_INTERVAL_S = 1.0
_SHARE = 0.01  # of the time, at most: a large heap takes long to walk, and its locks are held

_lock = threading.Lock()
_next_s = 0.0


def give_back_at_times() -> bool:
    """Call `give_back` unless it was called within the last second, or would take more than 1 % of the time.

    What the calling thread's own arena keeps is given back in any case; that takes a fraction of a millisecond.
    """
    global _next_s
    drop_free_pages()
    if time.monotonic() < _next_s or not _lock.acquire(blocking=False):
        return False
    try:
        began_s = time.monotonic()
        is_done = give_back()
        ended_s = time.monotonic()
        _next_s = ended_s + max(_MIN_INTERVAL_S, (ended_s - began_s) / _SHARE)
        return is_done
    finally:
        _lock.release()


def give_back() -> bool:
    """Return freed pages to the system, without the interpreter lock; return False if the C library cannot."""
    import ctypes

    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # not glibc
        return False
    trim.argtypes = (ctypes.c_size_t,)
    trim(0)
    return True
