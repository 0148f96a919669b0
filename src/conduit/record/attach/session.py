"""The recordings inside a process that was asked for them, from their start until everything has been removed.

They run in a thread of their own in the recorded process, for as long as the connection to the asking process is open.
They end after `seconds`, on request, or when the connection breaks, whichever comes first; in the last case the
profiles are discarded. If the process exits normally, it sends the profiles first.
"""

from __future__ import annotations

import _thread
import atexit
import os
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conduit._native.own_work import OwnWork
from conduit.errors import ConduitError
from conduit.record import recording as recording_module
from conduit.record.attach import bootstrap
from conduit.record.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from mmap import mmap

    from conduit.record.trace import Trace

    Send = Callable[[str, str | bytes | mmap], None]

_QUIET_SECONDS = 0.1  # a signal that is on its way when its timer is deleted arrives within microseconds
_GRACE_SECONDS = 10.0
_STOP = b"s"

_session: _Session | None = None


def record_session(plan: Mapping[str, Any], connection: Any, send: Send) -> None:
    """Make the recordings of the plan (kinds with their parameters), for so many seconds at most."""
    global _session
    session = _Session(plan, connection, send)
    _session = session
    try:
        with OwnWork():  # the thread is the session's own
            session.run()
    finally:
        _session = None


def end_in_child() -> None:
    """End the parent's recordings in a forked child, which does not have the thread that would end them."""
    if _session is not None:
        _session.abandon()


