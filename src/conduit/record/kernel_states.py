"""States of the threads of a process as reported by the kernel: running, or sleeping in which system call.

Linux reports the system call in which a thread sleeps (`/proc/PID/task/TID/syscall`, for users who may read the
process's memory) and its first argument. If that is a file descriptor, the name of the file is included.
"""

from __future__ import annotations

import platform
from pathlib import Path

# Numbers of the system calls that wait, from the kernel's tables (asm/unistd_64.h and asm-generic/unistd.h).
_X86_64 = {
    0: "read",
    1: "write",
    7: "poll",
    23: "select",
    34: "pause",
    35: "nanosleep",
    42: "connect",
    43: "accept",
    44: "sendto",
    45: "recvfrom",
    46: "sendmsg",
    47: "recvmsg",
    61: "wait4",
    72: "fcntl",
    73: "flock",
    74: "fsync",
    75: "fdatasync",
    128: "rt_sigtimedwait",
    202: "futex",
    230: "clock_nanosleep",
    232: "epoll_wait",
    247: "waitid",
    270: "pselect6",
    271: "ppoll",
    281: "epoll_pwait",
    288: "accept4",
    426: "io_uring_enter",
    441: "epoll_pwait2",
    449: "futex_waitv",
}
_AARCH64 = {
    22: "epoll_pwait",
    25: "fcntl",
    32: "flock",
    63: "read",
    64: "write",
    72: "pselect6",
    73: "ppoll",
    82: "fsync",
    83: "fdatasync",
    95: "waitid",
    98: "futex",
    101: "nanosleep",
    115: "clock_nanosleep",
    137: "rt_sigtimedwait",
    202: "accept",
    203: "connect",
    206: "sendto",
    207: "recvfrom",
    211: "sendmsg",
    212: "recvmsg",
    242: "accept4",
    260: "wait4",
    426: "io_uring_enter",
    441: "epoll_pwait2",
    449: "futex_waitv",
}
_NAMES = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(platform.machine(), {})
_FIRST_IS_FILE = {
    *("read", "write", "connect", "accept", "accept4", "sendto", "recvfrom", "sendmsg", "recvmsg"),
    *("fcntl", "flock", "fsync", "fdatasync"),
}
_STATES = {"R": "running", "S": "sleeping", "D": "waiting for a device", "T": "stopped", "t": "traced"}


def thread_state(pid: int, tid: int) -> str:
    """Return `running`, `sleeping in epoll_wait`, `sleeping in read (socket:[81])` and the like, or `unknown`."""
    folder = Path(f"/proc/{pid}/task/{tid}")
    try:
        letter = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "unknown"
    state = _STATES.get(letter, "unknown")
    waits_in = _system_call(pid, folder) or _kernel_function(folder) if letter in "SD" else ""
    return f"{state} in {waits_in}" if waits_in else state


def thread_name(pid: int, tid: int) -> str:
    """Return the name that the kernel shows for a thread, of at most 15 bytes; `thread TID` if it has ended."""
    try:
        return Path(f"/proc/{pid}/task/{tid}/comm").read_text(errors="replace").rstrip("\n")
    except OSError:
        return f"thread {tid}"


def _system_call(pid: int, folder: Path) -> str:
    try:
        words = (folder / "syscall").read_text().split()
    except OSError:
        return ""
    if not words or not words[0].isdecimal():
        return ""  # `running`: it has woken up since
    name = _NAMES.get(int(words[0]), f"system call {words[0]}")
    if name not in _FIRST_IS_FILE:
        return name
    try:
        return f"{name} ({Path(f'/proc/{pid}/fd/{int(words[1], 16)}').readlink()})"
    except (OSError, ValueError, IndexError):
        return name


def _kernel_function(folder: Path) -> str:
    try:
        function = (folder / "wchan").read_text()
    except OSError:
        return ""
    return "" if function == "0" else function
