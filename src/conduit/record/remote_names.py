"""The modules of another process, as far as its stack, command line and environment reveal them from outside.

The process's `sys.modules` is not read. The program is the file whose `<module>` is outermost on the main thread's
stack, or the script on the command line. The module of any other file is derived from `PYTHONPATH`, the program's
folder, the current folder and the folders of libraries; if none of these contains the file, from the folders around it
that have an `__init__.py`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.record.module_names import ModuleNames

if TYPE_CHECKING:
    from collections.abc import Sequence

    Frame = tuple[str, str, int, int]

_OPTIONS_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
_RUNNER = "<frozen runpy>"


def names_of_process(pid: int, main_stack: Sequence[Frame]) -> ModuleNames:
    """Return the names of a process's modules; `main_stack` has the frames of its main thread, leaf first."""
    process = Path(f"/proc/{pid}")
    current = _link(process / "cwd")
    script = _script_of_command_line(process, current)
    program = _outermost_module(main_stack) or script
    modules = [(file, "__main__") for file in (program, script) if file]
    entries = _environment(process, "PYTHONPATH").split(":")
    folders = [os.path.normpath(f"{current}/{entry}") for entry in entries if entry and entry[0] != "/"]
    folders += [entry for entry in entries if entry.startswith("/")]
    folders += [file.rpartition("/")[0] for file, _ in modules]
    root = _link(process / "root").rstrip("/")
    return ModuleNames(modules, [*folders, current], has_file=lambda path: os.path.isfile(root + path))  # noqa: PTH113


def _outermost_module(stack: Sequence[Frame]) -> str:
    """Return the file at the root of a stack, above the frames of `python -m`; empty if it is not a module's code."""
    for function, file, _, _ in reversed(stack):
        if file != _RUNNER:
            return file if function == "<module>" and not file.startswith("<") else ""
    return ""


def _script_of_command_line(process: Path, current: str) -> str:
    """Return the file that `python [options] FILE` runs; empty for `-m` and `-c`, or if it cannot be read."""
    try:
        words = (process / "cmdline").read_bytes().decode("utf-8", "surrogateescape").split("\0")[1:-1]
    except OSError:
        return ""
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option in ("-c", "-m", "-") or (option[1] != "-" and option[-1] in "cm"):
            return ""
        if option in _OPTIONS_WITH_VALUE and words:
            words.pop(0)
    return os.path.normpath(os.path.join(current, words[0])) if words else ""  # noqa: PTH118


def _environment(process: Path, name: str) -> str:
    try:
        found = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    start = f"{name}=".encode()
    values = (entry.removeprefix(start) for entry in found if entry.startswith(start))
    return next(values, b"").decode("utf-8", "surrogateescape")


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
