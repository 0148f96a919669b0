"""What a recording is asked for and cannot do is refused by name; a process that has ended has no names and no state."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest

import conduit
from conduit import record
from conduit._native import available
from conduit._native import heap as heap_hooks
from conduit.errors import ProfilerUnavailableError
from conduit.record import freed_memory, interpreter_layout, remote, remote_names
from conduit.record.kernel_states import thread_name
from conduit.record.process_memory import (
    Mapped,
    ProcessMemory,
    UnreadableMemoryError,
    find_section,
    find_symbols,
)
from conduit.record.process_tree import command_of, descendants
from conduit.record.threads import _kernel_state, _stable_list
from conduit.record.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")


@pytest.fixture
def ended() -> int:
    """The id of a process that has ended and was waited for."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: record.cpu(rate_hz=0), "the rate must be from 1 to 1000 samples a second, got 0"),
        (lambda: record.wall(rate_hz=1001), "the rate must be from 1 to 1000 samples a second, got 1001"),
        (lambda: record.heap(rate=0), "the rate must be at least 1 byte, got 0"),
        (lambda: Trace("trace.json", max_events=0), "max_events must be at least 1, not 0"),
        (lambda: record.waits.set_block_profile_rate(-1), "must not be negative, got -1"),
        (lambda: conduit.label(), "there is no label: expected keywords"),
        (lambda: conduit.label(**{"": "a"}), "a label without a key"),
        (lambda: conduit.label(thread="a"), "the label 'thread' is set by the recordings themselves"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_not_being_recorded_cannot_be_read_or_stopped() -> None:
    heap = record.heap()
    for call in (heap.snapshot, heap.count_sites, heap.stop, record.cpu().stop):
        with pytest.raises(RuntimeError, match=r"profile is not being taken: start\(\) comes first"):
            call()


def test_a_hook_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: object) -> None:
        raise RuntimeError("another tool has it")

    monkeypatch.setattr(heap_hooks, "start", taken)
    with pytest.raises(ProfilerUnavailableError, match="no heap profile can be taken: another tool has it"):
        record.heap().start()


def test_a_trace_needs_the_threads_profile_function_and_viztracer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def foreign(*_: object) -> None:
        pass

    sys.setprofile(foreign)
    try:
        with pytest.raises(ProfilerUnavailableError, match="this thread already has a profile function"):
            Trace(tmp_path / "trace.json").start()
    finally:
        sys.setprofile(None)
    monkeypatch.setitem(sys.modules, "viztracer", None)
    with pytest.raises(ProfilerUnavailableError, match="a trace needs viztracer: "):
        Trace(tmp_path / "trace.json", max_events=1234).start()


def test_a_process_that_has_ended_has_no_name_no_memory_and_no_descendants(ended: int) -> None:
    assert thread_name(ended, ended) == f"thread {ended}"
    assert (command_of(ended), descendants(ended)) == ("", [])
    with pytest.raises(ProfilerUnavailableError, match=f"there is no process {ended}"):
        ProcessMemory(ended)
    names = remote_names.names_of_process(ended, [])
    assert names.module("/srv/elsewhere/app.py") == "app"


def test_a_process_of_which_only_the_status_is_left_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    try:
        with pytest.raises(ProfilerUnavailableError, match=f"process {process.pid} has ended"):
            ProcessMemory(process.pid)
    finally:
        process.wait()
        process.stdout.close()


def test_memory_where_nothing_is_mapped_is_neither_read_nor_written() -> None:
    with ProcessMemory(os.getpid(), writable=True) as memory:
        for address in (8, 1 << 70):
            with pytest.raises(UnreadableMemoryError, match=f"nothing is mapped at {address:#x}"):
                memory.read(address, 8)
            with pytest.raises(UnreadableMemoryError, match=f"nothing is mapped at {address:#x}"):
                memory.write(address, b"8 bytes.")


