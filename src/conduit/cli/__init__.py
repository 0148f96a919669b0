"""The `conduit` command: a module for each subcommand, imported only when that subcommand runs.

A subcommand's module has `run(arguments: list[str]) -> int`, which returns the exit status: 0 for success, 1 if the
work or a gate failed, 2 for a wrong call. Data goes to standard output, everything else to standard error.
`ConduitError` and `UsageError` may be raised anywhere; `main` prints them as one line. Used by the script `conduit`
and by `python -m conduit`.
"""

from __future__ import annotations

import codecs
import gc
import io
import os
import sys

TYPE_CHECKING = (
    False  # `typing` takes as long to import as the rest of a help text; type checkers know this name
)
if TYPE_CHECKING:
    from typing import NoReturn

# Name → (module, what it does). The one list of commands: help and completion are made from it.
COMMANDS: dict[str, tuple[str, str]] = {
    "bench": ("conduit.cli.bench", "run benchmarks, as go test -bench does; compare with another version"),
    "benchstat": ("conduit.cli.benchstat", "summarise benchmark results, and compare old with new"),
    "history": (
        "conduit.cli.history",
        "show benchmark results over time, and find the commit that changed them",
    ),
    "import": (
        "conduit.cli.import_results",
        "print results of pytest-benchmark, pyperf or asv as benchmark text",
    ),
    "export": ("conduit.cli.export_results", "print benchmark text as pyperf's JSON"),
    "hook": ("conduit.cli.hook", "run the performance regression tests before every commit"),
    "run": ("conduit.cli.run", "run a program and write its CPU and memory profiles"),
    "record": ("conduit.cli.record", "take profiles of a running process, started with or without Conduit"),
    "top": ("conduit.cli.top", "watch a running process: its functions and threads, by CPU time"),
    "dump": ("conduit.cli.dump", "print the stacks of all threads and tasks of a running process"),
    "pprof": ("conduit.cli.pprof", "read profiles: top, call graph, annotated source, shell, web page"),
    "trace": ("conduit.cli.trace", "open a timeline in an offline viewer"),
    "collect": ("conduit.cli.collect", "make the metadata document of an application"),
    "introspect": ("conduit.cli.introspect", "query the metadata of an application"),
    "mcp": ("conduit.cli.mcp", "serve these commands as tools for coding agents (Model Context Protocol)"),
    "skill": ("conduit.cli.skill", "print a page that teaches a coding agent these commands"),
    "doctor": ("conduit.cli.doctor", "report what this installation can and cannot measure"),
    "completion": ("conduit.cli.completion", "print a completion script for bash, zsh or fish"),
}

# Commands that start no thread and leave no file open, so that nothing is to be done when they end.
_ONLY_ANSWERS = (
    "introspect",
    "completion",
    "help",
    "-h",
    "-help",
    "--help",
    "version",
    "-version",
    "--version",
)

# Commands that are done when they have printed, unless a thread of theirs is still running.
_LEAVE_AT_ONCE = (*_ONLY_ANSWERS, "benchstat", "pprof")

# Commands that run another's code in this process, which may use the terminal as it likes, or draw on it themselves.
_HAVE_THE_TERMINAL = ("bench", "run", "top")

