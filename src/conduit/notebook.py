"""Magic commands for IPython and Jupyter: `%load_ext conduit` adds `%%cpuprofile`, `%%memprofile` and `%bench`.

IPython is not imported: it hands its shell to the extension.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from conduit.errors import ConduitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.model import Profile
    from conduit.record.recording import Recording
    from conduit.report.program_lines import Line
    from conduit.report.source_files import SourceFiles

_TABLE_ROWS = 15
_LINE_WIDTH = 80
_HEADINGS = {"cpu": "CPU time", "inuse_space": "Held at the end"}  # of the second table


class Shell(Protocol):
    """The part of IPython's `InteractiveShell` that the commands use."""

    user_ns: dict[str, Any]

    def run_cell(self, raw_cell: str) -> Any:
        """Run a cell, and print its traceback if it fails."""

    def register_magic_function(self, func: Callable[..., Any], magic_kind: str, magic_name: str) -> None:
        """Make a function a magic command."""


def load_ipython_extension(shell: Shell) -> None:
    """Add the commands to a shell. Called by `%load_ext conduit`."""

    def cpuprofile(line: str, cell: str) -> ProfileView | None:
        """Profile the CPU time of a cell: %%cpuprofile [FILE]. Shows a flame graph and a table; FILE keeps it."""
        from conduit.record import cpu

        return _record(lambda: cpu(line.strip() or None, is_harness=_is_ipython), shell, cell)

    def memprofile(line: str, cell: str) -> ProfileView | None:
        """Profile the memory that a cell allocates and keeps: %%memprofile [FILE].

        Every allocation is recorded, but for those of imports at the head of the cell.
        """
        from conduit.record import heap

        _import_first(shell, cell)
        return _record(lambda: heap(line.strip() or None, rate=1, is_harness=_is_ipython), shell, cell)

    def bench(line: str) -> None:
        """Measure an expression or statement as `conduit bench -benchmem` does: %bench sorted(numbers)."""
        _bench(line, shell)

    shell.register_magic_function(cpuprofile, "cell", "cpuprofile")
    shell.register_magic_function(memprofile, "cell", "memprofile")
    shell.register_magic_function(bench, "line", "bench")


class ProfileView:
    """A profile as the output of a cell: the notebook's lines, a flame graph (HTML), and a table of functions."""

    def __init__(self, profile: Profile, lines: str, flame_svg: str, table: str) -> None:
        self.profile = profile
        self._lines = lines
        self._flame_svg = flame_svg
        self._table = table

    def __repr__(self) -> str:
        return "\n".join(filter(None, (self._lines, self._table)))

    def _repr_html_(self) -> str:
        from html import escape

        lines = f"<pre>{escape(self._lines)}</pre>" if self._lines else ""
        return f"{lines}{self._flame_svg}<pre>{escape(self._table)}</pre>"


def _import_first(shell: Shell, cell: str) -> None:
    """Run the imports at the head of a cell, before which nothing of it runs, as a recording makes them slow.

    To record each allocation of a large library's import takes ten times as long as the import.
    """
    import ast

    transform: Callable[[str], str] = getattr(shell, "transform_cell", str)
    try:
        body = ast.parse(transform(cell)).body
    except (SyntaxError, ValueError):  # the cell itself says so
        return
    for statement in body:
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            return
        try:
            exec(compile(ast.Module([statement], []), "<imports>", "exec"), {"__name__": "__main__"})
        except Exception:  # it fails again in the cell, where it is shown
            return


def _record(begin: Callable[[], Recording], shell: Shell, cell: str) -> ProfileView | None:
    """Run a cell under a recording. A failure to record is printed, and the cell does not run."""
    try:
        recording = begin()
        recording.start()
    except ConduitError as error:
        _warn(str(error))
        return None
    try:
        _run(shell, cell)
    finally:
        profile = recording.stop()
    for warning in recording.warnings:
        _warn(warning)
    said = set(recording.warnings)
    profile.comments = [
        comment for comment in profile.comments if comment not in said
    ]  # the table has them, too
    try:
        return _view(profile)
    except ConduitError as error:
        _warn(str(error))
        return None


