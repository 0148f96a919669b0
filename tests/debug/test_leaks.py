"""What a process holds does not grow with the recordings taken and the pages asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conduit._native import available

pytestmark = [
    pytest.mark.skipif(not available(), reason="the C extension is not built here"),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the state is read from /proc"),
]

SCRIPT = Path(__file__).with_name("holdings.py")
# A leak of one object, block or descriptor at each turn is several times what these allow.
TIMES = {"profile": 100, "wall": 100, "trace": 100, "pages": 100}
OBJECTS = DESCRIPTORS = THREADS = 3
# viztracer keeps two blocks for each thread that a trace has seen: here one every 3 ms or so.
BLOCKS = {"trace": 16}
# New stacks of the cumulative profiles, and pages of the allocators that were not in use at the first look.
MEMORY_KB = 1024
# Twice the stacks of the threads that may come and go; a ring that stays mapped is several MB at each turn.
MAPPED_KB = 64 * 1024


@pytest.mark.parametrize("kind", TIMES)
def test_what_a_process_holds_is_the_same_after_many_turns(kind: str) -> None:
    times = TIMES[kind]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), kind, str(times)],
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
        capture_output=True,
        text=True,
        timeout=600,  # the machine may be busy: it only ends what hangs
    )
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout)
    growth = {name: after[name] - before[name] for name in before}
    assert growth["objects"] <= OBJECTS + times // 10, growth
    assert growth["threads"] <= THREADS, growth
    assert growth["descriptors"] <= DESCRIPTORS, growth
    assert growth["blocks"] <= times * BLOCKS.get(kind, 4), growth
    assert growth["memory kB"] <= MEMORY_KB, growth
    assert growth["mapped kB"] <= MAPPED_KB, growth
