"""The processor's own count of user-space instructions of this thread, by perf_event_open(2) (Linux)."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SYSCALL = {"x86_64": 298, "aarch64": 241}
_HARDWARE, _INSTRUCTIONS = 0, 1
_EXCLUDE_KERNEL_AND_HYPERVISOR = 1 << 5 | 1 << 6
_SIZE_OF_ATTRIBUTES = 64  # PERF_ATTR_SIZE_VER0


def count_instructions(work: Callable[[], object]) -> int:
    """Return the user-space instructions of this thread during `work`. Raises `OSError` if the kernel refuses."""
    number = _SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(0, f"no perf events on {platform.machine()}")
    attributes = struct.pack(
        "IIQQQQQ", _HARDWARE, _SIZE_OF_ATTRIBUTES, _INSTRUCTIONS, 0, 0, 0, _EXCLUDE_KERNEL_AND_HYPERVISOR
    ).ljust(_SIZE_OF_ATTRIBUTES, b"\0")
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.syscall(number, ctypes.c_char_p(attributes), 0, -1, -1, 0)
    if descriptor < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    try:
        before = _read(descriptor)
        work()
        return _read(descriptor) - before
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> int:
    return int.from_bytes(os.read(descriptor, 8), "little")