@pytest.mark.parametrize(
    "content", [None, b"#!/bin/sh\n", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + b"\xff" * 90]
)
def test_nothing_is_found_in_a_file_that_is_gone_or_no_whole_program(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "program"
    if content is not None:
        path.write_bytes(content)
    file = Mapped(0x1000, str(path), path)
    assert find_symbols(file, {"main"}) == {}
    assert find_section(file, ".text") is None


class _Table:
    """The memory of a process in which nothing but the interpreter's table of offsets is mapped."""

    pid = 42

    def __init__(self, cookie: bytes, version: int, free_threaded: int) -> None:
        self._data = struct.pack("<8sQQ", cookie, version, free_threaded) + bytes(1 << 16)

    def read(self, address: int, size: int) -> bytes:
        return self._data[address : address + size]


@pytest.mark.parametrize(
    ("cookie", "version", "free_threaded", "message"),
    [
        (b"xdebugpy", 0x030D0000, 1, "without the GIL, whose frames this version of conduit does not know"),
        (b"????????", 0x030D0000, 0, "its table of offsets is not where that version has it"),
        (b"xdebugpy", 0x030E0000, 0, "its table of offsets is not where that version has it"),
        (b"xdebugpy", 0x030D0000, 0, "its table of offsets is not as that version has it"),
    ],
)
def test_a_table_of_offsets_that_is_not_the_versions_own_is_refused(
    cookie: bytes, version: int, free_threaded: int, message: str
) -> None:
    memory = cast("ProcessMemory", _Table(cookie, version, free_threaded))
    with pytest.raises(ProfilerUnavailableError, match=message):
        interpreter_layout.read_layout(memory, 0, (3, 13))


def test_an_interpreter_whose_layout_is_not_known_is_refused_by_its_version() -> None:
    memory = cast("ProcessMemory", _Table(b"xdebugpy", 0, 0))
    with pytest.raises(ProfilerUnavailableError, match=r"process 42 runs Python 3\.10, whose frames"):
        interpreter_layout.read_layout(memory, 0, (3, 10))
    other = (3, 12) if sys.version_info[:2] == (3, 11) else (3, 11)
    with pytest.raises(ProfilerUnavailableError, match=f"use a conduit that is installed for 3.{other[1]}"):
        interpreter_layout.read_layout(memory, 0, other)


def test_a_stack_that_cannot_be_read_now_is_empty() -> None:
    class Changing:
        def stacks(self) -> Iterator[tuple[int, object]]:
            raise UnreadableMemoryError("it has just moved")

    assert remote.main_stack(cast("Any", Changing()), 1) == []


def test_a_thread_that_has_ended_has_no_state_and_a_set_that_never_rests_no_members() -> None:
    class Restless:
        def __iter__(self) -> Iterator[object]:
            raise RuntimeError("changed size during iteration")

    assert _kernel_state(None) == "unknown"
    assert _stable_list(cast("Any", Restless())) == []


def test_a_c_library_without_malloc_trim_gives_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert freed_memory.give_back() is False


@pytest.mark.parametrize("byte", [0, 1, 0x7F, 0xFF])
def test_memory_that_is_no_frame_and_no_text_is_refused(byte: int) -> None:
    buffer = ctypes.create_string_buffer(bytes([byte]) * 4096)
    address = ctypes.addressof(buffer)
    with ProcessMemory(os.getpid()) as memory:
        interpreter = remote.Interpreter(memory)
        with contextlib.suppress(UnreadableMemoryError):
            assert interpreter.frame_at(address) is None  # some owners of frames have none of Python's
        with pytest.raises(UnreadableMemoryError):
            interpreter.text_at(address)


def test_a_text_that_is_too_long_or_of_no_known_kind_is_refused() -> None:
    long = "a" * (1 << 22)
    with ProcessMemory(os.getpid()) as memory:
        interpreter = remote.Interpreter(memory)
        assert interpreter.text_at(id("größer")) == "größer"
        with pytest.raises(UnreadableMemoryError, match="no text at"):
            interpreter.text_at(id(long))
