"""A run, in the process that `conduit run` started: it prepares before the program and merges after it."""

from __future__ import annotations

import os
import tempfile
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit._native.own_work import OwnWork
from conduit.cli.children.account import Recorded, listed, listed_files, missed, recorded, title
from conduit.cli.children.journal import Journal
from conduit.cli.children.launches import ask_to_write, is_alive, is_python_program, watch_launches
from conduit.cli.children.merging import Part, merge_profiles, merge_traces
from conduit.cli.children.process import RunProcess, process_file
from conduit.cli.children.settings import RunSettings, of_environment
from conduit.cli.children.warning_lines import summed
from conduit.cli.terminal_text import complain
from conduit.files import is_replaceable
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from conduit.cli.profiling import Together

_WRITING_SECONDS = 10.0
_NOTICEABLE_CPU_SECONDS = 0.1


class _Account(NamedTuple):
    """The processes whose parts are merged, and lines about those that are not in the files.

    Before the last time, what there is so far is written, and nothing is said.
    """

    ended: list[Recorded]
    absent: list[str]
    is_last: bool


class Run:
    """A program's recordings as a context, those of its processes included where the settings say so.

    `words` is the program's command line. `outer` is the run that started this one and has some of its outputs.
    """

    def __init__(
        self, settings: RunSettings, process: RunProcess, words: list[str], outer: RunSettings | None = None
    ) -> None:
        self._settings = settings
        self._process = process
        self._journal = process.journal
        self._outer = outer
        self._words = words
        self._children_cpu = _children_cpu_seconds()

    @classmethod
    def new(
        cls,
        together: Together,
        outputs: dict[str, str],
        rates: list[str],
        words: list[str],
        *,
        follows: bool,
        outer: RunSettings | None = None,
    ) -> Run:
        """Return a run in a folder of its own; see `RunSettings` for `outputs` and `rates`."""
        folder = tempfile.mkdtemp(prefix="conduit-run-")
        settings = RunSettings(folder, os.getpid(), follows, outputs, rates)
        process = RunProcess(settings, together, words)
        process.journal.create()
        return cls(settings, process, words, outer)

    def end_before_exec(self, path: str, argv: Sequence[Any]) -> None:
        """End the recordings, since this process becomes another program, and leave the rest to that if it can."""
        if self._settings.follows and os.getpid() == self._settings.main and is_python_program(path):
            if self._process.end():
                self._merge(self._wait_for_writers(), is_last=False)
        elif self.end() and not self._settings.follows:
            words = [os.fsdecode(word) for word in argv]
            _say(
                f"the program replaced itself by {title(words)}, which is not recorded; -children records it, too"
            )

    def __enter__(self) -> None:
        self._settings.put_into_environment()
        watch_launches(self._process, self._settings, self.end, self.end_before_exec)
        try:
            self._process.begin()
        except BaseException:
            self._journal.remove()
            raise
        if self._outer is not None:
            self._process.listen(self.end)
            self._note_outside("began", by=os.getppid(), words=self._words)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> bool:
        """End this process's recordings; in the program's own process, merge, and name those that are missing. Once."""
        is_main = os.getpid() == self._settings.main
        with OwnWork():
            if not self._process.end():
                return False
            if is_main:
                try:
                    self._conclude()
                finally:
                    self._journal.remove()
                    self._note_outside("ended")
                self._tell_how_to_read()
            return True

    def _tell_how_to_read(self) -> None:
        """Name each file written and the command that reads it: the result, also where a log or a notebook keeps it."""
        for flag, path in self._settings.outputs.items():
            if not os.path.isfile(path):  # noqa: PTH113
                continue
            name = listed_files([path])
            if flag == "trace":
                _say(f"wrote {name}; to look at it: conduit trace {name}")
            else:
                _say(
                    f"wrote {name}; to read it: conduit pprof -top {name}; instead of -top: -advice in words, "
                    "-http=:8080 in the browser"
                )

    def _note_outside(self, event: str, **facts: object) -> None:
        if self._outer is not None:
            Journal(self._outer.folder).note(event, process=str(os.getpid()), **facts)

    def _conclude(self) -> None:
        if self._settings.follows:
            self._merge(self._wait_for_writers())
        else:
            self._tell_not_followed()

    def _wait_for_writers(self) -> list[Recorded]:
        """Wait until those that are writing have written, and return the recorded processes."""
        for one in recorded(self._journal.entries()):
            if one.state == "began" and "multiprocessing.forkserver" in one.title:
                ask_to_write(self._journal, one.pid, os.kill)  # it ends when this process has ended
        until = time.monotonic() + _WRITING_SECONDS
        while True:
            found = recorded(self._journal.entries())
            writing = [one for one in found if one.state == "ending" and is_alive(one.pid)]
            if not writing or time.monotonic() > until:
                return found
            time.sleep(0.01)

    def _merge(self, found: list[Recorded], *, is_last: bool = True) -> None:
        """Write the merged files, and name the processes that are not in them, there and on standard error."""
        unfinished = [self._unfinished(one) for one in found if one.state != "ended"]
        missing = self._missing()
        ended = [one for one in found if one.state == "ended"]
        unwritten = [
            f"process {one.number} ({one.title}) could not write its part: {one.entry['failure']}"
            for one in ended
            if one.entry.get("failure")
        ]
        ended.sort(key=lambda one: one.pid != self._settings.main)
        account = _Account(ended, [*unfinished, *unwritten, *missing], is_last)
        for flag, output in self._settings.outputs.items():
            parts = [
                Part(one.number, self._file(output, one.number), one.title)
                for one in ended
                if os.path.exists(self._file(output, one.number))  # noqa: PTH110
            ]
            if parts and (is_last or is_replaceable(output)):
                self._write(flag, output, parts, account)
        for text in account.absent if is_last else ():
            _say(text)

    def _write(self, flag: str, output: str, parts: list[Part], account: _Account) -> None:
        from conduit.files import write_file_whole

        if flag == "trace":
            write_file_whole(output, merge_traces(parts))
        else:
            self._write_profile(flag, output, parts, account)
        if not account.is_last:
            return
        name = listed_files([output])
        if is_replaceable(output) and len(parts) == 1:
            os.unlink(parts[0].path)  # noqa: PTH108 (the merged file is the same)
        elif is_replaceable(output):
            processes = counted(len(parts), "process", "processes")
            _say(f"{name}: {processes}, merged from {listed_files(part.path for part in parts)}")
        warnings = [
            (one.number, text) for one in account.ended for text in one.entry["warnings"].get(output, ())
        ]
        for text in summed(warnings) if len(parts) > 1 else [text for _, text in warnings]:
            _say(f"{name}: {text}")

    def _write_profile(self, flag: str, output: str, parts: list[Part], account: _Account) -> None:
        from conduit.files import write_file_whole
        from conduit.profile.codec import encode

        merged = merge_profiles(parts, [text for one in account.ended for text in one.entry["few"]])
        merged.comments += account.absent
        if flag == "cpuprofile" and account.is_last:
            warning = self._few_samples(merged)
            if warning:
                merged.comments = [warning, *merged.comments]
                _say(f"{listed_files([output])}: {warning}")
        write_file_whole(output, encode(merged, level=1))

    def _few_samples(self, merged: Any) -> str:
        from conduit.profile.merge import column_sums
        from conduit.record.cpu import few_samples_warning

        signals, used_ns = column_sums(merged)
        return few_samples_warning(signals, used_ns, round(1e9 / merged.period))

    def _unfinished(self, one: Recorded) -> str:
        if is_alive(one.pid):
            return self._still_running(one.number, one.title)
        how = "was killed, crashed, or ended without Python's exit functions"
        return f"process {one.number} ({one.title}) {how}: its part is lost"

    def _still_running(self, number: str, title: str) -> str:
        paths = [path for path in self._settings.outputs.values() if is_replaceable(path)]
        files = listed_files(self._file(output, number) for output in paths)
        end = f", and writes {files} when it ends" if paths else ""
        return f"process {number} ({title}) is still running: it is not in the merged files{end}"

    def _missing(self) -> list[str]:
        missing = missed(self._journal.entries())
        starting = [
            one for one in missing if one.is_python and one.words and not one.reason and is_alive(one.pid)
        ]
        missing = [one for one in missing if one not in starting]
        pythons = [one for one in missing if one.is_python]
        found = [self._still_running(str(one.pid), title(one.words)) for one in starting]
        if pythons or (missing and self._used_by_children() > _NOTICEABLE_CPU_SECONDS):
            others = (one for one in missing if not one.is_python)
            found.append(f"not followed: {listed([*pythons, *others])}")
        return found

    def _tell_not_followed(self) -> None:
        entries = self._journal.entries()
        missing = missed(entries)
        for one in recorded(entries):
            files = listed_files(self._file(output, one.number) for output in self._settings.outputs.values())
            _say(f"process {one.number} ({one.title}) has recordings of its own: {files}")
        used = self._used_by_children()
        if not any(one.is_python for one in missing) and not (missing and used > _NOTICEABLE_CPU_SECONDS):
            return
        count = counted(len(missing), "process", "processes")
        cpu = f", which used {used:.2f}s of CPU time" if used >= 0.01 else ""
        _say(f"not followed: {count}{cpu}: {listed(missing)}; -children records Python programs, too")

    def _used_by_children(self) -> float:
        return _children_cpu_seconds() - self._children_cpu

    def _file(self, output: str, number: str) -> str:
        return process_file(output, number, self._settings.folder)


def run_that_writes(outputs: dict[str, str]) -> RunSettings | None:
    """Return the run that started this process, if it does not record it and has one of its outputs."""
    outer = of_environment()
    if outer is None or outer.main == os.getpid() or not set(outer.outputs.values()) & set(outputs.values()):
        return None
    return outer


def own_outputs(outputs: dict[str, str], outer: RunSettings) -> dict[str, str]:
    """Return the files to write instead of those that the outer run writes, too, by flag; tell of them."""
    own = {}
    for flag, path in outputs.items():
        if path in outer.outputs.values():
            own[flag] = process_file(path, str(os.getpid()), outer.folder)
            _say(
                f"{listed_files([path])} is written by process {outer.main}, which started this one: "
                f"this process writes {listed_files([own[flag]])}"
            )
    return own


def is_recorded_already(outputs: dict[str, str]) -> bool:
    """Return whether this process is in a run that follows it and has the same outputs."""
    from conduit.cli import children

    outer = of_environment()
    return children.here is not None and outer is not None and outer.outputs == outputs


def _children_cpu_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _say(text: str) -> None:
    complain(f"conduit: {text}")
