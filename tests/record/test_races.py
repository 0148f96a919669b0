"""What another process changes or takes away while it is read costs no more than what was read of it."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import random
import struct
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import conduit
from conduit._native import available
from conduit.errors import ProfilerUnavailableError
from conduit.record import (
    kernel_states,
    process_tree,
    remote,
    remote_dump,
    remote_intervals,
    remote_labels,
    remote_tasks,
)
from conduit.record.process_memory import (
    Mapped,
    ProcessMemory,
    UnreadableMemoryError,
    find_section,
    find_symbols,
)
from conduit.record.remote_charges import Charges
from conduit.record.remote_labels import _FIELDS, RemoteLabels
from conduit.record.remote_tasks import RemoteTasks
from tests.fakes.memory import ChangingMemory
from tests.fakes.proc import FakeProc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

needs_native = pytest.mark.skipif(not available(), reason="the C extension is not built here")
PID = os.getpid()


@pytest.fixture(scope="module")
def work() -> Iterator[None]:
    """Threads and tasks of this process, for the dumps below: one under labels, and an event loop."""
    stops = threading.Event()
    begun = threading.Barrier(3)

    def labelled() -> None:
        for number in range(60):  # so that the label is deep in the tree of the context's variables
            contextvars.ContextVar[int](f"variable {number}").set(number)
        with conduit.label(route="/größe", customer="7"):
            begun.wait()
            stops.wait()

    async def waiting() -> None:
        while not stops.is_set():
            await asyncio.sleep(0.05)

    async def main() -> None:
        begun.wait()
        async with asyncio.timeout(None):
            await asyncio.gather(waiting(), waiting())

    threads = [
        threading.Thread(target=labelled, name="labelled"),
        threading.Thread(target=lambda: asyncio.run(main()), name="event loop"),
    ]
    for thread in threads:
        thread.start()
    begun.wait()
    with (
        pytest.MonkeyPatch.context() as patch
    ):  # the files do not change, and reading them takes most of the time
        for module, name in (
            (remote, "find_symbols"),
            (remote_labels, "find_section"),
            (remote_tasks, "find_section"),
        ):
            patch.setattr(module, name, _once(getattr(module, name)))
        yield
    stops.set()
    for thread in threads:
        thread.join()


def _once(find: Callable[..., Any]) -> Callable[..., Any]:
    """A search of a file that looks once for each file and name, or names."""
    cached = functools.cache(
        lambda file, names: find(file, set(names) if isinstance(names, frozenset) else names)
    )
    return lambda file, names: cached(file, frozenset(names) if isinstance(names, set) else names)


def dump(monkeypatch: pytest.MonkeyPatch, change: Callable[[int, bytes], bytes]) -> tuple[Any, int]:
    """Return a dump of this process, whose memory is changed so, and how many reads that took."""
    opened: list[ChangingMemory] = []

    def open_memory(pid: int) -> ProcessMemory:
        opened.append(ChangingMemory(pid, change))
        return opened[-1]

    with monkeypatch.context() as patch:
        patch.setattr(remote_dump, "ProcessMemory", open_memory)
        return remote_dump.dump_process(PID), opened[0].reads


def labels_of_threads(dumped: Any) -> dict[int, object]:
    return {one.native_id: one.labels for one in dumped.dump.threads}


@needs_native
def test_a_label_is_found_among_many_variables_of_a_context(work: None) -> None:
    dumped = remote_dump.dump_process(PID)
    (found,) = (one for one in dumped.dump.threads if one.name == "labelled")
    assert found.labels == (("customer", "7"), ("route", "/größe"))


@needs_native
def test_memory_that_is_gone_at_any_one_read_costs_no_thread(
    work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, reads = dump(monkeypatch, lambda _, data: data)
    assert (("customer", "7"), ("route", "/größe")) in labels_of_threads(undisturbed).values()
    begins = _reads_of_the_start(monkeypatch)
    for gone in range(begins + 1, reads + 1, 5):

        def change(number: int, data: bytes, gone: int = gone) -> bytes:
            if number == gone:
                raise UnreadableMemoryError("gone")
            return data

        found, _ = dump(monkeypatch, change)
        assert labels_of_threads(found) == labels_of_threads(undisturbed)


def _reads_of_the_start(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many reads it takes to find the interpreter: a process that changes then has ended or just begun."""
    with ChangingMemory(PID, lambda _, data: data) as memory:
        remote.Interpreter(memory)
        return memory.reads


