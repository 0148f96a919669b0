"""Runs a program's main module as the interpreter does, and ends it as the interpreter does.

The order at the end is the interpreter's: an exception is shown, threads are waited for (libraries that keep threads,
such as `concurrent.futures`, are told before), the functions for `atexit` run, and the output is flushed. None of it
sees an exception as being handled. Apart from the program's own work, all of it is passed over by CPU profiles.
"""

from __future__ import annotations

import atexit
import sys
import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from conduit._native.own_work import cpu_pause, cpu_resume
from conduit.cli import closed_streams
from conduit.cli.leaving import stop_program_timers

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


def for_the_program(work: Callable[..., object], *arguments: object) -> None:
    """Work for the program, inside the command's `OwnWork`."""
    try:
        cpu_resume()  # in here: Ctrl-C may be raised as it returns
        work(*arguments)
    finally:
        cpu_pause()


def execute(program: Callable[[], object], is_own_file: Callable[[str], bool]) -> int:
    """Run the program to its end and return its exit status.

    Raise `KeyboardInterrupt` if that ended it, after all has been done. Frames of files for which `is_own_file` is true
    are not in its tracebacks.
    """
    with closed_streams.as_started():
        ended = _outcome(program)
        if ended is not None and not isinstance(ended, SystemExit):
            ended = _show(ended, is_own_file)
        status = 0 if ended is None else _exit_status(ended)
        _wait_for_threads()
        for_the_program(atexit._run_exitfuncs)  # each runs once, while its time is still recorded
        stop_program_timers()
        # What the program has printed stands above what this command tells. The stream may be the program's own, and
        # fail with anything: the interpreter tells of it at its end, and the profile is written all the same.
        with suppress(Exception):
            for_the_program(sys.stdout.flush)
    if isinstance(ended, KeyboardInterrupt):
        raise ended
    return status


def _outcome(work: Callable[[], object]) -> BaseException | None:
    """Return what a call raises, when that is no longer being handled."""
    try:
        work()
    except BaseException as error:
        return error
    return None


def _wait_for_threads() -> None:
    failure = _outcome(lambda: for_the_program(cast("Any", threading)._shutdown))
    if failure is not None:
        sys.unraisablehook(
            cast(
                "Any",
                SimpleNamespace(
                    exc_type=type(failure),
                    exc_value=failure,
                    exc_traceback=failure.__traceback__,
                    err_msg=None,
                    object=threading,
                ),
            )
        )


def _exit_status(ended: BaseException) -> int:
    """Return the status of an exception that has been shown; print what a `SystemExit` has instead of a status."""
    code = ended.code if isinstance(ended, SystemExit) else 1
    if code is None or isinstance(code, int):
        return code or 0
    if sys.stderr is not None:
        with suppress(Exception):
            for_the_program(lambda: print(code, file=sys.stderr, flush=True))
    return 1


def _show(error: BaseException, is_own_file: Callable[[str], bool]) -> BaseException:
    """Show an exception by the program's hook; return it, or the `SystemExit` that the hook raised."""
    trace = _without_own_frames(error, is_own_file)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    if not hasattr(sys, "excepthook"):
        _say("sys.excepthook is missing")
        _print(error, trace)
        return error
    failure = _outcome(lambda: for_the_program(sys.excepthook, type(error), error, trace))
    if failure is None:
        return error
    if isinstance(failure, SystemExit):
        return failure
    _say("Error in sys.excepthook:")
    _print(failure, _without_own_frames(failure, is_own_file))
    _say("\nOriginal exception was:")
    _print(error, trace)
    return error


def _without_own_frames(error: BaseException, is_own_file: Callable[[str], bool]) -> TracebackType | None:
    trace = error.__traceback__
    while trace is not None and _is_left_out(trace.tb_frame.f_code.co_filename, is_own_file):
        trace = trace.tb_next
    error.__traceback__ = trace
    return trace


def _is_left_out(filename: str, is_own_file: Callable[[str], bool]) -> bool:
    return filename == "<frozen runpy>" or is_own_file(filename)


def _print(error: BaseException, trace: TracebackType | None) -> None:
    for_the_program(sys.__excepthook__, type(error), error, trace)


def _say(text: str) -> None:
    if sys.stderr is not None:
        with suppress(Exception):
            print(text, file=sys.stderr, flush=True)
