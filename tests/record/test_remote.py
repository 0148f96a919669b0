from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conduit._native import available, reason
from conduit.errors import ProfilerUnavailableError
from conduit.record import interpreter_layout
from conduit.record.interpreter_layout import read_layout
from conduit.record.process_memory import Mapped, ProcessMemory, find_symbols
from conduit.record.remote import Interpreter, record

pytestmark = pytest.mark.skipif(not available(), reason=reason())

READY = """
def outer():
    inner(3)
def inner(depth):
    if depth:
        inner(depth - 1)
    else:
        print("ready", flush=True)
        input()
outer()
"""


class Memory(ProcessMemory):
    """The memory of no process: bytes from address 0 on."""

    def __init__(self, data: bytes) -> None:
        self.pid = 7
        self.data = data

    def read(self, address: int, size: int) -> bytes:
        return self.data[address : address + size]


def table(
    version: tuple[int, int], *, free_threaded: int = 0, cookie: bytes = b"xdebugpy", **changed: int
) -> Memory:
    """A table with offsets that agree with one another, but for those that are given as `frame_owner=…`."""
    words = []
    for structure, fields in interpreter_layout._TABLES[version].items():
        for position, field in enumerate(fields.split()):
            last = field in ("localsplus", "co_code_adaptive", "ob_sval")
            value = 1000 if field == "size" else 992 if last else 8 * position
            words.append(changed.get(f"{structure}_{field}", value))
    head = struct.pack("<8sQQ", cookie, version[0] << 24 | version[1] << 16 | 0x0AF0, free_threaded)
    return Memory(head + struct.pack(f"<{len(words)}Q", *words))


def own_runtime(memory: ProcessMemory) -> int:
    for file in memory.files():
        symbols = find_symbols(file, {"_PyRuntime", "Py_Version"}) if "python" in file.path else {}
        if len(symbols) == 2:
            return symbols["_PyRuntime"]
    pytest.fail("the interpreter's own symbols were not found")


def test_the_published_layout_of_this_interpreter_is_the_compiled_one() -> None:
    from conduit._native import _core

    with ProcessMemory(os.getpid()) as memory:
        published = read_layout(memory, own_runtime(memory), sys.version_info[:2])
    compiled = _core.layout()
    assert {name: published[name] for name in compiled} == compiled


@pytest.mark.parametrize("version", list(interpreter_layout._TABLES))
def test_a_table_that_agrees_with_itself_is_believed(version: tuple[int, int]) -> None:
    layout = read_layout(table(version), 0, version)
    assert layout["thread.frame"] == 8 * interpreter_layout._TABLES[version]["thread"].split().index(
        "current_frame"
    )
    assert layout["code.first_traceable"] == 992 - 16


@pytest.mark.parametrize(
    ("memory", "version", "words"),
    [
        (table((3, 14)), (3, 16), "runs Python 3.16, whose frames this version of conduit does not know"),
        (table((3, 14), free_threaded=1), (3, 14), "runs Python 3.14 without the GIL"),
        (table((3, 14), cookie=b"elsewher"), (3, 14), "not where that version has it"),
        (table((3, 15)), (3, 14), "not where that version has it"),
        (table((3, 14), frame_owner=2000), (3, 14), "not as that version has it"),
        (table((3, 14), code_co_code_adaptive=900), (3, 14), "not as that version has it"),
    ],
)
def test_what_is_not_known_is_refused_by_name(memory: Memory, version: tuple[int, int], words: str) -> None:
    with pytest.raises(ProfilerUnavailableError, match=words):
        read_layout(memory, 0, version)


def test_symbols_that_a_file_only_uses_are_not_found_in_it() -> None:
    from conduit._native import _core

    extension = Path(str(_core.__file__))
    assert find_symbols(Mapped(0, str(extension), extension), {"PyCode_Type", "PyEval_EvalCode"}) == {}


def others() -> list[str]:
    """The interpreters of other versions that are found: on the PATH and pyenv's."""
    found = {}
    for minor in range(11, 16):
        pyenv = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3.{minor}"))
        path = shutil.which(f"python3.{minor}") if not pyenv else str(pyenv[-1])
        works = path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0
        if works and path and minor != sys.version_info.minor:
            found[minor] = path
    return list(found.values())


