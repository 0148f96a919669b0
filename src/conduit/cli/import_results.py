"""`conduit import` and `conduit export`: other tools' results as Go's benchmark text, and the text as pyperf's JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from conduit.cli.flags import FlagSet
from conduit.cli.terminal_text import complain
from conduit.errors import ConduitError, UsageError
from conduit.files import read_at_most

if TYPE_CHECKING:
    from conduit.cli.flags import Parsed

_IMPORT = """usage: conduit import [flags] FILE…

Prints results of pytest-benchmark (--benchmark-json), pyperf (-o) or asv (results/MACHINE/*.json) as Go's benchmark
text, for conduit benchstat. - is standard input.
"""
_MAX_BYTES = 1 << 30
_EXPORT = """usage: conduit export [flags] FILE…

Prints the times of Go's benchmark text as pyperf's JSON, for pyperf compare_to and others. - is standard input.
"""


def run(arguments: list[str]) -> int:
    """Run `conduit import`."""
    from conduit.bench.text.foreign_json import format_lines, read_foreign

    parsed = _parse(_IMPORT, arguments)
    texts = [format_lines(read_foreign(path, _read(path))) for path in parsed.positionals]
    return _write("".join(texts), parsed)


def run_export(arguments: list[str]) -> int:
    """Run `conduit export`."""
    import json

    from conduit.bench.text.foreign_json import to_pyperf
    from conduit.bench.text.reader import file_records, name_inputs
    from conduit.bench.text.unit_metadata import UnitMetadata

    parsed = _parse(_EXPORT, arguments)
    errors: list[Exception] = []
    results = list(file_records(name_inputs(parsed.positionals), UnitMetadata(), errors.append))
    for error in errors:
        complain(str(error))
    document = to_pyperf(results)
    if not document["benchmarks"]:
        raise ConduitError(
            f"no times (ns/op) in {', '.join(parsed.positionals)}: expected Go's benchmark text"
        )
    return _write(json.dumps(document, indent=2) + "\n", parsed)


def _parse(usage: str, arguments: list[str]) -> Parsed:
    flags = FlagSet(usage)
    flags.option("o", "write to this file instead of standard output", metavar="FILE")
    parsed = flags.parse(arguments, positionals="mixed")
    if not parsed.positionals:
        raise UsageError(f"expected a FILE\n\n{flags.help()}")
    return parsed


def _read(path: str) -> str:
    try:
        if path == "-":
            data = read_at_most(sys.stdin.buffer, _MAX_BYTES)
        else:
            with open(path, "rb") as file:  # noqa: PTH123 (pathlib would slow the start)
                data = read_at_most(file, _MAX_BYTES)
        if data is None:
            raise ConduitError(f"cannot read {path}: more than {_MAX_BYTES:,} bytes, the limit for results")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ConduitError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConduitError(f"{path}: expected JSON as UTF-8") from None


def _write(text: str, parsed: Parsed) -> int:
    if parsed["o"] is None:
        sys.stdout.write(text)
        return 0
    from conduit.files import write_file_whole

    write_file_whole(parsed["o"], text.encode())
    return 0