@needs_native
def test_a_process_that_ends_while_its_interpreter_is_looked_for_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def change(number: int, data: bytes) -> bytes:
        if number == 1:
            raise UnreadableMemoryError("gone")
        return data

    with pytest.raises(ProfilerUnavailableError, match=f"process {PID} has just ended, or become another"):
        dump(monkeypatch, change)


@needs_native
@given(
    st.integers(0, 1 << 32), st.sampled_from([0.001, 0.01, 0.1]), st.sampled_from(["byte", "all", "zeros"])
)
def test_memory_with_anything_in_it_gives_a_dump_or_a_refusal(
    work: None, seed: int, rate: float, what: str
) -> None:
    rng = random.Random(seed)

    def change(_: int, data: bytes) -> bytes:
        if not data or rng.random() > rate:
            return data
        if what == "all":
            return rng.randbytes(len(data))
        changed = bytearray(data if what == "byte" else len(data))
        changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed)

    with pytest.MonkeyPatch.context() as monkeypatch:
        try:
            dump(monkeypatch, change)
        except ProfilerUnavailableError as error:
            assert f"process {PID} " in str(error)


@needs_native
def test_a_process_that_never_rests_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    start = _reads_of_the_start(monkeypatch)

    def change(number: int, data: bytes) -> bytes:
        if number > start:
            raise UnreadableMemoryError("gone")
        return data

    with pytest.raises(ProfilerUnavailableError, match="changed while it was read, 20 times in a row"):
        dump(monkeypatch, change)


@needs_native
def test_a_stack_that_keeps_changing_is_said_not_to_be_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    with ProcessMemory(PID) as memory:
        interpreter = remote.Interpreter(memory)
        raw = [None, struct.pack("<5Q", 1, 0, 8, 0, 0)]  # nothing was read, or what is no code
        interpreter._reader = cast("Any", SimpleNamespace(stack=lambda _: raw[0]))
        for _ in range(2):
            assert {stack for _, stack in interpreter.stacks()} == {None}
            raw.reverse()
        monkeypatch.setattr(remote_dump, "Interpreter", lambda _: interpreter)
        dumped = remote_dump.dump_process(PID)
    assert {thread.frames[0].function for thread in dumped.dump.threads} == {remote.UNREAD[0]}


