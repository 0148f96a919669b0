"""One process of a run: its recordings, under names of its own, from its beginning or from a fork to its end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from conduit._native import repeated_signals
from conduit._native.own_work import OwnWork
from conduit.cli.children.journal import Journal
from conduit.cli.children.paths import path_of_process
from conduit.cli.terminal_text import complain
from conduit.errors import ConduitError
from conduit.record.forks import watch_forks

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.cli.children.settings import RunSettings
    from conduit.cli.profiling import Together

# Asks a process of the run to write its profiles now, as it is about to be killed. It is sent to those that listen.
WRITE_NOW = signal.SIGRTMAX - 7 if hasattr(signal, "SIGRTMAX") else None


class RunProcess:
    """This process in a run. A fork makes it the child's, there with a number and files of its own.

    `together` has its recordings, whose paths are the outputs of the run; `end` writes them. `words` is the command
    line.
    """

    def __init__(self, settings: RunSettings, together: Together, words: list[str]) -> None:
        self._settings = settings
        self._together = together
        self._words = words
        self.journal = Journal(settings.folder)
        self._outputs = {id(each): _path(each) for each in together.recordings}
        self._pid = os.getpid()
        self._is_forked = False
        self.number: str = self._new_number()

    def begin(self) -> None:
        """Start the recordings, and note that this process has begun."""
        for each in self._together.recordings:
            if self._settings.follows:
                _rename(each, self._path_of(each))
                each.follow_forks(self._renamer(each))
            else:
                each.follow_forks(None)
        self._together.__enter__()
        watch_forks(self._after_fork_in_child)
        if self._settings.follows:
            if hasattr(os, "geteuid") and os.geteuid() == 0:
                _import_what_writing_needs()
            self.listen(self.end)
            self._note_beginning(self._words)

    def end(self) -> bool:
        """End the recordings and write their profiles, once; return False where that is under way or done."""
        with OwnWork():
            return self._end()

    def _end(self) -> bool:
        if self._together.is_over:
            return False
        if not self._settings.follows:
            return self._together.end()
        self.journal.note("ending", process=self.number)
        if not os.path.isdir(self._settings.folder):  # noqa: PTH112 (the run is over)
            self._drop_outputs_of_the_run()
        failure = ""
        try:
            return self._together.end()
        except ConduitError as error:
            if os.getpid() == self._settings.main:
                raise
            failure = str(error)
            complain(f"conduit: {error}")  # the program of a child keeps its status
            return True
        finally:
            self.journal.note("ended", process=self.number, name=_name(), failure=failure, **self._facts())
            if self.journal.is_forbidden:
                files = ", ".join(str(each.path) for each in self._together.recordings)
                complain(
                    f"conduit: process {self.number} runs as user {os.geteuid()}, who may not write to the folder of "
                    f"the run: it is not in the merged files, only in {files}"
                )

    def give_up(self) -> None:
        """Do not write: this process becomes another program, after a fork that was made for it."""
        self.journal.note("given up", process=self.number)

    @property
    def is_forked(self) -> bool:
        """Whether this process was forked from one that had been recorded, and has started no program."""
        return self._is_forked

    def _drop_outputs_of_the_run(self) -> None:
        """Leave out what only the process of the run could have written to its pipe or device."""
        from conduit.files import is_replaceable

        for each in list(self._together.recordings):
            if not is_replaceable(self._outputs[id(each)]):
                each.discard()

    def _facts(self) -> dict[str, Any]:
        recordings = self._together.recordings
        few = [text for text in (getattr(each, "few_samples_warning", "") for each in recordings) if text]
        return {
            "warnings": {
                self._outputs[id(each)]: [w for w in each.warnings if w not in few] for each in recordings
            },
            "few": few,
        }

    def _renamer(self, recording: Any) -> Callable[[str], str]:
        return lambda _: self._path_of(recording)

    def _path_of(self, recording: Any) -> str:
        """Return the file of this process; it may be asked for in a forked child before `_after_fork_in_child`."""
        if os.getpid() != self._pid:
            self._pid = os.getpid()
            self.number = self._new_number()
        return process_file(self._outputs[id(recording)], self.number, self._settings.folder)

    def _new_number(self) -> str:
        """Return the process id, told apart from an earlier process that had the same."""
        pid = os.getpid()
        if not self._settings.follows:
            return str(pid)
        used = sum(entry["event"] == "began" and entry["pid"] == pid for entry in self.journal.entries())
        return f"{pid}-{used + 1}" if used else str(pid)

    def _after_fork_in_child(self) -> None:
        self._is_forked = True
        if self._together.is_over:
            return  # the parent was writing its profiles
        if not self._settings.follows:
            self._together.is_over = True
            self.journal.note("forked", by=os.getppid())
            return
        self._note_beginning(["forked", "by", str(os.getppid())])
        util = sys.modules.get("multiprocessing.util")
        if util is not None:  # its children leave by `os._exit`, after finalizers of their own
            util.register_after_fork(self, lambda alive: util.Finalize(None, alive.end, exitpriority=1))

    def _note_beginning(self, words: list[str]) -> None:
        self.journal.note("began", process=self.number, by=os.getppid(), words=words)

    def listen(self, end: Callable[[], object]) -> None:
        """Let another process of the run have `end` called, before it kills this one."""
        if WRITE_NOW is None or threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(WRITE_NOW) is signal.SIG_DFL:

            def write(number: int, _: object) -> None:
                repeated_signals.handled(number)
                end()

            signal.signal(WRITE_NOW, write)
            repeated_signals.repeat(WRITE_NOW)


def _import_what_writing_needs() -> None:
    """Import the modules that make and write a profile: a worker that gives up root may not be able to read them."""
    import conduit.files
    import conduit.record.clocks
    import conduit.record.module_names  # noqa: F401
    from conduit.profile.builder import ProfileBuilder
    from conduit.profile.codec import encode
    from conduit.profile.model import ValueType

    builder = ProfileBuilder([ValueType("samples", "count")])
    builder.add([("", "", 1, 1)], [1])
    encode(builder.build())


def process_file(output: str, number: str, folder: str) -> str:
    """Return the file that a process writes for an output of the run; a pipe or a device is written at the end."""
    from conduit.files import is_replaceable

    if is_replaceable(output):
        return path_of_process(output, number)
    return os.path.join(folder, f"{os.path.basename(output)}.{number}")  # noqa: PTH118, PTH119


def _path(recording: Any) -> str:
    return str(recording.path)


def _rename(recording: Any, path: str) -> None:
    recording.name = path
    recording.path = type(recording.path)(path)


def _name() -> str:
    """Return the name that multiprocessing gave this process, where it made it."""
    process = sys.modules.get("multiprocessing.process")
    if process is None or process.parent_process() is None:
        return ""
    return str(process.current_process().name)
