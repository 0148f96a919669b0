"""Takes recordings of one kind, or asks for every page, again and again, and prints what the process holds before and after.

    python holdings.py KIND TIMES

Run by `test_leaks.py` in a process of its own, with one arena of malloc. The turns before the first look are as many as
those after it: names, tables and caches grow to their size.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import re
import sys
import threading
import time
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.debug import serve
from conduit.debug.kinds import KINDS, Recording
from conduit.record import waits

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 0.01
PAGES = (
    "",
    "heap",
    "heap?debug=1",
    "allocs?gc=1",
    "goroutine?debug=2",
    "block?debug=1",
    "mutex",
    "gil",
    "threadcreate",
)


def look() -> dict[str, int]:
    """What is held now: objects, blocks of the interpreter's allocator, threads, descriptors, memory in kB."""
    deadline = time.monotonic() + 10
    while (
        threading.active_count() > 3 and time.monotonic() < deadline
    ):  # main, the endpoint's, the program's own
        time.sleep(0.01)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    memory, mapped = (
        int(re.findall(rf"^{name}:\s+(\d+)", status, re.M)[0]) for name in ("RssAnon", "VmData")
    )
    return {
        "objects": len(gc.get_objects()),
        "blocks": sys.getallocatedblocks(),
        "threads": threading.active_count(),
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208
        "memory kB": memory,
        "mapped kB": mapped,
    }


def record(name: str) -> None:
    kind = KINDS[name]
    assert isinstance(kind, Recording)
    assert kind.record(SECONDS, threading.Event())


def ask(address: str) -> None:
    for page in PAGES:
        connection = HTTPConnection(address)
        connection.request("GET", f"/debug/pprof/{page}")
        assert connection.getresponse().read()
        connection.close()


def start_threads(ended: threading.Event) -> None:
    """The program under the recordings: a short-lived thread every few milliseconds."""
    while not ended.wait(0.003):
        thread = threading.Thread(target=sum, args=(range(10_000),), name="short")
        thread.start()
        thread.join()


def main(kind: str, times: int) -> None:
    ended = threading.Event()
    program = threading.Thread(target=start_threads, args=(ended,), daemon=True)
    with ExitStack() as stack:
        waits.set_mutex_profile_fraction(1)
        waits.set_block_profile_rate(1)
        server = stack.enter_context(serve("localhost:0"))
        program.start()
        stack.callback(program.join)
        stack.callback(ended.set)
        turn: Callable[[], None] = (lambda: ask(server.address)) if kind == "pages" else lambda: record(kind)
        states = []
        for _ in range(2):
            for _ in range(times):
                turn()
            states.append(look())
    json.dump(states, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
