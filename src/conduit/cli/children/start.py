"""Starts the recordings of a run in a Python program that a process of the run has started."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_RUN_FILES = tuple(os.path.join("conduit", "cli", name) for name in ("run.py", "main_program.py"))  # noqa: PTH118
_TRACKER = "multiprocessing.resource_tracker"


def start(dumped: dict[str, Any]) -> None:
    """Start what `dumped` (see `settings`) asks for, until the process ends; its files are written in any usual end.

    Raise `ConduitError` where that cannot be done.
    """
    from conduit._native.own_work import OwnWork

    with OwnWork():
        _start(dumped)


def _start(dumped: dict[str, Any]) -> None:
    from conduit.cli import children
    from conduit.cli.children.launches import watch_launches
    from conduit.cli.children.process import RunProcess
    from conduit.cli.children.settings import load
    from conduit.cli.flags import FlagSet
    from conduit.cli.leaving import EndedBySignals
    from conduit.cli.profiling import Together, add_profile_flags, recordings
    from conduit.record.process_tree import own_command_line

    settings = load(dumped)
    words = own_command_line()
    if any(_TRACKER in word for word in words):
        return
    found = FlagSet("")
    add_profile_flags(found)
    asked = recordings(found.parse(settings.flags()), _is_run_itself, passes_over_harness=True)
    for each in asked:
        each.gives_way = True
    process = RunProcess(settings, Together(asked, told=False), words)
    process.begin()
    end: Callable[[], bool] = process.end
    if os.getpid() == settings.main:  # the run's program has replaced itself by this one
        from conduit.cli.children.run import Run

        run = Run(settings, process, words)
        end = run.end
        watch_launches(process, settings, end, run.end_before_exec)
    else:
        watch_launches(process, settings, end)
    children.here = process

    if sys.orig_argv:
        atexit.register(end)
    else:
        _end_with_embedding_program(end)
    EndedBySignals(end).__enter__()


def _end_with_embedding_program(end: Callable[[], bool]) -> None:
    """Call `end` when the program that embeds this interpreter exits.

    A worker of uWSGI is sent several signals to end, and each calls exit() even while another one does; uWSGI's master
    never finalizes the interpreter.
    """
    from conduit._native import available

    def end_undisturbed() -> None:
        earlier = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            end()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, earlier)

    atexit.register(end_undisturbed)
    if available():
        from conduit._native import _core

        _core.call_at_c_exit(end_undisturbed)


def _is_run_itself(filename: str) -> bool:
    return filename.endswith(_RUN_FILES)
