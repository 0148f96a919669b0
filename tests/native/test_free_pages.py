"""Memory that a thread has freed goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conduit._native import available

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built")

PROGRAM = """
import ctypes, sys, threading
from conduit._native.free_pages import drop_free_pages

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = (ctypes.c_void_p,)
libc.memset.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)

def filled(size):
    block = libc.malloc(size)
    libc.memset(block, 1, size)
    return block

def private_bytes():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous:")) * 1024

libc.free(filled(8 << 20))  # from now on, the end of an arena stays where it is shorter than 16 MB

def work():
    kept = filled(1000)
    for block in [filled(50_000) for _ in range(80)]:
        libc.free(block)
    before = private_bytes()
    told.append(drop_free_pages())
    told.append(before - private_bytes())
    told.append(drop_free_pages())
    written = ctypes.string_at(kept, 1000)
    again = [filled(50_000) for _ in range(80)]
    told.append(written == bytes([1]) * 1000 and all(ctypes.string_at(one, 50_000) == bytes([1]) * 50_000 for one in again))

told = []
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(*told)
"""


def test_what_a_thread_freed_at_the_end_of_its_arena_goes_back_and_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    dropped, less, again, is_sound = done.stdout.split()
    assert 3_000_000 < int(dropped) <= 4_100_000  # of 4 MB that were freed
    assert int(less) > 0.9 * int(dropped)
    assert int(again) < 100_000
    assert is_sound == "True"