@needs_native
def test_labels_that_keep_changing_are_left_out_with_a_warning(
    work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = iter(range(1 << 30))
    monkeypatch.setattr(RemoteLabels, "of_thread", lambda *_: (("turn", str(next(turn))),))
    dumped = remote_dump.dump_process(PID)
    assert (
        'the labels of thread "labelled" kept changing while it was read, and are left out' in dumped.warnings
    )
    assert {thread.labels for thread in dumped.dump.threads} == {()}


@needs_native
def test_stacks_are_named_again_where_many_others_came_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_MAX_STACKS", 1)
    with ProcessMemory(PID) as memory:
        interpreter = remote.Interpreter(memory)
        (thread,) = (
            one for one in interpreter.threads(next(interpreter.interpreters())) if one.native_id == PID
        )
        stacks = [interpreter._reader.stack(thread.address), _one_deeper(interpreter, thread)]
        named = [interpreter.frames_of(raw) for raw in [*stacks, *stacks] if raw is not None]
        assert named[0] == named[2] != named[1] == named[3]
        assert len(interpreter._stacks) == 1


def _one_deeper(interpreter: remote.Interpreter, thread: remote.RemoteThread) -> bytes | None:
    return interpreter._reader.stack(thread.address)


@needs_native
def test_ctrl_c_ends_a_recording_from_outside_with_what_it_has() -> None:
    def until() -> bool:
        raise KeyboardInterrupt

    assert remote.record(PID, 60, until=until).sample_types[1].type == "cpu"


@needs_native
@pytest.mark.parametrize("schedstat", ["0 0 0\n", None])
def test_a_kernel_that_does_not_count_the_time_of_threads_is_refused(
    schedstat: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc = FakeProc(tmp_path)
    if schedstat is not None:
        proc.write("self/schedstat", schedstat)
    monkeypatch.setattr(remote, "Path", proc)
    with pytest.raises(ProfilerUnavailableError, match="this kernel does not say when a thread runs"):
        remote.record(PID, 0.01)


@needs_native
def test_a_recorder_of_a_program_without_an_interpreter_is_refused_and_leaves_nothing_open() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(ProfilerUnavailableError, match="is no CPython of version"):
            remote_intervals.IntervalRecorder(process.pid)
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        process.kill()


@needs_native
def test_a_thread_that_began_after_the_names_were_read_has_its_name_and_an_unknown_one_its_number(
    work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with remote_intervals.IntervalRecorder(PID) as recorder:
        assert recorder._name(PID) == f"MainThread ({PID})"
        assert recorder._name(1 << 22) == f"thread {1 << 22}"

        def gone(*_: object) -> None:
            raise UnreadableMemoryError("gone")

        monkeypatch.setattr(recorder._interpreter, "threads", gone)
        assert recorder._name((1 << 22) + 1) == f"thread {(1 << 22) + 1}"


def test_the_clock_of_a_thread_whose_number_another_had_begins_at_zero() -> None:
    charges = Charges()
    for cpu_ns in (500, 900, 30):
        charges.add(7, cpu_ns, [("f", "f.py", 1, 1)])
    assert sum(charge.cpu_ns for charge in charges.settle(is_last=True)) == 400 + 30


READ, POLL = (
    next((number for number, name in kernel_states._NAMES.items() if name == wanted), 0)
    for wanted in ("read", "ppoll")
)
WORDS = f"{READ} 0x5 0x0"


@pytest.mark.skipif(not kernel_states._NAMES, reason="the system calls of this machine are not known")
@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({}, "unknown"),
        ({"stat": ""}, "unknown"),
        ({"stat": "7 (a) b) R 1"}, "running"),
        ({"stat": "7 (a) Q 1"}, "unknown"),
        ({"stat": "7 (a) S 1"}, "sleeping"),
        ({"stat": "7 (a) S 1", "syscall": f"{POLL} 0x0", "wchan": "poll"}, "sleeping in ppoll"),
        ({"stat": "7 (a) S 1", "syscall": "running", "wchan": "0"}, "sleeping"),
        ({"stat": "7 (a) S 1", "syscall": "", "wchan": "do_wait"}, "sleeping in do_wait"),
        ({"stat": "7 (a) D 1", "wchan": "io_schedule"}, "waiting for a device in io_schedule"),
        ({"stat": "7 (a) S 1", "syscall": "999 0x0"}, "sleeping in system call 999"),
        ({"stat": "7 (a) S 1", "syscall": WORDS}, "sleeping in read"),
        ({"stat": "7 (a) S 1", "syscall": f"{READ}"}, "sleeping in read"),
        ({"stat": "7 (a) S 1", "syscall": f"{READ} none"}, "sleeping in read"),
    ],
)
def test_the_state_of_a_thread_is_as_far_as_the_kernel_still_tells_it(
    files: dict[str, str], state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc = FakeProc(tmp_path)
    for name, text in files.items():
        proc.write(f"7/task/8/{name}", text)
    monkeypatch.setattr(kernel_states, "Path", proc)
    assert kernel_states.thread_state(7, 8) == state


@pytest.mark.skipif(not kernel_states._NAMES, reason="the system calls of this machine are not known")
def test_a_file_that_a_thread_waits_for_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proc = FakeProc(tmp_path)
    proc.write("7/task/8/stat", "8 (worker) S 1")
    proc.write("7/task/8/syscall", WORDS)
    (tmp_path / "7/fd").mkdir()
    (tmp_path / "7/fd/5").symlink_to("socket:[81]")
    monkeypatch.setattr(kernel_states, "Path", proc)
    assert kernel_states.thread_state(7, 8) == "sleeping in read (socket:[81])"


def test_processes_that_end_while_they_are_listed_are_no_descendants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc = FakeProc(tmp_path)
    stats = {10: "S 1", 11: "S 10", 12: "Z 10", 13: "", 14: "R 11", 15: "S 14"}
    for pid, rest in stats.items():
        proc.write(f"{pid}/stat", f"{pid} (a) {rest} 0" if rest else "")
    (tmp_path / "16").mkdir()  # its stat is gone
    monkeypatch.setattr(process_tree, "Path", proc)
    assert process_tree.descendants(10) == [11, 14, 15]
    assert process_tree.descendants(10, without=14) == [11]


def test_a_process_without_maps_has_ended_and_without_a_program_its_files_have_their_own_paths(
    tmp_path: Path,
) -> None:
    with ProcessMemory(PID) as memory:
        memory.folder = tmp_path
        with pytest.raises(ProfilerUnavailableError, match=f"process {PID} has ended, or its maps are not"):
            list(memory.files())
        (tmp_path / "maps").write_text(
            f"1000-2000 r--p 00000000 08:01 7 {sys.executable}\n2000-3000 r-xp 00001000 08:01 7 {sys.executable}\n"
            "3000-4000 rw-p 00000000 00:00 0 [heap]\n"
        )
        assert list(memory.files()) == [Mapped(0x1000, sys.executable, Path(sys.executable))]


def test_a_program_without_segments_is_as_if_it_was_linked_for_address_zero(tmp_path: Path) -> None:
    names = b"\0.table\0.names\0"
    head = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, 0, 64 + len(names), 0, 64, 56, 0, 64, 2, 1
    )
    sections = struct.pack("<IIQQQQIIQQ", 1, 1, 0, 0x40, 0, 0, 0, 0, 0, 0)
    sections += struct.pack("<IIQQQQIIQQ", 8, 3, 0, 0, 64, len(names), 0, 0, 0, 0)
    path = tmp_path / "program"
    path.write_bytes(head + names + sections)
    file = Mapped(0x1000, str(path), path)
    assert find_section(file, ".table") == 0x1040
    assert find_section(file, ".other") is None
    assert find_symbols(file, {"main"}) == {}


def test_memory_that_this_user_may_not_read_is_refused_with_what_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbidden(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", forbidden)
    with pytest.raises(
        ProfilerUnavailableError, match=f"reading the memory of process {PID} is not permitted"
    ):
        ProcessMemory(PID)


def test_a_tree_of_variables_without_an_end_and_a_set_of_awaiters_beyond_measure_are_given_up() -> None:
    class Endless:
        """Memory that is the same wherever it is read."""

        def read(self, _: int, size: int) -> bytes:
            return b"\x10" * size

        def pointer(self, address: int) -> int:
            return int.from_bytes(self.read(address, 8), "little")

        def files(self) -> tuple[Mapped, ...]:
            return ()

    memory = cast("Any", Endless())
    interpreter = cast("Any", SimpleNamespace(layout={"set.mask": 0, "set.table": 8}))
    labels = RemoteLabels(memory, interpreter)
    everything = memory.pointer(0)
    labels._at = dict.fromkeys(_FIELDS, 0) | dict.fromkeys(
        ("context_type", "variables_type", "array_type"), everything
    )
    assert labels.of_context(8) == ()
    tasks = RemoteTasks(memory, interpreter, labels)
    tasks._at = {"task.awaited_by": 0, "task.awaited_by_is_set": 8}
    assert tasks._awaiters(8) == []
