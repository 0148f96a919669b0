"""The words that may stand at the end of an unfinished `conduit …`.

They are commands, verbs, flags, their values, and names from the document.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from importlib import import_module
from typing import TYPE_CHECKING

from conduit.cli import COMMANDS
from conduit.cli.completion.scripts import SCRIPTS
from conduit.cli.flags import HelpRequested
from conduit.cli.introspect import FORMATS, VERBS, verb_flags
from conduit.cli.introspect.deps import KINDS
from conduit.cli.introspect.question import metadata_path
from conduit.errors import ConduitError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conduit.metadata.registry import Registry

FILES = ":files"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_TAKES_RESOURCE = ("resource", "deps", "impact", "path", "diagram")


def candidates(words: list[str]) -> list[str]:
    """Return the candidates for the last word, which may be empty.

    Each has a tab and a description behind it, if there is one.

    Names are read from the metadata document that the command itself would read. Where it cannot be read
    there are none: completion is no place for an error message.
    """
    *before, current = words or [""]
    try:
        found = _possible(before, current)
    except ConduitError:
        return []
    return [one for one in found if one == FILES or one.startswith(current)]


def _possible(before: list[str], current: str) -> list[str]:
    if not before:
        return [
            *(f"{name}\t{summary}" for name, (_, summary) in COMMANDS.items()), *_flags(current, ["help", "version"])
        ]  # fmt: skip
    command, rest = before[0], before[1:]
    if command == "introspect":
        return _introspect(rest, current)
    if command == "completion":
        return list(SCRIPTS) if not rest else []
    if command not in COMMANDS:
        return []
    return _flags_in_help(COMMANDS[command][0]) if current.startswith("-") else [FILES]


def _introspect(before: list[str], current: str) -> list[str]:
    verb = next((word for word in before if word in VERBS), None)
    if verb is None:
        return [f"{name}\t{row[2]}" for name, row in VERBS.items()]
    flags = verb_flags(verb)
    if current.startswith("-"):
        name, equals, _ = current.lstrip("-").partition("=")
        if equals:
            return [f"{current.partition('=')[0]}={value}" for value in _values(name, before)]
        return [f"--{flag.name}\t{flag.help}" for flag in flags.flags.values()]
    last = flags.flags.get(before[-1].lstrip("-")) if before[-1].startswith("-") else None
    if last is not None and not last.is_switch:
        return _values(last.name, before)
    if verb in _TAKES_RESOURCE:
        return _described(_registry(before))
    return _categories(_registry(before)) if verb == "patterns" else []


def _values(flag: str, before: list[str]) -> list[str]:
    """Return the values that a flag of `introspect` may have."""
    if flag == "metadata":
        return [FILES]
    if flag in ("resource", "around"):
        return _described(_registry(before))
    if flag == "middleware":
        return _unique(name for route in _registry(before).routes() for name in route.middleware)
    return list({"format": FORMATS, "method": METHODS, "type": KINDS}.get(flag, ()))


def _registry(before: list[str]) -> Registry:
    """Return the registry of the document that the words name, or of the default one."""
    import conduit

    given = None
    for position, word in enumerate(before):
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and name == "metadata":
            given = value if equals else next(iter(before[position + 1 :]), None)
    try:
        registry: Registry = conduit.load(metadata_path(given))
    except OSError as error:
        raise ConduitError(str(error)) from error
    return registry


def _described(registry: Registry) -> list[str]:
    return _unique(
        f"{resource.name}\t{_first_line(resource.documentation)}".rstrip("\t")
        for resource in registry.resources()
    )


def _categories(registry: Registry) -> list[str]:
    return _unique(pattern.category for pattern in registry.patterns())


def _flags_in_help(module_name: str) -> list[str]:
    """Return the flags of any command, from its own help: rows that begin with two blanks and a dash."""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            import_module(module_name).run(["--help"])
    except HelpRequested as request:
        printed.write(str(request))
    rows = [line.split() for line in printed.getvalue().splitlines() if line.startswith("  -")]
    return _unique("--" + row[0].lstrip("-").rstrip(",") for row in rows)


def _flags(current: str, names: Iterable[str]) -> list[str]:
    return [f"--{name}" for name in names] if current.startswith("-") else []


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))


def _first_line(text: str) -> str:
    return " ".join(next(iter(text.strip().splitlines()), "").split())
