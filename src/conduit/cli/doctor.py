"""`conduit doctor`: what this installation can measure, and what is missing for the rest.

Exit status 0 where everything is in place, 1 where something is missing; what and why is on standard output.
"""

from __future__ import annotations

from typing import NamedTuple

from conduit.cli.flags import FlagSet

_USAGE = """usage: conduit doctor

Says what this installation can measure, and for what it cannot: why, and what to do."""


class Finding(NamedTuple):
    """One thing looked at: its name, what was found, and whether that is as it should be."""

    name: str
    found: str
    is_well: bool = True


def run(arguments: list[str]) -> int:
    """Prints the findings, one a line."""
    from conduit.errors import UsageError

    parsed = FlagSet(_USAGE).parse(arguments)
    if parsed.positionals:
        raise UsageError(f"takes no arguments, got {parsed.positionals[0]!r}")
    findings = examine()
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{finding.name:<{width}}  {'ok' if finding.is_well else '--'}  {finding.found}")
    return 0 if all(finding.is_well for finding in findings) else 1


def examine() -> list[Finding]:
    """Looks at the interpreter, the platform and the C extension."""
    import platform
    import sys

    from conduit import _native
    from conduit._version import __version__

    version = ".".join(str(part) for part in sys.version_info[:3])
    return [
        Finding("conduit", __version__),
        Finding("python", f"{platform.python_implementation()} {version} ({sys.executable})"),
        Finding("platform", f"{sys.platform} {platform.machine()}"),
        Finding("C extension", _native.reason() or "loaded", _native.available()),
        Finding("B/op, allocs/op", _needing_extension("counted exactly"), _native.available()),
        Finding(
            "CPU profiles", _needing_extension("all threads, by their own CPU clocks"), _native.available()
        ),
        Finding("heap profiles", _heap_engine(), _native.available()),
    ]


def _needing_extension(what: str) -> str:
    from conduit import _native

    return what if _native.available() else "n/a: needs the C extension"


def _heap_engine() -> str:
    from conduit import _native

    return (
        "allocated and in use"
        if _native.available()
        else "in use only, by tracemalloc: needs the C extension"
    )