@pytest.fixture(params=[sys.executable, *others()])
def process(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    command = [request.param, "-c", READY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        yield started
        started.kill()


def test_processes_of_this_and_of_other_versions_are_read_or_refused_by_name(
    process: subprocess.Popen[str],
) -> None:
    with ProcessMemory(process.pid) as memory:
        try:
            interpreter = Interpreter(memory)
        except ProfilerUnavailableError as error:
            assert str(process.args[0])[-4:] in ("3.11", "3.12")  # type: ignore[index]
            assert "use a conduit that is installed for 3.1" in str(error)
            return
        ((tid, stack),) = interpreter.stacks()
    assert tid == process.pid
    assert stack is not None
    frames = [(name, line) for name, _, line, _ in stack]
    assert frames[0] in [("inner", 8), ("inner", 9)]  # it has printed, and may not have got any further
    assert frames[1:] == [
        ("inner", 6),
        ("inner", 6),
        ("inner", 6),
        ("outer", 3),
        ("<module>", 10),
    ]


# The next signal may come while the handler is still at the end of its write, which a buffered stream refuses.
BUSY = """
import os, signal, threading, time
def spin():
    while True:
        pass
def nap():
    time.sleep(1000)
def handler(number, frame):
    os.write(1, b"handled\\n")
signal.signal(signal.SIGUSR1, handler)
threading.Thread(target=nap, daemon=True).start()
print("ready", flush=True)
spin()
"""


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        yield started
        started.kill()


def looks_at(interpreter: Interpreter, *, stops: bool, count: int) -> list[tuple[int, list[str]]]:
    """The thread and the functions of each sample that found one running, from `count` of the main thread on."""
    reader = interpreter.reader(stops=stops)
    found: list[tuple[int, list[str]]] = []
    main = interpreter._memory.pid
    while sum(tid == main for tid, _ in found) < count:
        for tid, _, was_running, raw in reader.look():
            if was_running and raw is not None:
                frames = interpreter.frames_of(raw)
                found.append((tid, [name for name, *_ in frames or []]))
        time.sleep(0.001)
    return found


@pytest.mark.parametrize("stops", [False, True])
def test_the_thread_that_runs_is_found_running_and_the_one_that_sleeps_is_not(
    busy: subprocess.Popen[str], stops: bool
) -> None:
    with ProcessMemory(busy.pid) as memory:
        interpreter = Interpreter(memory)
        found = looks_at(interpreter, stops=stops, count=20)
        # The stack may be that before the call of `spin`, whose loop it is from then on.
        assert [names for tid, names in found if tid == busy.pid][5:] == [["spin", "<module>"]] * 15
        assert sum(tid != busy.pid for tid, _ in found) <= 1  # it may have been seen on its way to sleep


def test_a_stopped_thread_goes_on_and_receives_each_signal(busy: subprocess.Popen[str]) -> None:
    assert busy.stdout is not None
    with ProcessMemory(busy.pid) as memory:
        reader = Interpreter(memory).reader(stops=True)
        for _ in range(20):
            busy.send_signal(signal.SIGUSR1)
            for _ in range(5):
                reader.look()
            assert busy.stdout.readline() == "handled\n"
    status = Path(f"/proc/{busy.pid}/status").read_text()
    assert "TracerPid:\t0" in status


def test_each_thread_is_told_at_its_first_look_and_then_only_when_its_clock_has_moved(
    process: subprocess.Popen[str],
) -> None:
    with ProcessMemory(process.pid) as memory:
        try:
            reader = Interpreter(memory).reader()
        except ProfilerUnavailableError:
            pytest.skip("another version without a published layout")
        assert [tid for tid, *_ in reader.look()] == [process.pid]
        for _ in range(100):  # it may still be on its way to sleep
            last = reader.look()
        assert last == []


def test_a_process_that_a_debugger_holds_is_not_stopped_and_the_reason_is_said(
    busy: subprocess.Popen[str],
) -> None:
    with ProcessMemory(busy.pid) as memory:
        Interpreter(memory)
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(busy.pid)], stdout=subprocess.PIPE)
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            with pytest.raises(ProfilerUnavailableError, match="another debugger is attached to it"):
                record(busy.pid, 30, stops=True)
        finally:
            holder.kill()
            holder.wait()
            holder.stdout.close()


HOLDER = """
import ctypes, sys, time
SEIZE = 0x4206
assert ctypes.CDLL(None).ptrace(SEIZE, int(sys.argv[1]), None, None) == 0
print("held", flush=True)
time.sleep(1000)
"""


def test_the_layout_must_have_each_offset() -> None:
    from conduit._native import _core

    with pytest.raises(KeyError, match="no offset of runtime"):
        _core.RemoteReader(1, 0, {})


def test_the_priority_of_the_caller_is_as_before_after_it_was_raised() -> None:
    from conduit._native import _core

    before = os.sched_getscheduler(0), os.nice(0)
    try:
        _core.raise_priority()
    finally:
        _core.restore_priority()
    assert (os.sched_getscheduler(0), os.nice(0)) == before
