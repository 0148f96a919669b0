"""Ten thousand requests, well-behaved and not, against the example service in a process of its own: nothing piles up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conduit._native import available

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not available(), reason="the C extension is not built here"),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the state is read from /proc"),
]

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "endpoint_endurance.py"
# What stays by design is an entry for each stack seen: frames (16 bytes each, 128 at most), names, and the larger answers
# that they make, which are built, encoded and sent at once by as many as three requests.
ENTRY_KB = 8
# A trace's ring of the last seconds and a profile's buffers come and go; what the allocator cannot give back stays.
ALLOCATOR_KB = 8 * 1024


def test_ten_thousand_requests_leave_threads_descriptors_and_memory_as_they_were() -> None:
    command = [sys.executable, str(SCRIPT), "-requests", "10000", "-every", "1000", "-json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stderr
    states = json.loads(done.stdout)
    first, middle, last = states[0], states[len(states) // 2], states[-1]
    # The service's own load opens a connection and starts a thread for each page, now and then at the moment of looking.
    assert last["threads"] <= first["threads"] + 2
    assert last["descriptors"] <= first["descriptors"] + 4
    new_stacks = max(0, last["stacks"] - middle["stacks"])
    growth_kb = last["memory_kb"] - middle["memory_kb"]
    assert growth_kb <= new_stacks * ENTRY_KB + ALLOCATOR_KB, done.stderr
