"""A stack of another process that is read while it changes may lead anywhere, and nowhere does the reader crash."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conduit._native import available, reason

pytestmark = pytest.mark.skipif(not available(), reason=reason())

# The process reads itself: a thread whose newest frame has a caller at an address that no process has.
SCRIPT = """
import ctypes, os, sys
from conduit._native._core import RemoteReader

FIELDS = ("runtime", "code_type", "runtime.interpreters", "interpreter.next", "interpreter.threads", "thread.next",
          "thread.native_id", "frame.instruction", "owner.of_root", "object.type", "code.first_line", "code.linetable")
layout = dict.fromkeys(FIELDS, 0) | {"thread.frame": 0, "frame.previous": 8, "frame.code": 16, "frame.owner": 24,
                                     "frame.size": 88, "owner.of_entry": 255}
memory = (ctypes.c_uint64 * 32)()
thread, frame = ctypes.addressof(memory), ctypes.addressof(memory) + 64
memory[0] = frame
memory[9] = int(sys.argv[1], 16)  # the caller of that frame
reader = RemoteReader(os.getpid(), os.open("/proc/self/mem", os.O_RDONLY), layout)
print(reader.stack(thread))
"""


@pytest.mark.parametrize(
    "caller",
    ["ffffffffffffffff", "fffffffffffffff0", "ffffffffffffffa8", "ffff800000000000", "8000000000000000", "1"],
)
def test_a_torn_pointer_to_a_caller_is_no_stack(caller: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, caller], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr
