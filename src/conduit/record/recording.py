"""The base class of all recordings: start and stop, a context manager, and a file written completely or not at all.

If the program ends between `start` and `stop` by an exception, `sys.exit` or Ctrl-C, the recording is stopped and its
file is written. If the program is killed, no file is written, not even a part of one. Only one recording of each kind
can run at a time. After `fork`, the recording starts again in the child, without the parent's samples, and writes to a
file of the child's own: PATH.PID.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import TYPE_CHECKING, ClassVar

from conduit._native.own_work import OwnWork
from conduit.errors import ProfilerBusyError
from conduit.record.forks import watch_forks

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from conduit.profile.model import Profile

_lock = threading.RLock()
_running: dict[str, Recording] = {}
_watches_forks = False


class Recording:
    """A recording into `path` (a pprof file); without a path, only its `profile` is made."""

    kind: ClassVar[str]

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.name: str = self.kind if path is None else os.fspath(path)
        self.path: str | None = None if path is None else os.path.abspath(path)  # noqa: PTH100 (the program may change its folder)
        self.profile: Profile | None = None
        self.warnings: list[str] = []
        self.gives_way: bool = False
        """Whether another recording of this kind may end this one by starting."""
        self._path_of_child: Callable[[str], str] | None = _path_with_pid
        self._is_halted = False

    # What a kind of recording says: how it begins, ends (looking first, building a profile afterwards), and lives on
    # in a child, or is given up there.

    def _begin(self) -> None:
        raise NotImplementedError

    def _halt(self) -> None:
        raise NotImplementedError

    def _build(self) -> Profile:
        raise NotImplementedError

    def _continue_in_child(self) -> None:
        raise NotImplementedError

    def _give_up_in_child(self) -> None:
        self._halt()

    # What all have.

    @property
    def is_running(self) -> bool:
        """Whether it has been started and not stopped."""
        return _running.get(self.kind) is self

    def start(self) -> None:
        """Start the recording.

        Raise `ProfilerBusyError` if another recording of this kind is running, and `ProfilerUnavailableError` if this
        kind cannot be recorded.
        """
        with _lock, OwnWork():
            present = _running.get(self.kind)
            if present is not None and present.gives_way:
                present.stop()
            if self.kind in _running:
                raise ProfilerBusyError(
                    f"a {self.kind} profile is being taken already: stop the first one before starting another"
                )
            _watch_forks()
            self._is_halted = False
            self._begin()
            _running[self.kind] = self
            atexit.register(self._stop_at_exit)

    def halt(self) -> None:
        """Stop sampling; `stop()` builds the profile later.

        So several recordings can end without sampling one another's post-processing.
        """
        with _lock, OwnWork():
            if self.is_running and not self._is_halted:
                self._is_halted = True
                self._halt()

    def stop(self) -> Profile:
        """End the recording, write the file, and return the profile. Raise `RuntimeError` if it was not running."""
        with OwnWork():
            with _lock:
                if not self.is_running:
                    raise RuntimeError(f"this {self.kind} profile is not being taken: start() comes first")
                self.halt()
                del _running[self.kind]
                atexit.unregister(self._stop_at_exit)
                self.profile = profile = self._build()
            if self.path is not None:
                _write(self.path, profile)
        return profile

    def discard(self) -> None:
        """End the recording without writing a file."""
        if self.is_running:
            self.path = None
            self.stop()

    def leave_to_context(self) -> None:
        """Do not stop at the interpreter's exit, because a context around the program stops this recording."""
        atexit.unregister(self._stop_at_exit)

    def follow_forks(self, path_of_child: Callable[[str], str] | None) -> None:
        """Set the file of a forked child (path of this process -> path there); with None a child does not record."""
        self._path_of_child = path_of_child

    def _stop_at_exit(self) -> None:
        if self.is_running:
            self.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_running:
            self.stop()


def running(kind: str) -> Recording | None:
    """Return the recording of a kind that is running in this process, or None."""
    return _running.get(kind)


def _write(path: str, profile: Profile) -> None:
    from conduit.files import write_file_whole
    from conduit.profile.codec import encode

    write_file_whole(path, encode(profile, level=1))


def _watch_forks() -> None:
    global _watches_forks
    if not _watches_forks:
        watch_forks(_after_fork_in_child, _lock)
        _watches_forks = True


def _after_fork_in_child() -> None:
    for recording in list(_running.values()):
        recording.warnings.clear()
        if recording._path_of_child is None:
            del _running[recording.kind]
            atexit.unregister(recording._stop_at_exit)
            recording._give_up_in_child()
            continue
        if recording.path is not None:
            recording.path = recording.name = recording._path_of_child(recording.path)
        recording._continue_in_child()
        _stop_with_multiprocessing(recording)


def _path_with_pid(path: str) -> str:
    return f"{path}.{os.getpid()}"


def _stop_with_multiprocessing(recording: Recording) -> None:
    """Stop a recording in children of multiprocessing, which skip atexit but run finalizers of their own."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(
            recording, lambda alive: util.Finalize(None, alive._stop_at_exit, exitpriority=0)
        )
