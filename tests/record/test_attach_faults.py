"""What goes wrong between two processes, one of which records in the other: each step, with the other side played."""

from __future__ import annotations

import _thread
import ctypes
import errno
import io
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from conduit.errors import ConduitError, ProfilerUnavailableError
from conduit.record import recording
from conduit.record.attach import bootstrap, client, request, session, stopped
from conduit.record.attach.client import InsideRecording
from conduit.record.attach.request import ScriptRequest
from conduit.record.attach.stopped import Stopped
from conduit.record.process_memory import UnreadableMemoryError
from tests.fakes.proc import FakeProc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PID = os.getpid()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


# ── the process that asks ──


def inside(connection: socket.socket | None = None) -> InsideRecording:
    recording = InsideRecording(PID, {"cpu": {}}, 1)
    recording._connection = connection
    return recording


@pytest.mark.parametrize(
    ("sent", "head"),
    [
        (b"profile:cpu many\n", "profile:cpu many"),
        (b"GET / HTTP/1.1\n", "GET / HTTP/1.1"),
        (b"x 99999999999\n", "x 9"),
    ],
)
def test_an_answer_that_is_none_is_refused_with_its_beginning(
    sent: bytes, head: str, pair: tuple[socket.socket, socket.socket]
) -> None:
    pair[1].sendall(sent)
    with pytest.raises(
        ProfilerUnavailableError, match=f"process {PID} sent something that is no answer: b.{head}"
    ):
        inside(pair[0])._receive(5)


def test_a_connection_that_ends_is_the_end_of_the_answers(pair: tuple[socket.socket, socket.socket]) -> None:
    recording = inside(pair[0])
    recording._receive(0)
    assert not recording._is_gone
    pair[1].close()
    recording._receive(5)
    assert recording._is_gone
    broken = inside(
        cast("socket.socket", SimpleNamespace(settimeout=lambda _: None, recv=_raise(OSError("reset"))))
    )
    broken._receive(5)
    assert broken._is_gone


def _raise(error: BaseException) -> Callable[..., Any]:
    def raise_it(*_: object, **__: object) -> None:
        raise error

    return raise_it


def test_a_process_that_ends_before_it_answers_is_told_so(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[socket.socket, socket.socket]
) -> None:
    monkeypatch.setattr(client, "has_ended", lambda _: True)
    with pytest.raises(ProfilerUnavailableError, match=f"process {PID} ended before it was recorded"):
        inside(pair[0])._wait_for_start(5)


def test_the_first_folder_that_both_see_is_taken_and_without_any_each_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = inside()
    monkeypatch.setattr(client, "Path", FakeProc(tmp_path))
    reason = os.strerror(errno.ENOENT)
    with pytest.raises(
        ProfilerUnavailableError,
        match=rf"sees \(/tmp: {reason}; /var/tmp: {reason}; /dev/shm: {reason}\)",
    ):
        recording._make_folder()
    (tmp_path / f"{PID}/root/var/tmp").mkdir(parents=True)
    recording._make_folder()
    assert recording.folder.parent == tmp_path / f"{PID}/root/var/tmp"
    assert recording._inside == f"/var/tmp/{recording.folder.name}"


def test_a_process_with_another_root_gets_a_copy_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = inside()
    recording.folder, recording._inside = tmp_path / "folder", "/tmp/folder"
    assert recording._visible_root() == str(client._PACKAGE.parent)
    monkeypatch.setattr(client, "Path", FakeProc(tmp_path))
    assert recording._visible_root() == "/tmp/folder"
    assert (tmp_path / "folder/conduit/record/attach/session.py").exists()
    assert not (tmp_path / "folder/conduit/web").exists()


def test_a_process_whose_signals_are_not_known_is_asked_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc = FakeProc(tmp_path)
    monkeypatch.setattr(client, "Path", proc)
    client._check_signal(7, {"cpu": {}})
    proc.write("7/status", f"Name:\tpython\nSigCgt:\t{1 << (signal.SIGPROF - 1):016x}\n")
    client._check_signal(7, {"heap": {}})
    with pytest.raises(ProfilerUnavailableError, match="has a handler for SIGPROF"):
        client._check_signal(7, {"cpu": {}})


