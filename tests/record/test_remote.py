from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conduit._native import available, reason
from conduit.errors import ProfilerUnavailableError
from conduit.record import interpreter_layout
from conduit.record.interpreter_layout import read_layout
from conduit.record.process_memory import Mapped, ProcessMemory, find_symbols
from conduit.record.remote import Interpreter

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
