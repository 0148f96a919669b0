"""Recordings inside another process: the side that asks for them.

A folder that both processes see (`/tmp`, through `/proc/PID/root`) contains the script, a socket on which the process
answers and, if the process cannot see this installation, a copy of it. The folder is removed when the recording is
over. If this process dies before that, the recorded process detects that the connection was closed, stops, and removes
the folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import tempfile
import time
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit._version import __version__
from conduit.errors import ProfilerUnavailableError
from conduit.record.attach import bootstrap
from conduit.record.attach.request import FIRST_VERSION, ScriptRequest
from conduit.record.process_memory import ProcessMemory, UnreadableMemoryError
from conduit.record.remote import Interpreter, has_ended

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

_PACKAGE = Path(__file__).resolve().parents[2]
_TRACER = ("viztracer", "objprint")
_FOLDERS = ("tmp", "var/tmp", "dev/shm")
_NOT_COPIED = ("__pycache__", "web", "*.c", "*.h", "*.html", "*.js", "*.css")
_BY_SIGNAL = {"cpu", "wall"}
_MAX_MESSAGE = 1 << 31
_SOON_SECONDS = 0.3
_POLL_SECONDS = 0.02
_IMPORT_SECONDS = 30.0
_END_SECONDS = 60.0


class InsideResult(NamedTuple):
    """The results: the bytes of the file of each kind (pprof; JSON for a trace), and warnings as `kind: text`."""

    files: dict[str, bytes]
    warnings: list[str]


class InsideRecording:
    """Recordings inside process `pid`, as a context manager; `recordings` are kinds with their parameters.

    Raise `ProfilerUnavailableError`, with the reason, if the process cannot be asked or refuses.
    """

    def __init__(
        self,
        pid: int,
        recordings: Mapping[str, Mapping[str, Any]],
        seconds: float,
        *,
        allows_other_user: bool = False,
    ) -> None:
        self.pid = pid
        self.is_started: bool = False
        self.folder: Path = Path()  # what both processes see, removed at the end
        self._recordings = recordings
        self._seconds = seconds
        self._allows_other_user = allows_other_user
        self._connection: socket.socket | None = None
        self._received = b""
        self._is_gone = False
        self._thread = 0
        self._files: dict[str, bytes] = {}
        self._warnings: list[str] = []

    def __enter__(self) -> Self:
        _check_user(self.pid, allows_other=self._allows_other_user)
        _check_signal(self.pid, self._recordings)
        with ExitStack() as stack:
            memory = stack.enter_context(ProcessMemory(self.pid, writable=True))
            interpreter = Interpreter(memory)
            if interpreter.version < FIRST_VERSION:
                version = ".".join(map(str, interpreter.version))
                raise ProfilerUnavailableError(
                    f"process {self.pid} runs Python {version}; from 3.14 on a process can be asked to record itself"
                )
            self._make_folder()
            stack.callback(self._remove_folder)
            self._request = ScriptRequest(memory, interpreter, f"{self._inside}/start.py")
            self._listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            self._listener.bind(str(self.folder / "socket"))
            self._listener.listen(1)
            self._write_script()
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not has_ended(self.pid):
                self._take_back()
        finally:
            if self._connection is not None:
                self._connection.close()
            self._resources.close()

    # ── the steps, in order ──

    def start(self, seconds: float) -> bool:
        """Ask the process to record; return whether the recordings have started within so many seconds.

        Raise `ProfilerUnavailableError`, with the reason, if the process refuses. If no thread of the process runs
        Python in that time, the request remains, and `poll` tells when the recordings have started.
        """
        self._request.ask_main_thread()
        end = time.monotonic() + seconds
        if self._wait_for_start(min(_SOON_SECONDS, seconds)):
            return True
        # Where this is forbidden, the main thread has been asked, and may come by yet.
        with suppress(ProfilerUnavailableError, UnreadableMemoryError):
            self._request.ask_all_threads()
        return self._wait_for_start(end - time.monotonic())

    def poll(self) -> bool:
        """Return whether the recordings have started by now. Raise `ProfilerUnavailableError` if they were refused."""
        self._receive(0)
        return self.is_started

    def finish(self) -> InsideResult:
        """End the recordings and return their profiles. Raise `ProfilerUnavailableError` if none arrive."""
        if self._connection is None or not self.is_started:
            raise ProfilerUnavailableError(self._idle_reason())
        with suppress(OSError):  # it has sent them already, at its exit
            self._connection.sendall(b"s")
        end = time.monotonic() + _END_SECONDS
        while not self._is_gone and time.monotonic() < end:
            self._receive(_POLL_SECONDS)
        if self._files.keys() != self._recordings.keys():
            missing = ", ".join(sorted(self._recordings.keys() - self._files.keys()))
            raise ProfilerUnavailableError(
                f"process {self.pid} ended before the recording was over; not received: {missing}. A process that is "
                "killed takes along what it has recorded; -inside=never samples from outside, where that is kept"
            )
        self._await_thread()
        return InsideResult(self._files, self._warnings)

    def has_ended(self) -> bool:
        """Return whether the process or its recordings have ended."""
        self._receive(0)
        return self._is_gone or has_ended(self.pid)

    # ── what the process sees ──

    def _make_folder(self) -> None:
        root = Path(f"/proc/{self.pid}/root")
        reasons = []
        for folder in _FOLDERS:
            try:
                made = tempfile.mkdtemp(prefix="conduit-attach-", dir=root / folder)
            except OSError as error:
                reasons.append(f"/{folder}: {error.strerror}")
                continue
            self.folder = Path(made)
            self._inside = f"/{folder}/{self.folder.name}"
            return
        raise ProfilerUnavailableError(
            f"no folder can be made that process {self.pid} sees ({'; '.join(reasons)})"
        )

    def _write_script(self) -> None:
        others = {}
        if "trace" in self._recordings:
            for name in _TRACER:
                spec = find_spec(name)
                if spec is not None and spec.submodule_search_locations:
                    others[name] = str(Path(spec.submodule_search_locations[0]).parent)
        plan = {
            "version": __version__,
            "folder": self._inside,
            "claim": f"{self._inside}/claimed",
            "socket": f"{self._inside}/socket",
            "trace": f"{self._inside}/trace.json",
            "root": self._visible_root(),
            "others": others,
            "recordings": {kind: dict(parameters) for kind, parameters in self._recordings.items()},
            "seconds": self._seconds,
            "notice": self._notice(),
        }
        source = Path(bootstrap.__file__).read_text(encoding="utf-8")
        script = f"exec(compile({source!r}, {bootstrap.NAME!r}, 'exec'), {{'PLAN': {plan!r}}})\n"
        # Written whole under another name: the process may read it at once, if an earlier request has the same path.
        unfinished = self.folder / "start.unfinished"
        unfinished.write_text(script, encoding="utf-8")
        unfinished.rename(self.folder / "start.py")
        self._give_to_user()

    def _visible_root(self) -> str:
        """Return the folder from which the process can import conduit: this installation, or a copy in the folder."""
        seen = Path(f"/proc/{self.pid}/root{_PACKAGE}")
        try:
            if seen.stat().st_ino == _PACKAGE.stat().st_ino and _is_readable_by(self.pid, _PACKAGE):
                return str(_PACKAGE.parent)
        except OSError:
            pass  # it has another root, in which this installation is not
        shutil.copytree(_PACKAGE, self.folder / "conduit", ignore=shutil.ignore_patterns(*_NOT_COPIED))
        return self._inside

    def _give_to_user(self) -> None:
        """Another user's process owns the folder: it has to read it, and to remove it if this process dies."""
        owner = Path(f"/proc/{self.pid}").stat()
        if owner.st_uid == os.geteuid():
            return
        for folder, _, names in os.walk(self.folder):
            for path in (folder, *(f"{folder}/{name}" for name in names)):
                os.chown(path, owner.st_uid, owner.st_gid)

    def _notice(self) -> str:
        user = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() in _known_users() else str(os.geteuid())
        kinds = ", ".join(self._recordings)
        return (
            f"conduit: process {os.getpid()} of user {user} records this process (pid {self.pid}) from inside for up "
            f"to {self._seconds:g}s: {kinds}"
        )

    def _remove_folder(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)  # the process may remove it at the same time

    # ── its answers ──

    def _wait_for_start(self, seconds: float) -> bool:
        """Wait so many seconds for the answer, and after it for as long as importing the recorders takes."""
        end = time.monotonic() + seconds
        while not self.is_started and time.monotonic() < end + (_IMPORT_SECONDS if self._thread else 0):
            self._receive(_POLL_SECONDS)
            if has_ended(self.pid):
                raise ProfilerUnavailableError(f"process {self.pid} ended before it was recorded")
        return self.is_started

    def _receive(self, seconds: float) -> None:
        """Read the messages that arrive within so many seconds."""
        try:
            if self._connection is None:
                self._listener.settimeout(seconds)
                self._connection, _ = self._listener.accept()
            self._connection.settimeout(seconds)
            while data := self._connection.recv(1 << 20):
                self._received += data
                self._take_messages()
                if self._is_gone:
                    return
            self._is_gone = True
        except (TimeoutError, BlockingIOError):
            return  # nothing has arrived
        except OSError:
            self._is_gone = True

    def _take_messages(self) -> None:
        while b"\n" in self._received:
            head, _, rest = self._received.partition(b"\n")
            kind, _, size = head.decode("ascii", "replace").rpartition(" ")
            if not size.isdecimal() or int(size) > _MAX_MESSAGE:
                raise ProfilerUnavailableError(
                    f"process {self.pid} sent something that is no answer: {head[:80]!r}"
                )
            if len(rest) < int(size):
                return
            self._received = rest[int(size) :]
            self._take(kind, rest[: int(size)])

    def _take(self, message: str, data: bytes) -> None:
        word, _, kind = message.partition(":")
        if word == "hello":
            self._thread = int(data)
        elif word == "started":
            self.is_started = True
        elif word == "profile":
            self._files[kind] = data
        elif word == "warning":
            self._warnings.append(f"{kind}: {data.decode('utf-8', 'replace')}")
        elif word == "gone":
            self._is_gone = True
        elif word == "refused":
            reason = data.decode("utf-8", "replace")
            raise ProfilerUnavailableError(f"process {self.pid} cannot record itself: {reason}")

    def _take_back(self) -> None:
        with suppress(ProfilerUnavailableError, UnreadableMemoryError):  # then it finds no script any more
            self._request.withdraw()
        if self._connection is not None and not self._is_gone:
            self._connection.close()
            self._await_thread()

    def _await_thread(self) -> None:
        """Wait until the thread in the process has ended, so that nothing of it is left when this returns."""
        end = time.monotonic() + _END_SECONDS
        while self._thread and time.monotonic() < end:
            if not Path(f"/proc/{self.pid}/task/{self._thread}").exists():
                return
            time.sleep(_POLL_SECONDS / 4)

    def _idle_reason(self) -> str:
        return (
            f"no thread of process {self.pid} has run Python since it was asked: it waits, or is in a C function; "
            "nothing was recorded inside"
        )