class Memory:
    """A process with a few threads at fixed addresses, of which some are gone."""

    pid = 1000

    def __init__(self, *, enabled: int = 1) -> None:
        self.bytes: dict[int, int] = dict(enumerate(struct.pack("<i", enabled), 50))
        self.gone: set[int] = set()

    def read(self, address: int, size: int) -> bytes:
        if address // 10_000 in self.gone:
            raise UnreadableMemoryError("gone")
        return bytes(self.bytes.get(at, 0) for at in range(address, address + size))

    def write(self, address: int, data: bytes) -> None:
        self.bytes.update(enumerate(data, address))


class Interpreter:
    version = (3, 14)

    def __init__(self, interpreters: tuple[int, ...] = (0,)) -> None:
        names = ("enabled", "support", "pending", "path", "breaker")
        self.layout = {f"debugger.{name}": 50 + 8 * at for at, name in enumerate(names)} | {
            "debugger.path_size": 512
        }
        self.found = interpreters
        self.lists = [
            [SimpleNamespace(address=10_000, native_id=1000), SimpleNamespace(address=20_000, native_id=7)]
        ]

    def interpreters(self) -> tuple[int, ...]:
        return self.found

    def threads(self, _: int) -> list[Any]:
        found = self.lists.pop() if len(self.lists) > 1 else self.lists[0]
        if not found:
            raise UnreadableMemoryError("the list has changed")
        return found


class NotStopped:
    """Stands for `Stopped`."""

    def __init__(self, pid: int) -> None:
        assert pid == Memory.pid

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def asked(memory: Memory, interpreter: Interpreter, path: str = "/tmp/start.py") -> ScriptRequest:
    return ScriptRequest(cast("Any", memory), cast("Any", interpreter), path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: asked(Memory(), Interpreter(), "/tmp/" + "a" * 600), "is too long for a process to run it"),
        (
            lambda: asked(Memory(), Interpreter((0, 8))),
            "process 1000 has 2 interpreters, and the samplers work where",
        ),
        (lambda: asked(Memory(), Interpreter(())), "process 1000 has 0 interpreters"),
        (lambda: asked(Memory(enabled=0), Interpreter()), "remote debugging turned off"),
    ],
)
def test_a_process_that_cannot_be_asked_is_refused_with_the_reason(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ProfilerUnavailableError, match=message):
        make()


def test_a_list_of_threads_that_changes_is_read_again_and_one_that_never_rests_is_refused() -> None:
    memory, interpreter = Memory(), Interpreter()
    script = asked(memory, interpreter)
    interpreter.lists += [[], []]
    script.ask_main_thread()
    assert script._asked == {10_000}
    interpreter.lists = [[]]
    with pytest.raises(
        ProfilerUnavailableError, match="the threads of process 1000 begin and end faster than"
    ):
        script.ask_main_thread()


def test_a_request_is_taken_back_from_the_threads_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "Stopped", NotStopped)
    memory, interpreter = Memory(), Interpreter()
    script = asked(memory, interpreter)
    script.ask_all_threads()
    assert script._asked == {10_000, 20_000}
    pending = [
        address + interpreter.layout["debugger.support"] + interpreter.layout["debugger.pending"]
        for address in (10_000, 20_000)
    ]
    assert [memory.read(at, 4) for at in pending] == [struct.pack("<i", 1)] * 2
    script.withdraw()
    assert [memory.read(at, 4) for at in pending] == [bytes(4)] * 2
    script.ask_all_threads()
    memory.gone.add(2)  # the second thread has just ended
    script.withdraw()
    memory.gone.clear()
    assert [memory.read(at, 4) for at in pending] == [bytes(4), struct.pack("<i", 1)]


class Ptrace:
    """Stands for the C library: `ptrace` fails with these error numbers, by thread."""

    def __init__(self, failures: dict[int, int]) -> None:
        self.calls: list[tuple[int, int, int]] = []
        self._failures = failures

    def __call__(self, kind: int, tid: int, _: None, data: int) -> int:
        self.calls.append((kind, tid, data))
        number = self._failures.get(tid, 0)
        ctypes.set_errno(number)
        return -1 if number else 0

    def let_go(self) -> list[tuple[int, int]]:
        """The threads that go on, each with the signal that it receives."""
        return [(tid, data) for kind, tid, data in self.calls if kind == stopped._DETACH]


