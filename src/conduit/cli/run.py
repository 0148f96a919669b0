"""`conduit run`: runs a Python program as `python` would, and takes profiles of it.

The exit status is the program's own. 2: the call was wrong; 1 also where a profile could not be taken or written.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from conduit._native.own_work import OwnWork
from conduit.cli import main_program
from conduit.cli.flags import FlagSet
from conduit.cli.leaving import EndedBySignals, leave_by_interrupt
from conduit.cli.main_program import execute, for_the_program
from conduit.cli.other_programs import run_other_program
from conduit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.cli.flags import Parsed

_OWN_FILES = (__file__, main_program.__file__)
_MACHINE_CODE = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ")
"""How the executable files of Linux, macOS and Windows begin. They have zero bytes, too, as no Python source has."""

_USAGE = """usage: conduit run [flags] script.py [arguments…]
       conduit run [flags] -m module [arguments…]

Runs a program as python would and writes the requested profiles when it ends, also when it ends by an exception,
sys.exit, os._exit, os.abort, Ctrl-C, SIGTERM or SIGHUP. Processes that it starts are not recorded; their process ids
are reported at the end. With -children, each forked process and each Python program that it starts writes a file of
its own (cpu.prof: cpu.1234.prof), and FILE is the sum of all, with the label `process` on each sample. The program may
then also be a server of machine code that runs Python in itself, given by its path: /usr/bin/uwsgi."""


def flags() -> FlagSet:
    """Return the flags of the command."""
    from conduit.cli.profiling import add_profile_flags

    found = FlagSet(_USAGE)
    found.option("m", "run this module instead of a file (the rest is its arguments)", metavar="MODULE")
    add_profile_flags(found)
    found.switch("children", "record the processes that the program starts, too")
    return found


def run(arguments: list[str]) -> int:
    """Run the command."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:  # its traceback has been shown, and the profile is written
        return leave_by_interrupt()


def _run(arguments: list[str]) -> int:
    from conduit.cli.children.run import Run, is_recorded_already, own_outputs, run_that_writes
    from conduit.cli.profiling import Together, outputs, rates, recordings

    words, module, rest = split_arguments(arguments)
    parsed = flags().parse(words)
    if module is None and not parsed.positionals:
        raise UsageError(f"needs a program: script.py, or -m module{_swallowed(parsed)}")
    words = rest if module is not None else [*parsed.positionals, *rest]
    program = (
        _module_program(module, words) if module is not None else _script_program(words, parsed["children"])
    )
    _tell_pytest_not_to_rewrite()
    asked = outputs(parsed)
    if is_recorded_already(asked):
        with OwnWork():
            return execute(program, is_own_file)
    outer = run_that_writes(asked)
    if outer is not None:
        own = own_outputs(asked, outer)
        parsed.values.update(own)
        asked.update(own)
    found = recordings(parsed, is_own_file, passes_over_harness=True)
    together = Together(found, told=not parsed["children"])
    if not asked:
        print(
            "conduit run: nothing is recorded: no profile was asked for, as by -cpuprofile=cpu.prof or "
            "-memprofile=mem.prof",
            file=sys.stderr,
            flush=True,
        )
        with OwnWork():
            return execute(program, is_own_file)
    called = ["python", *(["-m", module] if module is not None else []), *words]
    run = Run.new(together, asked, rates(parsed), called, follows=parsed["children"], outer=outer)
    with OwnWork(), EndedBySignals(run.end), run:
        return execute(program, is_own_file)


def _tell_pytest_not_to_rewrite() -> None:
    """pytest warns about a plugin package that was imported before it, unless its docstring has this word."""
    import conduit

    conduit.__doc__ = f"{conduit.__doc__ or ''}\n\nPYTEST_DONT_REWRITE"


def split_arguments(arguments: list[str]) -> tuple[list[str], str | None, list[str]]:
    """Split into (our flags and what follows them, the module of -m or None, the module's arguments).

    What follows `-m module` is the module's, whatever it looks like; an `-m` behind a script is the script's.
    """
    for position, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name not in ("-m", "--m"):
            continue
        if flags().parse(arguments[:position]).positionals:
            break
        if equals:
            return arguments[:position], value, arguments[position + 1 :]
        if position + 1 == len(arguments):
            raise UsageError("flag needs an argument: -m")
        return arguments[:position], arguments[position + 1], arguments[position + 2 :]
    return arguments, None, []


def _swallowed(parsed: Parsed) -> str:
    """Return the program that a flag without `=` has taken for its value: `-cpuprofile script.py`."""
    for name, value in parsed.given.items():
        if isinstance(value, str) and value.endswith(".py"):
            return f"; {value} was read as the value of -{name}: write -{name}=FILE before it"
    return ""


def is_own_file(filename: str) -> bool:
    """Return whether code of this file is this command's, and not the program's."""
    return filename in _OWN_FILES


def _script_program(words: list[str], follows: bool) -> Callable[[], object]:
    path = words[0]
    if os.path.isdir(path) or path.endswith((".zip", ".pyz")):  # noqa: PTH112
        return lambda: _run_path(path, words)
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            source = file.read()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}{_on_the_path(path)}") from None
    if source.startswith(_MACHINE_CODE) and b"\0" in source:
        if follows:
            return lambda: run_other_program([os.path.abspath(path), *words[1:]])  # noqa: PTH100
        raise UsageError(
            f"{path} is machine code, and no Python program; with -children, what it starts of Python is recorded"
        )
    full_path = os.path.abspath(path)  # noqa: PTH100 (as python does; a report made in a folder above finds the source)

    def program() -> None:
        import types
        from importlib.machinery import SourceFileLoader

        module = types.ModuleType("__main__")
        module.__file__ = full_path
        module.__loader__ = SourceFileLoader("__main__", full_path)
        module.__dict__["__builtins__"] = __builtins__
        if sys.version_info < (3, 15):
            module.__dict__["__cached__"] = None
        if sys.version_info < (3, 14):
            module.__annotations__ = {}
        sys.modules["__main__"] = module
        sys.argv[:] = words
        sys.path[0] = os.path.dirname(os.path.realpath(path))  # noqa: PTH120
        code = compile(source, full_path, "exec")
        for_the_program(exec, code, module.__dict__)

    return program


def _on_the_path(name: str) -> str:
    """Return a hint where the word is a command of the shell, which other profilers look for: `gunicorn`."""
    import shutil

    found = None if os.path.dirname(name) else shutil.which(name)  # noqa: PTH120
    return (
        f"; the command is {found}: give its path, as by $(command -v {name}), or -m MODULE" if found else ""
    )


def _run_path(path: str, words: list[str]) -> None:
    sys.argv[:] = words
    sys.path[0] = path
    _run_as_main("__main__", changes_arguments=False)


def _module_program(module: str, arguments: list[str]) -> Callable[[], object]:
    def program() -> None:
        sys.argv[:] = [module, *arguments]
        sys.path[0] = os.getcwd()  # noqa: PTH109
        _run_as_main(module, changes_arguments=True)

    return program


def _run_as_main(module: str, *, changes_arguments: bool) -> None:
    """Run a module as the interpreter itself does: it stays `__main__` afterwards, when profiles ask for its file."""
    import runpy
    import types

    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.modules["__main__"].__dict__["__builtins__"] = __builtins__
    for_the_program(vars(runpy)["_run_module_as_main"], module, changes_arguments)