_HEADER = """conduit: what a running Python application is made of, and where its time and memory go.

usage: conduit COMMAND [ARGUMENTS]
"""
_FOOTER = """
Flags are written with one dash or two: -top is --top.
`conduit COMMAND --help` describes a command; `conduit --version` prints the version.

To begin:  conduit bench -benchmem .                              benchmarks in the bench_*.py files here
           conduit run -cpuprofile=cpu.prof script.py             a profile of a program …
           conduit pprof -http=:8080 cpu.prof                     … in the browser; -top in the terminal
           conduit collect --openapi api.json && conduit introspect resources
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command line (without the program's name; default `sys.argv[1:]`) and return its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        status = _dispatch(words)
        # A program under `conduit run` may close it, or put an object of its own there.
        if not getattr(sys.stdout, "closed", True):
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted.
        _abandon_output()
        return 0
    except OSError as error:
        where = error.filename if error.filename is not None else "standard output"
        from conduit.cli.terminal_text import complain

        complain(f"conduit: {os.fsdecode(where)}: {error.strerror or error}")
        _abandon_output()
        return 1
    except MemoryError:
        from conduit.cli.terminal_text import complain

        complain(
            "conduit: not enough memory: raise the limit (ulimit -v, or the container's), or give smaller inputs"
        )
        _abandon_output()
        return 1
    except KeyboardInterrupt:
        return 130


def _abandon_output() -> None:
    """Point standard output away, so that the interpreter's last flush is quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def program() -> NoReturn:
    """The `conduit` program: `main`, then out.

    A command that only answers does so without the collector, which would find nothing, and leaves at once: the one
    would cost a twentieth of its time, taking the interpreter down module by module a tenth. Code that registered
    something for the exit (coverage, a profiler) gets the ordinary way.
    """
    command = sys.argv[1] if sys.argv[1:2] else ""
    _prepare_streams(command)
    if command in _ONLY_ANSWERS:
        gc.disable()
    status = main()
    import atexit

    if command in _LEAVE_AT_ONCE and not atexit._ncallbacks() and not _has_threads():
        sys.stderr.flush()
        os._exit(status)
    raise SystemExit(status)


def _has_threads() -> bool:
    threading = sys.modules.get("threading")
    return threading is not None and threading.active_count() > 1


def _prepare_streams(command: str) -> None:
    """Prepare the standard streams for foreign names and for closed output.

    Every name can be printed, and none is obeyed by a terminal. Writing to output that is closed fails with a
    message.
    """
    if sys.stdout is None or sys.stderr is None:
        from conduit.cli.closed_streams import replace_closed_streams

        replace_closed_streams()
    # The streams of `run` are the program's.
    if command != "run" and sys.stdout.errors == "strict" and isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error("conduit.printable", _printable)
        sys.stdout.reconfigure(errors="conduit.printable")
    if command not in _HAVE_THE_TERMINAL:
        from conduit.cli.terminal_text import guard_streams

        guard_streams()


def _printable(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return the bytes to write for characters that cannot be encoded.

    A file name that is not text keeps its bytes; other characters become escapes.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeEncodeError:
        return codecs.lookup_error("backslashreplace")(error)


def _dispatch(words: list[str]) -> int:
    if not words:
        sys.stderr.write(_help())
        return 2
    command, rest = words[0], words[1:]
    if command == "help" and rest[:1] and rest[0] in COMMANDS:
        return _dispatch([rest[0], "--help"])
    if command == "help" and rest:
        return _unknown(rest[0])
    if command in ("-h", "-help", "--help", "help"):
        sys.stdout.write(_help())
        return 0
    if command in ("-version", "--version", "version"):
        from conduit._version import __version__

        print(f"conduit {__version__}")
        return 0
    if command not in COMMANDS:
        return _unknown(command)

    from importlib import import_module

    from conduit.cli.flags import HelpRequested
    from conduit.cli.terminal_text import complain
    from conduit.errors import ConduitError, UsageError

    module = import_module(COMMANDS[command][0])
    try:
        return int(module.run(rest))
    except HelpRequested as request:
        sys.stdout.write(str(request))
        return 0
    except UsageError as error:
        sys.stdout.flush()
        complain(f"conduit {command}: {error}")
        return 2
    except ConduitError as error:
        sys.stdout.flush()
        complain(f"conduit: {error}")
        return 1


def _help() -> str:
    width = max((len(name) for name in COMMANDS), default=0)
    rows = [f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join([_HEADER, *rows, _FOOTER])


def _unknown(command: str) -> int:
    from difflib import get_close_matches

    near = get_close_matches(command, COMMANDS, n=1)
    hint = f" Did you mean `conduit {near[0]}`?" if near else ""
    print(f"conduit: there is no command {command!r}.{hint} `conduit --help` lists them.", file=sys.stderr)
    return 2
