"""Images of the call graph: Graphviz's `dot` draws the output of `-dot`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from conduit.report.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[str], None]

_SIZE = re.compile(r'(<svg)\s*width="[^"]+"\s*height="[^"]+"(?=\s*viewBox=)')

_INSTALL = {
    "apt-get": "apt-get install graphviz",
    "dnf": "dnf install graphviz",
    "pacman": "pacman -S graphviz",
    "apk": "apk add graphviz",
    "brew": "brew install graphviz",
}


class GraphvizMissingError(ReportError):
    """The program `dot` is missing; the message names the command that installs it."""


def draw(source: bytes, image: str) -> bytes:
    """Return the image of a graph in an image format (`svg`, `png`, `pdf`, `ps`, `gif`).

    Raise `GraphvizMissingError` if Graphviz is missing, and `ReportError` with Graphviz's message if it fails. SVG
    images fill the window in which they are shown.
    """
    import shutil
    import subprocess

    program = shutil.which("dot")
    if program is None:
        raise GraphvizMissingError(missing_message(image))
    done = subprocess.run([program, f"-T{image}"], input=source, capture_output=True, check=False)
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines() or [
            f"exit status {done.returncode}"
        ]
        raise ReportError(f"Graphviz could not draw the graph as {image}: {words[0]}")
    return _fill_window(done.stdout) if image == "svg" else done.stdout


def missing_message(image: str) -> str:
    """Return the message that names the missing program, how to install it, and what works without it."""
    return (
        f"-{image} needs Graphviz's program dot, which is not on the PATH. Install it with `{install_command()}`, "
        "or use -dot, which needs nothing."
    )


def install_command() -> str:
    """Return the command that installs Graphviz with this machine's package manager (apt-get if it is not known)."""
    import shutil

    return next((words for tool, words in _INSTALL.items() if shutil.which(tool)), _INSTALL["apt-get"])


def _fill_window(svg: bytes) -> bytes:
    # dot leaves some ampersands unquoted, and then the picture is no XML.
    text = svg.decode("utf-8", "replace").replace("&;", "&amp;;")
    return _SIZE.sub(r'\1 width="100%" height="100%"', text, count=1).encode()
