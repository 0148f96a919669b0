"""Records a process with all that descend from it: one `conduit record` each, and one file of all at the end.

Every recorder is a process of its own, so that one does not wait for another, and what cannot be recorded (a shell,
another program) spoils nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from conduit.errors import ProfilerUnavailableError
from conduit.record.process_tree import command_of, descendants
from conduit.record.remote import has_ended

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conduit.cli.children.merging import Part

_POLL_SECONDS = 0.1
_END_SECONDS = 60.0
_MAX_TITLE = 60


class Tree(NamedTuple):
    """What to record: the first process, kinds with their flags, the other flags of each recorder, and for how long."""

    pid: int
    kinds: Mapping[str, str]
    flags: Sequence[str]
    seconds: float


class RecordedTree(NamedTuple):
    """The file of each kind, the CPU time in all of them, the duration, and how many processes were recorded."""

    files: dict[str, bytes]
    cpu_seconds: float
    seconds: float
    processes: int


class _Recorder:
    """One process that records another."""

    def __init__(self, tree: Tree, pid: int, folder: Path, seconds: float) -> None:
        self.pid = pid
        self.title = command_of(pid)[:_MAX_TITLE]
        self.files = {kind: str(folder / f"{pid}.{kind}") for kind in tree.kinds}
        files = [f"-{flag}={self.files[kind]}" for kind, flag in tree.kinds.items()]
        self._messages = folder / f"{pid}.messages"
        command = [sys.executable, "-m", "conduit", "record", f"-pid={pid}", f"-seconds={seconds:.3f}"]
        with self._messages.open("wb") as messages:
            # In a session of its own: Ctrl-C in a terminal is handed on once.
            self.process = subprocess.Popen(
                [*command, *tree.flags, *files],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                start_new_session=True,
            )

    def messages(self) -> list[str]:
        """Return the recorder's messages, except the sums of its own files."""
        lines = self._messages.read_text(errors="replace").splitlines()
        texts = [line.removeprefix("conduit: ") for line in lines]
        return [text for text in texts if not text.startswith(str(self._messages.parent))]


def record_tree(tree: Tree, say: Callable[[str], None]) -> RecordedTree:
    """Record until the time is over, Ctrl-C, or the end of all processes.

    Raises `ProfilerUnavailableError` if none of them could be recorded, with the reason for the first.
    """
    if has_ended(tree.pid):
        raise ProfilerUnavailableError(f"there is no process {tree.pid}, or it has ended")
    with tempfile.TemporaryDirectory(prefix="conduit-children-") as name:
        began = time.monotonic()
        recorders = _record_all(tree, Path(name), began + tree.seconds)
        seconds = time.monotonic() - began
        recorded = [recorder for recorder in recorders if _succeeded(recorder, say)]
        if not recorded:
            raise ProfilerUnavailableError((recorders[0].messages() or ["it could not be recorded"])[-1])
        return _merged(tree, recorded, seconds)


def _record_all(tree: Tree, folder: Path, end: float) -> list[_Recorder]:
    recorders: dict[int, _Recorder] = {}
    try:
        while (left := end - time.monotonic()) > 0:
            for pid in [tree.pid, *descendants(tree.pid, without=os.getpid())]:
                if pid not in recorders:
                    recorders[pid] = _Recorder(tree, pid, folder, left)
            if has_ended(tree.pid) and all(one.process.poll() is not None for one in recorders.values()):
                break
            time.sleep(min(_POLL_SECONDS, left))
        _wait_for(recorders)
    except KeyboardInterrupt:
        for recorder in recorders.values():
            if recorder.process.poll() is None:
                recorder.process.send_signal(signal.SIGINT)
        _wait_for(recorders)
    finally:
        for recorder in recorders.values():
            if recorder.process.poll() is None:
                recorder.process.kill()
                recorder.process.wait()
    return list(recorders.values())


def _wait_for(recorders: Mapping[int, _Recorder]) -> None:
    end = time.monotonic() + _END_SECONDS
    for recorder in recorders.values():
        try:
            recorder.process.wait(max(end - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            return  # the caller ends it


def _succeeded(recorder: _Recorder, say: Callable[[str], None]) -> bool:
    """Hand on what a recorder said; return whether it has written its files."""
    has_files = recorder.process.returncode == 0
    prefix = f"process {recorder.pid} ({recorder.title})" if recorder.title else f"process {recorder.pid}"
    messages = recorder.messages()
    if not has_files:
        say(f"{prefix} was not recorded: {messages[-1] if messages else 'its recorder was ended'}")
        return False
    for message in messages:
        say(f"{prefix}: {message}")
    return True


def _merged(tree: Tree, recorders: Sequence[_Recorder], seconds: float) -> RecordedTree:
    from conduit.cli.children.merging import Part, merge_profiles, merge_traces
    from conduit.profile.codec import encode

    files: dict[str, bytes] = {}
    cpu_seconds = 0.0
    for kind in tree.kinds:
        parts: list[Part] = [Part(str(one.pid), one.files[kind], one.title) for one in recorders]
        if kind == "trace":
            files[kind] = merge_traces(parts)
            continue
        profile = merge_profiles(parts)
        files[kind] = encode(profile, level=1)
        if kind == "cpu":
            cpu_seconds = sum(sample.values[1] for sample in profile.samples) / 1e9
    return RecordedTree(files, cpu_seconds, seconds, len(recorders))
