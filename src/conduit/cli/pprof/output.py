"""Where a report goes: to standard output, to a file, through Graphviz, to a program that shows it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from conduit.cli.terminal_text import printable_on_terminal
from conduit.report.commands import FORMATS
from conduit.report.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.fetch.inputs import Repeats
    from conduit.profile.model import Profile
    from conduit.report.commands import Format
    from conduit.report.options import Options

    Say = Callable[[str], None]


def write_report(
    profile: Profile,
    name: str,
    argument: str,
    options: Options,
    say: Say,
    *,
    in_shell: bool = False,
    compared: bool = False,
    repeats: Repeats | None = None,
) -> None:
    """Make a report and write it where the options and the format say. Raise `ConduitError`.

    `compared` says that a base has been subtracted from the profile; `repeats` are the single ones of such a
    comparison.
    """
    format = FORMATS[name]
    data = _data(profile, format, argument, options, say, compared=compared, repeats=repeats)
    if options.output:
        say(f"Generating report in {options.output}")
        _write_file(options.output, data)
    elif format.viewers:
        _show(format, data, waits=not in_shell)
    elif format.suffix and (in_shell or _on_terminal(format)):
        _write_numbered(format, data, say)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(data if format.binary else printable_on_terminal(data, sys.stdout))
        sys.stdout.buffer.flush()


def _data(
    profile: Profile,
    format: Format,
    argument: str,
    options: Options,
    say: Say,
    *,
    compared: bool,
    repeats: Repeats | None = None,
) -> bytes:
    if format.kind == "html":
        from conduit.web import single_file_report

        return single_file_report(profile, options, say, repeats)
    from conduit.report.pipeline import make_report

    data = make_report(profile, format.name, options, say, argument, compared=compared)
    if format.graphviz:
        from conduit.report.formats.graphviz import draw

        data = draw(data, format.graphviz)
    return data


def _on_terminal(format: Format) -> bool:
    """Return whether binary data would be written to a terminal."""
    return format.binary and sys.stdout.isatty()


def _write_file(path: str, data: bytes) -> None:
    from conduit.files import write_file_whole

    # A missing folder is more likely a slip of the keyboard than a wish; the original does not make one either.
    folder = os.path.dirname(path)  # noqa: PTH120 (pathlib would slow the start)
    if folder and not os.path.isdir(folder):  # noqa: PTH112
        raise ReportError(f"open {path}: no such file or directory")
    write_file_whole(path, data)


def _write_numbered(format: Format, data: bytes, say: Say) -> None:
    from conduit.fetch.saving import write_numbered

    try:
        path = write_numbered("", "profile", f".{format.suffix}", data)
    except OSError as error:
        raise ReportError(f"cannot write the report: {error.strerror or error}") from None
    say(f"Generating report in {path}")


def _show(format: Format, data: bytes, *, waits: bool) -> None:
    """Hand the report to the first of the format's viewers that there is."""
    import shlex
    import shutil
    import subprocess
    import tempfile

    commands = [_words(viewer, shlex.split) for viewer in format.viewers]
    command = next((words for words in commands if words and shutil.which(words[0])), None)
    if command is None:
        names = ", ".join(words[0] for words in commands if words)
        raise ReportError(
            f"-{format.name} needs one of {names}, and none is on the PATH; -output writes a file instead"
        )
    handle, path = tempfile.mkstemp(prefix="pprof", suffix=f".{format.suffix}")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    viewer = subprocess.Popen([*command, path])
    if waits:
        viewer.wait()


def _words(viewer: str, split: Callable[[str], Sequence[str]]) -> list[str]:
    if viewer == "$BROWSER":
        return list(split(os.environ.get("BROWSER", "")))
    if viewer == "xdg-open" and not os.environ.get("DISPLAY"):
        return []
    return list(split(viewer))
