"""Notes the programs that a process of a run starts, and delays exits until the profiles are written.

The functions of the interpreter by which programs are started, exited and killed are wrapped. The wrappers do what the
functions do, add an entry to the journal, and add the folder of the start hook for a program that is started with the
environment of the run but a PYTHONPATH of its own.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from conduit.cli.children.journal import OPEN_JOURNAL
from conduit.cli.children.process import WRITE_NOW
from conduit.cli.children.settings import VARIABLE, with_hook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conduit.cli.children.journal import Journal
    from conduit.cli.children.process import RunProcess
    from conduit.cli.children.settings import RunSettings

_WRITING_SECONDS = 3.0
# Positions among the arguments of `_posixsubprocess.fork_exec`.
_DESCRIPTORS, _ENVIRONMENT, _USER, _PREPARATION = 3, 5, 19, 21
_PATH = b"PYTHONPATH="


def watch_launches(
    process: RunProcess,
    settings: RunSettings,
    end: Callable[[], object],
    end_before_exec: Callable[[str, Sequence[Any]], object] | None = None,
) -> None:
    """Wrap the functions, for good.

    `end` is called before this process leaves, and `end_before_exec` (else `end`) with the program's path and arguments
    before it becomes another program.
    """
    watch = _Watch(process, settings, end, end_before_exec or (lambda path, argv: end()))
    watch.wrap_starts()
    watch.wrap_ends()


class _Watch:
    def __init__(
        self,
        process: RunProcess,
        settings: RunSettings,
        end: Callable[[], object],
        end_before_exec: Callable[[str, Sequence[Any]], object],
    ) -> None:
        self._process = process
        self._end = end
        self._end_before_exec = end_before_exec
        self._settings = settings
        self._journal = process.journal

    def wrap_starts(self) -> None:
        try:
            import _posixsubprocess
        except ImportError:  # not POSIX
            return
        wrapped = self._fork_exec(_posixsubprocess.fork_exec)
        _posixsubprocess.fork_exec = wrapped
        subprocess = sys.modules.get("subprocess")
        if subprocess is not None and hasattr(subprocess, "_fork_exec"):
            subprocess._fork_exec = wrapped  # type: ignore[attr-defined]
        for name in ("posix_spawn", "posix_spawnp"):
            if hasattr(os, name):
                setattr(os, name, self._spawn(getattr(os, name)))

    def wrap_ends(self) -> None:
        for name in ("execv", "execve"):
            setattr(os, name, self._exec(getattr(os, name)))
        os._exit = self._before(os._exit)
        os.abort = self._before(os.abort)
        if WRITE_NOW is not None:
            os.kill = self._kill(os.kill)

    def _fork_exec(self, original: Callable[..., int]) -> Callable[..., int]:
        def fork_exec(*arguments: Any) -> int:
            given = list(arguments)
            if self._settings.follows:
                if given[_ENVIRONMENT] is not None:
                    given[_ENVIRONMENT] = _with_hook(given[_ENVIRONMENT])
                if given[_USER] is not None or given[_PREPARATION] is not None or os.geteuid() != 0:
                    self._hand_over_journal(given)
            pid = original(*given)
            self._note(pid, given[0], given[_ENVIRONMENT], user=given[_USER])
            return pid

        return fork_exec

    def _hand_over_journal(self, given: list[Any]) -> None:
        """Leave the journal open for a program whose user may not be allowed to open it."""
        kept = self._journal.kept
        if kept is None or not kept.is_open():
            return
        given[_DESCRIPTORS] = tuple(sorted({*given[_DESCRIPTORS], kept.descriptor}))
        environment = given[_ENVIRONMENT]
        if environment is None:
            environment = [b"%s=%s" % variable for variable in os.environb.items()]
        name = f"{OPEN_JOURNAL}=".encode()
        others = [each for each in environment if not each.startswith(name)]
        given[_ENVIRONMENT] = [*others, name + kept.text().encode()]

    def _spawn(self, original: Callable[..., int]) -> Callable[..., int]:
        def posix_spawn(
            path: Any, argv: Sequence[Any], env: Mapping[Any, Any] | None, /, **others: Any
        ) -> int:
            if self._settings.follows and env is not None:
                env = _mapping_with_hook(env)
            pid = original(path, argv, env, **others)
            self._note(pid, argv, None if env is None else [os.fsencode(f"{_text(key)}=") for key in env])
            return pid

        return posix_spawn

    def _note(
        self,
        pid: int,
        words: Sequence[Any],
        environment: Sequence[bytes] | None,
        user: int | None = None,
    ) -> None:
        has_variable = environment is None or any(
            each.startswith(VARIABLE.encode() + b"=") for each in environment
        )
        self._journal.note(
            "launched",
            child=pid,
            words=[_text(word) for word in words],
            inherits=has_variable,
            **({} if user in (None, os.geteuid()) else {"user": user}),
        )

    def _exec(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def execute(path: Any, argv: Sequence[Any], *others: Any) -> Any:
            if not os.access(path, os.X_OK):  # it fails; execvp asks for each folder of PATH
                return original(path, argv, *others)
            if self._process.is_forked:
                self._process.give_up()
            else:
                self._end_before_exec(os.fsdecode(path), argv)
            self._note(os.getpid(), argv, None)
            return original(path, argv, *others)

        return execute

    def _before(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def leave(*arguments: Any, **named: Any) -> Any:
            try:
                self._end()
            finally:
                original(*arguments, **named)

        return leave

    def _kill(self, original: Callable[[int, int], None]) -> Callable[[int, int], None]:
        def kill(pid: int, number: int, /) -> None:
            if number == signal.SIGKILL:
                ask_to_write(self._journal, pid, original)
            original(pid, number)

        return kill


def ask_to_write(journal: Journal, pid: int, send: Callable[[int, int], None]) -> None:
    """Have a process of the run write its profiles, and wait for that for at most three seconds."""
    if WRITE_NOW is None or pid == os.getpid() or not is_recorded(journal, pid):
        return
    try:
        send(pid, WRITE_NOW)
    except OSError:
        return
    until = time.monotonic() + _WRITING_SECONDS
    while is_recorded(journal, pid) and is_alive(pid) and time.monotonic() < until:
        time.sleep(0.005)


def is_recorded(journal: Journal, pid: int) -> bool:
    """Return whether the process has begun and has not written its profiles yet."""
    last = ""
    for entry in journal.entries():
        if entry["pid"] == pid and entry["event"] in ("began", "ended", "given up"):
            last = entry["event"]
    return last == "began"


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended and was not waited for does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        if os.path.exists("/proc/self/stat"):  # noqa: PTH110
            return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def is_python_program(path: str) -> bool:
    """Return whether a file is a Python interpreter, by its name, or a script for one, by its first line."""
    if os.path.basename(path).startswith(("python", "pypy")):  # noqa: PTH119
        return True
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            first = file.read(256).split(b"\n")[0]
    except OSError:
        return False
    return first.startswith(b"#!") and b"python" in first


def _with_hook(environment: Sequence[bytes]) -> list[bytes]:
    """Return the environment, with the folder of the start hook in PYTHONPATH where it has the variable of the run."""
    if not any(each.startswith(VARIABLE.encode() + b"=") for each in environment):
        return list(environment)
    path = next((each for each in environment if each.startswith(_PATH)), _PATH)
    others = [each for each in environment if not each.startswith(_PATH)]
    return [*others, _PATH + os.fsencode(with_hook(os.fsdecode(path[len(_PATH) :])))]


def _mapping_with_hook(environment: Mapping[Any, Any]) -> Mapping[Any, Any]:
    texts = {_text(key): _text(value) for key, value in environment.items()}
    return (
        {**texts, "PYTHONPATH": with_hook(texts.get("PYTHONPATH", ""))} if VARIABLE in texts else environment
    )


def _text(word: Any) -> str:
    return os.fsdecode(word) if isinstance(word, (str, bytes, os.PathLike)) else str(word)