class _Session:
    def __init__(self, plan: Mapping[str, Any], connection: Any, send: Send) -> None:
        self._plan = plan
        self._connection = connection
        self._send = send
        self._lock = _thread.allocate_lock()
        self._is_over = False
        self._recordings: dict[str, Recording | Trace] = {}

    def run(self) -> None:
        """Record until it is over."""
        _watch_forks()
        try:
            self._start()
        except ConduitError as error:
            self._finish(sends=False)
            self._send("refused", str(error))
            return
        atexit.register(self._finish)
        try:
            _log(self._plan["notice"])
            self._send("started", "")
            self._finish(sends=self._wait())
        finally:
            atexit.unregister(self._finish)
            self._finish(sends=False)

    def abandon(self) -> None:
        """End in a child of a fork, where locks may be held by threads that do not exist there."""
        recording_module._lock = threading.RLock()
        self._is_over = True
        for one in self._recordings.values():
            with suppress(ConduitError, RuntimeError):  # the kind was not recording yet, or not any longer
                one.halt()
        recording_module._running.clear()
        atexit.unregister(self._finish)
        self._connection.close()
        _restore_signal(0)  # a child has no timers

    def _start(self) -> None:
        for kind, parameters in self._plan["recordings"].items():
            if kind == "stacks":
                continue
            recording = _make(kind, parameters, self._plan)
            recording.start()
            self._recordings[kind] = recording
            if isinstance(recording, Recording):
                recording.leave_to_context()
            else:
                _hold_tracer(self._plan["others"])

    def _wait(self) -> bool:
        """Wait until the recording is over; return whether its profiles are wanted."""
        self._connection.settimeout(self._plan["seconds"] + _GRACE_SECONDS)
        try:
            return bool(self._connection.recv(1) == _STOP)
        except TimeoutError:
            return False  # the recording process is stopped, or hangs: it would not read the profiles either
        except OSError:
            return False
        finally:
            with suppress(OSError):  # closed by `abandon`
                self._connection.settimeout(None)

    def _finish(self, *, sends: bool = True) -> None:
        """End the recordings and send their profiles, once: by the thread, or at an earlier exit of the program."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
            with OwnWork():  # this may be the program's exit
                for recording in self._recordings.values():
                    recording.halt()
            if sends and "stacks" in self._plan["recordings"]:
                from conduit.record import threads

                self._send_profile("stacks", threads.profile())
            for kind, recording in self._recordings.items():
                self._end(kind, recording, sends=sends)
            _restore_signal(_QUIET_SECONDS)

    def _end(self, kind: str, recording: Recording | Trace, *, sends: bool) -> None:
        if isinstance(recording, Recording):
            profile = recording.stop()
            if sends:
                self._send_profile(kind, profile)
        else:
            recording.stop() if sends else recording.discard()
            if sends:
                self._send_file(kind, self._plan["trace"])
        if sends:
            for warning in recording.warnings:
                self._send(f"warning:{kind}", warning)

    def _send_file(self, kind: str, path: str) -> None:
        """Send a file of 10 to 50 MB, mapped: once the C library has freed as large an object, it keeps such memory."""
        import mmap

        with (
            open(path, "rb") as file,  # noqa: PTH123 (pathlib is not imported into the program)
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            self._send(f"profile:{kind}", mapped)

    def _send_profile(self, kind: str, profile: Any) -> None:
        from conduit.profile.codec import encode

        self._send(f"profile:{kind}", encode(profile, level=1))


def _restore_tracer(tops: Iterable[str]) -> None:
    """Take the tracer of an earlier recording, and the modules of these packages as they were then.

    viztracer 1.1 cannot be loaded anew: its extension frees its globals with its module, and is not initialized a
    second time; threads that its tracer has seen write into the tracer when they end.
    """
    from conduit._native import _core

    if (kept := _core.held()) is None:
        return
    modules, tracers = kept
    if not any(top in sys.modules for top in tops):  # else the program has imported them since
        sys.modules.update(modules)
    sys.modules["conduit.record.trace"].__dict__["_tracers"].update(tracers)


def _hold_tracer(tops: Iterable[str]) -> None:
    """Keep the tracer, and the modules of these packages, for the next recording: they will be removed."""
    from conduit._native import _core

    modules = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in tops}
    _core.hold((modules, sys.modules["conduit.record.trace"].__dict__["_tracers"]))


def _make(kind: str, parameters: Mapping[str, Any], plan: Mapping[str, Any]) -> Recording | Trace:
    if kind == "trace":
        from conduit.record.trace import Trace

        sys.modules["conduit.record.trace"].__dict__["_watches_forks"] = True  # `abandon` ends it in a child
        _restore_tracer(plan["others"])
        return Trace(plan["trace"], releases_memory=True, **parameters)
    from conduit.record.cpu import CpuRecording
    from conduit.record.heap import HeapRecording
    from conduit.record.waits import BlockRecording, GilRecording, MutexRecording, leave_asyncio_alone
    from conduit.record.wall import WallRecording

    if "asyncio" not in sys.modules:
        leave_asyncio_alone()
    kinds: dict[str, Callable[..., Recording]] = {
        "cpu": CpuRecording,
        "heap": HeapRecording,
        "wall": WallRecording,
        "block": BlockRecording,
        "mutex": MutexRecording,
        "gil": GilRecording,
    }
    return kinds[kind](is_harness=_is_own, **parameters)


def _is_own(filename: str) -> bool:
    return filename in (__file__, bootstrap.NAME)


def _watch_forks() -> None:
    """Have forks end the recording in the child; one hook for each process, since it cannot be removed."""
    from conduit._native import _core

    recording_module._watches_forks = True  # the child of a prepared process would go on recording
    if not _core.claim_fork_hook():
        return
    namespace: dict[str, Any] = {"modules": sys.modules, "name": __name__}
    source = "def end_in_child():\n    module = modules.get(name)\n    if module is not None: module.end_in_child()\n"
    exec(compile(source, bootstrap.NAME, "exec"), namespace)
    os.register_at_fork(after_in_child=namespace["end_in_child"])


def _restore_signal(quiet_seconds: float) -> None:
    """Restore the earlier action of SIGPROF, once no signal can be pending."""
    from conduit._native import _core

    if _core.cpu_left_signal():
        time.sleep(quiet_seconds)
        _core.cpu_restore_signal()


def _log(notice: str) -> None:
    """Write to the recorded program's log, if it has one, otherwise to standard error."""
    logging = sys.modules.get("logging")
    if logging is not None:
        logging.getLogger("conduit").warning(notice)
    elif sys.stderr is not None:
        with suppress(OSError, ValueError):  # closed, or full: the recording does not depend on it
            sys.stderr.write(f"{notice}\n")
            sys.stderr.flush()