def stop(monkeypatch: pytest.MonkeyPatch, calls: Ptrace, statuses: dict[int, int | None]) -> None:
    """Stop threads 1, 2 and 3; `statuses` are what the kernel says of them, None for one that is gone."""

    def waitpid(tid: int, _: int) -> tuple[int, int]:
        status = statuses[tid]
        if status is None:
            raise ChildProcessError
        return tid, status

    monkeypatch.setattr(os, "waitpid", waitpid)
    monkeypatch.setattr(stopped, "_threads", lambda _: [1, 2, 3])
    stopping = Stopped(PID)
    stopping._libc = SimpleNamespace(ptrace=calls)  # type: ignore[assignment]
    with stopping:
        pass


def test_a_thread_that_has_ended_is_not_stopped_and_a_signal_on_its_way_arrives_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_its_way = signal.SIGUSR1 << 8 | 0x7F
    calls = Ptrace({1: errno.ESRCH})
    stop(monkeypatch, calls, {2: None, 3: on_its_way})
    assert calls.let_go() == [(2, 0), (3, signal.SIGUSR1)]


def test_where_a_thread_may_not_be_stopped_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    event = 5 << 8 | 0x7F | 128 << 16
    calls = Ptrace({3: errno.EPERM})
    with pytest.raises(
        ProfilerUnavailableError, match="cannot be stopped for a moment: Operation not permitted"
    ):
        stop(monkeypatch, calls, {1: event, 2: event})
    assert calls.let_go() == [(1, 0), (2, 0)]


def test_a_process_that_has_ended_has_no_threads_to_stop() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert stopped._threads(process.pid) == []


# ── the process that is asked ──


def plan(folder: Path, **others: Any) -> dict[str, Any]:
    return {
        "claim": f"{folder}/claim",
        "folder": str(folder),
        "socket": f"{folder}/socket",
        "root": "/nowhere",
        "others": {},
        "version": "0",
        "seconds": 0.05,
        "notice": "recorded",
        "recordings": {},
        **others,
    }


def test_only_the_first_of_the_threads_that_are_asked_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[object] = []
    monkeypatch.setattr(_thread, "start_new_thread", lambda run, words: began.append(run))
    for _ in range(3):
        bootstrap.begin(plan(tmp_path))
    assert began == [bootstrap.run]
    bootstrap.begin(plan(tmp_path / "gone"))
    assert len(began) == 1


def test_a_folder_whose_owner_is_gone_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "conduit/record").mkdir(parents=True)
    (folder / "conduit/record/cpu.py").write_text("")
    (folder / "start.py").write_text("")
    bootstrap.run(plan(folder))  # there is no socket
    assert not folder.exists()
    bootstrap.remove(str(folder))  # it is gone already


def run_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: Callable[..., None], *, reads: bool
) -> bytes:
    """Run the script's thread against a process that reads the answers or has died by then; return the answers."""
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.setattr(bootstrap, "record", record)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen(1)
        if not reads:

            def send(*_: object) -> None:
                raise BrokenPipeError

            monkeypatch.setattr(bootstrap, "send", send)
        bootstrap.run(plan(folder))
        with listener.accept()[0] as connection:
            return connection.makefile("rb").read()


def test_any_error_of_the_recording_is_answered_and_so_is_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run_with(tmp_path, monkeypatch, _raise(ZeroDivisionError("by zero")), reads=True)
    assert said.startswith(b"hello ")
    assert said.endswith(b"refused 26\nZeroDivisionError: by zerogone 0\n")
    assert (tmp_path / "folder").exists()


def test_a_recording_whose_owner_has_died_removes_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_with(tmp_path, monkeypatch, _raise(ZeroDivisionError()), reads=False) == b""
    assert not (tmp_path / "folder").exists()