def _run(shell: Shell, cell: str) -> None:
    """Run the body of a magic command so that profiles have the cell's number and its lines as the notebook has them.

    IPython counts the body as a cell of its own, without the magic's line: the next number, and lines one too low.
    """
    compiler = getattr(shell, "compile", None)
    numbers = getattr(compiler, "_filename_map", None)
    before = dict(numbers) if isinstance(numbers, dict) else {}
    shell.run_cell(cell if cell.lstrip().startswith("%%") else f"#\n{cell}")
    inputs = shell.user_ns.get("In")
    if isinstance(numbers, dict) and isinstance(inputs, list) and len(inputs) > 1:
        ran = [file for file, number in numbers.items() if before.get(file) != number]
        numbers.update(dict.fromkeys(ran, len(inputs) - 1))


def _view(profile: Profile) -> ProfileView:
    from conduit.report.options import Options
    from conduit.report.pipeline import prepare_report, print_report

    shown, remark = _without_imports(profile)

    def printed(format: str, **options: Any) -> str:
        return print_report(prepare_report(shown, format, Options(**options), _warn)).decode()

    lines = "\n".join(filter(None, (_lines(shown), remark)))
    return ProfileView(profile, lines, printed("flame"), printed("top", nodecount=_TABLE_ROWS))


def _without_imports(profile: Profile) -> tuple[Profile, str]:
    """Return a heap profile without the memory of imports, and a line that says how much that is."""
    from conduit.profile.imports import without_imports
    from conduit.units import format_size

    held = [index for index, kind in enumerate(profile.sample_types) if kind.type == "inuse_space"]
    if not held:
        return profile, ""
    kept, left_out = without_imports(profile, held[0])
    if not left_out:
        return kept, ""
    return kept, f"{format_size(left_out)} that imports allocated are left out\n"


def _lines(profile: Profile) -> str:
    """Return the lines of the notebook that CPU time or memory in use is due to, with their text.

    Empty for other profiles.
    """
    from conduit.profile.measurement import label, percentage
    from conduit.profile.merge import column_sums
    from conduit.report.program_lines import values_by_program_line
    from conduit.report.source_files import SourceFiles

    for index, kind in enumerate(profile.sample_types):
        heading = _HEADINGS.get(kind.type)
        if heading is None:
            continue
        total = column_sums(profile)[index]
        files = SourceFiles()
        rows = [
            f"{label(value, kind.unit):>10} {percentage(value, total)}  {line.function} line {line.line}"
            f"{_source(files, line)}\n"
            for line, value in values_by_program_line(profile, index)[:_TABLE_ROWS]
            if value > 0
        ]
        return f"{heading}, by the line that led there, libraries left out:\n{''.join(rows)}" if rows else ""
    return ""


def _source(files: SourceFiles, line: Line) -> str:
    """Return the text of a line, behind a colon; empty where there is none."""
    from conduit.report.source_files import SourceUnavailableError

    try:
        text = "".join(files.lines(line.file)[max(0, line.line - 1) : line.line]).strip()
    except SourceUnavailableError:
        text = ""
    if not text:
        return ""
    return f": {text if len(text) <= _LINE_WIDTH else text[: _LINE_WIDTH - 1] + '…'}"


def _bench(line: str, shell: Shell) -> None:
    from conduit.bench.api import benchmark
    from conduit.bench.text.writer import format_measurement

    if not line.strip():
        _warn("%bench: nothing to measure; write an expression after it, as in %bench sorted(numbers)")
        return
    scope = dict(shell.user_ns)
    try:
        exec(compile(f"def _operation():\n    {line.strip()}\n", "<%bench>", "exec"), scope)
    except SyntaxError as error:
        _warn(f"%bench: {error.msg}: {line.strip()}")
        return
    try:
        result = benchmark(scope["_operation"], name="Benchmark")
    except ConduitError as error:
        _warn(str(error))
        return
    for sample in result.samples:
        sys.stdout.write(format_measurement(sample, 0) + "\n")
    for warning in result.warnings:
        _warn(str(warning))


def _is_ipython(filename: str) -> bool:
    return filename.startswith(_ipython_folder())


@cache
def _ipython_folder() -> str:
    file = getattr(sys.modules.get("IPython"), "__file__", None)
    return f"{Path(file).parent}/" if file else "<no IPython>"


def _warn(text: str) -> None:
    sys.stderr.write(f"conduit: {text}\n")
