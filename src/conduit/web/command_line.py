"""The command that prints the content of a view in a terminal."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from conduit.report.options import OPTIONS, show_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conduit.report.options import Options

# View → format; those with an argument take that of the address.
_FORMATS = {
    "flamegraph": "top",
    "top": "top",
    "graph": "dot",
    "peek": "peek",
    "source": "list",
    "labels": "tags",
    "changes": "changes",
    "growth": "top",
}
_WITH_ARGUMENT = ("peek", "list")
_NOT_GIVEN = frozenset({"output", "normalize"})


def command_line(
    view: str,
    options: Options,
    parameters: Mapping[str, str],
    sources: Sequence[str],
    base: Sequence[str],
    series: Sequence[str] = (),
    during: str = "",
) -> str:
    """Return a line for a shell, or an empty text where the sources are not known.

    `base` are flags that name a base; `series` the heap profiles through which growth is followed; `during` the tag
    filter of a range of the time. The line is made to be passed on, and stands in a page saved as a file: `***` stands
    for the password or token of a source's URL.
    """
    sources, base, series = (
        [_without_passwords(text) for text in texts] for texts in (sources, base, series)
    )
    if view == "growth" and series:
        imports = ["-without_imports=false"] if parameters.get("imports") == "t" else []
        return shlex.join(["conduit", "pprof", "-leaks", *imports, *series])
    if not sources:
        return ""
    format = _FORMATS[view] if base or view != "changes" else "top"
    flags = [f"-{format}"]
    if format in _WITH_ARGUMENT:
        flags = [f"-{format}={function_argument(parameters)}"]
    for name, option in OPTIONS.items():
        value = getattr(options, name)
        if name in _NOT_GIVEN or value == option.default:
            continue
        if option.choices:
            flags.append(f"-{value}")
        elif value is True:
            flags.append(f"-{name}")
        else:
            flags.append(f"-{name}={show_value(value)}")
    if during and not options.tagfocus:
        flags += [f"-tagfocus={during}", *([] if options.relative_percentages else ["-relative_percentages"])]
    if parameters.get("imports") == "f":
        flags.append("-without_imports")
    if options.normalize and base:
        flags.append("-normalize")
    return shlex.join(["conduit", "pprof", *flags, *base, *sources])


def function_argument(parameters: Mapping[str, str]) -> str:
    """Return the expression of the functions that Source and Peek show.

    It is `fn` of the address, otherwise its focus, or that of all. `fn` chooses what these views list and filters
    nothing: the other views of the page do not have it.
    """
    return parameters.get("fn") or parameters.get("f") or "."


def _without_passwords(text: str) -> str:
    """Return a source, or a flag that names several, parted by commas, with `***` for each password."""
    from conduit.fetch.download import without_password

    # First the whole: a password may hold a comma.
    flag, equals, names = text.partition("=") if text.startswith("-") else ("", "", text)
    return flag + equals + ",".join(map(without_password, without_password(names).split(",")))