def test_another_version_of_the_package_is_refused_and_imports_are_as_before(tmp_path: Path) -> None:
    before = list(sys.meta_path), set(sys.modules)
    with pytest.raises(ImportError, match=r"the process has conduit .*, and this is 0: install the same"):
        bootstrap.record(plan(tmp_path), None)
    assert (list(sys.meta_path), set(sys.modules)) == before


def test_a_package_without_the_extension_for_this_version_is_not_imported(tmp_path: Path) -> None:
    assert not bootstrap.has_extension(str(tmp_path))
    script = (
        f"import runpy\nrecord = runpy.run_path({bootstrap.__file__!r})['record']\n"
        "try:\n    record({'root': '/nowhere', 'others': {}, 'version': '0'}, None)\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("conduit's C extension is not built for the process's Python 3."), (
        done.stderr
    )


class Connection:
    """The end of the asking process, as the recorded one sees it."""

    def __init__(self, answer: bytes | BaseException) -> None:
        self.answer = answer
        self.is_closed = False

    def settimeout(self, _: float | None) -> None:
        pass

    def recv(self, _: int) -> bytes:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A session that touches neither forks nor signals of the tests' own process; what it logs."""
    logged: list[str] = []
    for name in ("_watch_forks", "_restore_signal"):
        monkeypatch.setattr(session, name, lambda *_: None)
    monkeypatch.setattr(session, "_log", logged.append)
    return logged


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        (b"s", ["started", "profile:stacks"]),
        (b"", ["started"]),
        (TimeoutError(), ["started"]),
        (ConnectionResetError(), ["started"]),
    ],
)
def test_profiles_are_sent_if_they_are_asked_for_and_to_no_one_who_is_gone(
    answer: bytes | BaseException, kinds: list[str], quiet: list[str], tmp_path: Path
) -> None:
    sent: list[tuple[str, object]] = []
    session.record_session(
        plan(tmp_path, recordings={"stacks": {}}),
        Connection(answer),
        lambda kind, data: sent.append((kind, data)),
    )
    assert [kind for kind, _ in sent] == kinds
    assert quiet == ["recorded"]
    assert session._session is None


def test_a_recording_that_is_refused_in_the_process_is_told_with_the_reason(
    quiet: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_make", _raise(ConduitError("the timer is taken")))
    sent: list[tuple[str, object]] = []
    session.record_session(
        plan(tmp_path, recordings={"cpu": {}}), Connection(b"s"), lambda kind, data: sent.append((kind, data))
    )
    assert sent == [("refused", "the timer is taken")]
    assert quiet == []


def test_a_forked_child_ends_its_parents_recordings_even_where_they_have_ended(
    quiet: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(b"")
    session.end_in_child()  # there is none
    parents = session._Session(plan(tmp_path), connection, lambda *_: None)
    parents._recordings["cpu"] = cast("Any", SimpleNamespace(halt=_raise(RuntimeError("was not running"))))
    monkeypatch.setattr(session, "_session", parents)
    monkeypatch.setattr(recording, "_running", {})
    monkeypatch.setattr(recording, "_lock", recording._lock)
    session.end_in_child()
    assert connection.is_closed
    assert parents._is_over


@pytest.mark.parametrize("has_logging", [True, False])
def test_the_program_is_told_in_its_log_or_on_standard_error(
    has_logging: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    if not has_logging:
        monkeypatch.delitem(sys.modules, "logging")
    session._log("recorded for a second")
    assert [record.message for record in caplog.records] == ["recorded for a second"] * has_logging
    assert ("recorded for a second\n" in capsys.readouterr().err) is not has_logging
    for no_one in (None, _closed()):
        monkeypatch.setattr(sys, "stderr", no_one)
        session._log("recorded for a second")


def _closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


def test_the_earlier_action_of_the_signal_comes_back_only_once_none_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    native = pytest.importorskip("conduit._native._core")
    order: list[object] = []
    monkeypatch.setattr(native, "cpu_left_signal", lambda: True)
    monkeypatch.setattr(native, "cpu_restore_signal", lambda: order.append("restored"))
    monkeypatch.setattr(time, "sleep", order.append)
    session._restore_signal(0.1)
    assert order == [0.1, "restored"]
