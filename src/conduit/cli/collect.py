"""`conduit collect`: writes the metadata document that `conduit introspect` reads."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from conduit.cli.collect_application import collect_live, declare_application, is_named
from conduit.cli.flags import FlagSet
from conduit.cli.terminal_text import complain, printable_on_terminal
from conduit.errors import ConduitError, UsageError
from conduit.units import counted

if TYPE_CHECKING:
    from conduit.metadata.schema import Metadata

DEFAULT_OUTPUT = "build/introspection/metadata.json"
SHOWN_WARNINGS = 5


def declare() -> FlagSet:
    """Declare the command's flags."""
    flags = FlagSet(
        "usage: conduit collect [--app APP] [--django SETTINGS] [--sqlalchemy BASE] [-o metadata.json]\n"
        "       conduit collect --openapi FILE [-o metadata.json]\n\n"
        "Writes the metadata document of an application: its resources, routes, patterns and dependencies.\n"
        "Without a source, Conduit looks for an application in the folder, and reports it before loading it.\n"
        "Loading an application executes its code, as importing it does."
    )
    flags.option("openapi", "an OpenAPI 3.0, 3.1 or 3.2 document, JSON or YAML", metavar="FILE")
    declare_application(flags)
    flags.option("o", "the document to write; - is standard output", default=DEFAULT_OUTPUT, metavar="FILE")
    flags.switch("verbose", "show every warning")
    return flags


def run(arguments: list[str]) -> int:
    """Collect, write the document whole or not at all, and report on standard error what was found."""
    parsed = declare().parse(arguments, positionals="mixed")
    if parsed.positionals:
        raise UsageError(
            f"unexpected argument {parsed.positionals[0]!r}; name the source with --app, --django, --sqlalchemy "
            "or --openapi"
        )
    if parsed["openapi"] and is_named(parsed):
        raise UsageError(
            "--openapi is a source of its own; leave out --app, --django and --sqlalchemy, or collect twice"
        )
    metadata = complete(
        _collect_openapi(parsed["openapi"], parsed["allow"]) if parsed["openapi"] else collect_live(parsed)
    )
    if metadata.errors and not (metadata.resources or metadata.routes):
        return _refuse_nothing(parsed["o"], metadata, parsed["verbose"])
    _write(parsed["o"], metadata)
    _report(parsed["o"], metadata, parsed["verbose"])
    if parsed["openapi"] or not metadata.errors:
        return 0
    print("conduit: the document lacks these parts; repair what they name and collect again", file=sys.stderr)
    return 1


def complete(metadata: Metadata) -> Metadata:
    """Return the document with the patterns and the dependency graph that follow from it.

    They are for readers that do not compute them.
    """
    from msgspec.structs import replace

    from conduit.metadata.registry import Registry

    registry = Registry(metadata)
    return replace(metadata, patterns=registry.conventions(), dependencies=registry.graph())


def _collect_openapi(path: str, allowed: tuple[str, ...]) -> Metadata:
    from conduit.sources.openapi import read_openapi

    try:
        return read_openapi(path, allowed)
    except OSError as error:
        raise ConduitError(f"cannot read {path}: {error.strerror or error}") from None


def _write(path: str, metadata: Metadata) -> None:
    from conduit.metadata.codec import encode

    data = encode(metadata)
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(printable_on_terminal(data, sys.stdout) + b"\n")
        sys.stdout.buffer.flush()
        return
    from conduit.files import write_file_whole

    write_file_whole(path, data)


def _refuse_nothing(path: str, metadata: Metadata, verbose: bool) -> int:
    """Report that nothing was collected and return the exit status; no file is written.

    An empty document would replace a good one, and every later question would be answered with "none".
    """
    _print_warnings(metadata, verbose)
    kept = "standard output has nothing" if path == "-" else f"{os.path.normpath(path)} was not written"
    print(f"conduit: nothing was collected, so {kept}; fix the warnings above", file=sys.stderr)
    return 1


def _report(path: str, metadata: Metadata, verbose: bool) -> None:
    _print_warnings(metadata, verbose)
    where = "standard output" if path == "-" else os.path.normpath(path)
    counts = f"{counted(len(metadata.resources), 'resource')} and {counted(len(metadata.routes), 'route')}"
    print(f"conduit: wrote {where} with {counts}", file=sys.stderr)
    if metadata.redacted:
        redacted = counted(metadata.redacted, "secret value")
        print(f"conduit: redacted {redacted}; --allow TEXT shows a value that is no secret", file=sys.stderr)


def _print_warnings(metadata: Metadata, verbose: bool) -> None:
    shown = metadata.errors if verbose else metadata.errors[:SHOWN_WARNINGS]
    for error in shown:
        location = f"{error.location}: " if error.location else ""
        complain(f"conduit: warning: {error.source}: {location}{error.message}")
    if len(shown) < len(metadata.errors):
        hidden = counted(len(metadata.errors) - len(shown), "more warning")
        print(f"conduit: {hidden}; --verbose shows them", file=sys.stderr)