def _check_user(pid: int, *, allows_other: bool) -> None:
    try:
        owner = Path(f"/proc/{pid}").stat().st_uid
    except FileNotFoundError:
        raise ProfilerUnavailableError(f"there is no process {pid}") from None
    if owner == os.geteuid() or allows_other:
        return
    name = pwd.getpwuid(owner).pw_name if owner in _known_users() else str(owner)
    raise ProfilerUnavailableError(
        f"process {pid} belongs to another user ({name}): code is run in it only with -other-user"
    )


def _known_users() -> set[int]:
    return {entry.pw_uid for entry in pwd.getpwall()}


def _check_signal(pid: int, recordings: Mapping[str, object]) -> None:
    """The samplers of CPU and wall clock need SIGPROF, which another profiler may have."""
    if not _BY_SIGNAL & recordings.keys():
        return
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt:")).split()[1], 16)
    if caught >> (signal.SIGPROF - 1) & 1:
        raise ProfilerUnavailableError(
            f"process {pid} has a handler for SIGPROF (another profiler may be running), "
            "and a signal can have only one handler"
        )


def _is_readable_by(pid: int, folder: Path) -> bool:
    """Return whether the process's user may read a folder: sure for root, for this user, and where all may."""
    owner = Path(f"/proc/{pid}").stat().st_uid
    if owner in (0, os.geteuid()):
        return True
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in (folder, *folder.parents))
